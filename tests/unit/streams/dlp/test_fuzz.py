"""Random and mutated inputs: no crash, no hang, no offset outside the text."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from operators.dlp.dsl import Message
from operators.dlp.rules.find import find

if TYPE_CHECKING:
    from streams.dlp.scanner import Scanner
    from tests.unit.streams.dlp.conftest import Sample

LIMIT_S = 2.0
_ALPHABETS = (
    "".join(map(chr, range(256))),
    "0123456789 -.@:/=+\n",
    "ab\u0430\u0435\u200b\u202e\ufeff\U0001f600e\u0301\ue000\ue020\u2460\uff14",
    "<>&#;%\\x\"'`{}[]()|$",
    "at dot one two zero @ . / 4539 1488 password=AKIA eyJ -----BEGIN PRIVATE KEY-----",
)


def inputs(samples: list[Sample], count: int, seed: int) -> list[str]:
    """Strings of every alphabet, single characters repeated, and texts cut, doubled and shuffled."""
    rng = Random(seed)
    found = []
    for number in range(count):
        kind = number % 4
        size = rng.choice((1, 7, 40, 200, 800, 3_000 if number % 50 == 0 else 300))
        if kind == 0:
            found.append("".join(rng.choices(rng.choice(_ALPHABETS), k=size)))
        elif kind == 1:
            found.append(rng.choice(rng.choice(_ALPHABETS)) * size)
        elif kind == 2:
            found.append(rng.randbytes(size).decode("utf-8", "surrogateescape"))
        else:
            text = list(rng.choice(samples).text[:size])
            for _ in range(rng.randrange(1, 30)):
                place = rng.randrange(len(text))
                text[place] = rng.choice((text[place] * 3, "", rng.choice(_ALPHABETS)[:5], "\n"))
            found.append("".join(text))
    return found


def check(scanner: Scanner, text: str) -> None:
    """Scan within the limit, and look at every offset."""
    began = time.process_time()
    verdict = scanner.scan(Message(text, subject=text[:40]))
    assert time.process_time() - began < LIMIT_S, repr(text[:200])
    for span in verdict.spans:
        length = len(text) if span.field == "body" else len(text[:40])
        assert 0 <= span.start < span.end <= length, repr(text[:200])


def check_rules(text: str) -> None:
    """The rules alone, and the way back to the text, within the limit."""
    began = time.process_time()
    hits = find(text)
    assert time.process_time() - began < LIMIT_S, repr(text[:200])
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits), repr(text[:200])


def test_some_random_inputs(scanner: Scanner, samples: list[Sample]) -> None:
    """The short version, in every run: the model on one in thirteen, so on each kind of input."""
    for number, text in enumerate(inputs(samples, 300, 1)):
        check_rules(text)
        if number % 13 == 0:
            check(scanner, text)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_hundreds_of_random_inputs(scanner: Scanner, samples: list[Sample]) -> None:
    """The model reads every one."""
    for text in inputs(samples, 400, 3):
        check(scanner, text)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_hundred_thousand_random_inputs(scanner: Scanner, samples: list[Sample]) -> None:
    """The long version: the rules on all, the model on one in fifty."""
    for number, text in enumerate(inputs(samples, 100_000, 2)):
        if number % 50 == 0:
            check(scanner, text)
        else:
            check_rules(text)


@pytest.mark.parametrize(
    "unit",
    ["1 ", "a@", "a.", "one ", "&#52;", "eyJ", "password=", "x" * 63 + ".", "-----BEGIN RSA PRIVATE KEY-----\n",
     "Server=a;", "12-", "A1", "\\x41", "%41", "\u200b4", "' + '", "=\n", "(0", "://a:b", "@a."],
)  # fmt: skip
def test_long_runs_cost_time_in_proportion(unit: str) -> None:
    """What makes a pattern try again and again is read as fast as anything else."""
    text = unit * (40_000 // len(unit))
    began = time.process_time()
    find(text)
    assert time.process_time() - began < LIMIT_S
