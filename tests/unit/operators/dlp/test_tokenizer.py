"""Tokens cover a text without gaps, and tags go to tokens and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import operators.dlp
from operators.dlp.markers import Mark
from operators.dlp.tags import OUTSIDE, TAGS, TypedSpan, from_tags, to_tags
from operators.dlp.tokenizer import Tokenizer, text_spans, token_tags


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The tokenizer that ships."""
    path = Path(operators.dlp.__file__).parent / "model" / "tokenizer.model"
    return Tokenizer(path.read_bytes())


@pytest.mark.parametrize(
    "text", ["", "plain words", "  x = 'y'\n\tz", "日本😀\r\n𝒜 café", "\u2581a ▁"]
)
def test_tokens_cover_the_text(tokenizer: Tokenizer, text: str) -> None:
    """Each code point belongs to one token, also where it is spelled in bytes."""
    encoding = tokenizer.encode(text)
    ends = encoding.ends.tolist()
    assert ends == sorted(ends)
    assert (ends[-1] if ends else 0) == len(text)
    assert all(encoding.starts <= encoding.ends)


def test_digits_and_marks_are_tokens_of_their_own(tokenizer: Tokenizer) -> None:
    """A card number has as many tokens as digits, so that a window can cut it anywhere."""
    encoding = tokenizer.encode(f"{Mark.BODY.value}4111 1111")
    assert len(set(encoding.ids[1:5].tolist())) == 2
    assert encoding.ends[:5].tolist() == [1, 2, 3, 4, 5]


def test_there_are_twenty_one_tags() -> None:
    """Ten types, each begun and continued, and nothing."""
    assert len(TAGS) == 21
    assert TAGS[OUTSIDE] == "O"


def test_tags_spell_spans() -> None:
    """Neighbours of one type stay two; an I without its B opens a span."""
    spans = [TypedSpan(0, 2, "NAME"), TypedSpan(2, 4, "NAME"), TypedSpan(5, 6, "PAN")]
    assert from_tags(to_tags(spans, 8)) == spans
    assert from_tags(np.array([TAGS.index("I-NAME"), OUTSIDE])) == [TypedSpan(0, 1, "NAME")]


def test_token_tags_find_the_span_again(tokenizer: Tokenizer) -> None:
    """A value between spaces comes back to the code point; a leading space is not part of it."""
    text = "write to Ann Lee or +1 415-555-0199 today"
    spans = [TypedSpan(9, 16, "NAME"), TypedSpan(20, 35, "PHONE")]
    encoding = tokenizer.encode(text)
    assert text_spans(encoding, token_tags(encoding, to_tags(spans, len(text)))) == spans
