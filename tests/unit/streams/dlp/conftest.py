"""The shipped scanner, loaded once; and texts that were labelled by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from operators.dlp.tags import TypedSpan
from streams.dlp.scanner import NEVER, Scanner

SAMPLES = Path(__file__).with_name("samples.txt")
_MARKED = re.compile(r"⟦(\w+):(.*?)⟧", re.DOTALL)


class Sample(NamedTuple):
    """A text written for these tests, and the values in it."""

    text: str
    spans: tuple[TypedSpan, ...]


@pytest.fixture(scope="session")
def scanner() -> Scanner:
    """The shipped model and policy, reading every text to its end."""
    return Scanner.load(exits=NEVER)


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """The texts of samples.txt; a value stands there as ⟦TYPE:value⟧."""
    found = []
    for block in SAMPLES.read_text(encoding="utf-8").split("\n=====\n"):
        text, spans, done = "", [], 0
        for match in _MARKED.finditer(block):
            text += block[done : match.start()]
            spans.append(TypedSpan(len(text), len(text) + len(match[2]), match[1]))
            text += match[2]
            done = match.end()
        found.append(Sample(text + block[done:].rstrip("\n"), tuple(spans)))
    return found
