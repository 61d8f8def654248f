"""Spans are whole words and follow the rules of BIO, however uncertain the network is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import operators.dlp
from operators.dlp.decoding import likeliest, spans
from operators.dlp.tags import OUTSIDE, TAGS
from operators.dlp.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The tokenizer that ships."""
    path = Path(operators.dlp.__file__).parent / "model" / "tokenizer.model"
    return Tokenizer(path.read_bytes())


def test_an_inside_never_stands_alone() -> None:
    """Where I-NAME is likeliest after O, its B or another tag is taken instead."""
    rng = np.random.default_rng(1)
    tags = likeliest(rng.normal(size=(400, len(TAGS))) * 3).tolist()
    for before, tag in zip([OUTSIDE, *tags], tags, strict=False):
        if tag != OUTSIDE and tag % 2:
            assert before // 2 == tag // 2


def test_spans_are_widened_to_words(tokenizer: Tokenizer) -> None:
    """A network that is sure of one digit of a card number, or half a name, means all of it."""
    text = "card 4539148803436467 of Stinson"
    encoding = tokenizer.encode(text)
    logits = np.full((len(encoding.ids), len(TAGS)), -5.0)
    logits[:, OUTSIDE] = 5.0
    for place, tag in ((7, "B-PAN"), (9, "B-PAN"), (len(encoding.ids) - 1, "B-NAME")):
        logits[encoding.ends.searchsorted(place, "right") if place < 20 else place] = -5.0
        row = int(encoding.ends.searchsorted(place, "right")) if tag == "B-PAN" else place
        logits[row, TAGS.index(tag)] = 9.0
    found = [(text[one.start : one.end], one.type) for one in spans(text, encoding, logits)]
    assert found == [("4539148803436467", "PAN"), ("Stinson", "NAME")]


@pytest.mark.parametrize(
    ("text", "names"),
    [("from Helen Okafor", ["Helen Okafor"]), ("from Helen, Okafor", ["Helen", "Okafor"])],
)
def test_names_with_one_space_between_are_one(
    tokenizer: Tokenizer, text: str, names: list[str]
) -> None:
    """A network that begins a name anew at the family name means one person."""
    encoding = tokenizer.encode(text)
    logits = np.full((len(encoding.ids), len(TAGS)), -5.0)
    logits[:, OUTSIDE] = 5.0
    for word in ("Helen", "Okafor"):
        row = int(encoding.ends.searchsorted(text.index(word), "right"))
        logits[row, TAGS.index("B-NAME")] = 9.0
    assert [text[one.start : one.end] for one in spans(text, encoding, logits)] == names


def test_nothing_gives_nothing(tokenizer: Tokenizer) -> None:
    """An empty text has no spans."""
    assert spans("", tokenizer.encode(""), np.zeros((0, len(TAGS)))) == []
