"""Tokens of a growing text do not depend on the pieces that it comes in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import operators.dlp
from operators.dlp.dsl import Message
from operators.dlp.markers import Mark
from operators.dlp.normalise import normalise
from operators.dlp.tokenizer import Tokenizer
from operators.hierarchy.growing import (
    LONGEST,
    GrowingState,
    Unit,
    advance,
    opening,
    release,
    tokens,
)

if TYPE_CHECKING:
    from operators.hierarchy.buffer import Token

ROOT = Path(__file__).parents[4]
LATIN = r"""word be 48 65 6c 48:65 af af- cardno 4111 %41%20 &amp; &#32; aGVsbG8gd29ybGQgaGVsbG8=
    \x41\x42\x43\x44 a@b.cd"""
OTHERS = "раypal ｆｕｌｌ 日本語 します 東京 。 カード 한국어 \u0301 é e\u0301 \u200b 𝐁old ﬁ 😀"
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000"]
LONG = ["x" * (LONGEST + 3), "deadbeef" * 3]
WORDS = st.sampled_from([*LATIN.split(), *OTHERS.split(), *SPACES, *LONG])
TEXTS = st.lists(WORDS | st.text(max_size=3), max_size=30).map("".join)


@cache
def tokenizer() -> Tokenizer:
    """The tokenizer that ships."""
    path = Path(operators.dlp.__file__).parent / "model" / "tokenizer.model"
    return Tokenizer(path.read_bytes())


def fed(pieces: list[str]) -> list[Unit]:
    """All units of a text that comes in pieces."""
    state, units = GrowingState(), []
    for piece in pieces:
        state, found = advance(state, piece, tokenizer().neighbours)
        assert len(state.held) <= LONGEST
        units += found
    return units + release(state)


def tokenised(units: list[Unit]) -> list[Token]:
    """The tokens of units."""
    return [token for unit in units for token in tokens(tokenizer(), unit)]


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 2_000), max_size=12))
def test_any_chunking_gives_the_same_units(text: str, cuts: list[int]) -> None:
    """Whole, in pieces, and code point by code point; each complete when it says."""
    whole = fed([text])
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert fed([text[places[n] : places[n + 1]] for n in range(len(places) - 1)]) == whole
    state, left = GrowingState(), list(whole)
    for count, char in enumerate(text, 1):
        state, found = advance(state, char, tokenizer().neighbours)
        for unit in found:
            assert unit == left.pop(0)
            assert unit.known == count
    assert release(state) == left


@settings(deadline=None)
@given(TEXTS)
@example("¼")
def test_units_and_tokens_cover_the_text(text: str) -> None:
    """Units follow each other; tokens stay in their unit and never go back."""
    units = fed([text])
    assert "".join(unit.text for unit in units) == text
    place = 0
    for unit in units:
        assert unit.start == place
        place = unit.end
        found = tokens(tokenizer(), unit)
        assert all(unit.start <= token.start <= token.end <= unit.end for token in found)
        assert [token.end for token in found] == sorted(token.end for token in found)


def test_tokens_are_those_of_the_whole_text() -> None:
    """On every page of the documentation and the scanner's samples: ids, places and all.

    SentencePiece sums up logarithms in single precision from where it starts, so that of two cuts
    that are equally likely ("!!" and "!", or the other way round) it may take the other one.
    """
    samples = ROOT / "tests" / "unit" / "streams" / "dlp" / "samples.txt"
    labelled = ROOT / "tests" / "unit" / "operators" / "hierarchy" / "sentences.txt"
    count = other = 0
    for path in [samples, labelled, *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        traced = normalise(text)
        encoding = tokenizer().encode(traced.text)
        wanted = {
            (number, *traced.to_original(start, end))
            for number, start, end in zip(
                encoding.ids.tolist(),
                encoding.starts.tolist(),
                encoding.ends.tolist(),
                strict=True,
            )
        }
        other += len(wanted - {token[:3] for token in tokenised(fed([text]))})
        count += len(wanted)
    assert count > 50_000
    assert other < count / 5_000


def test_run_of_hex_bytes_is_read_as_one() -> None:
    """Bytes in hex with spaces in between are decoded, and do not hold back what follows."""
    text = "say " + b"hello world".hex(" ") + " now"
    units = fed([text])
    assert [unit.text for unit in units][1].count(" ") == 11
    assert Mark.HEX.value in tokenizer().decode(token.id for token in tokenised(units))
    assert [unit.text for unit in fed(["call 01 23 now or be late"])] == [
        "call", " 01 23", " now", " or", " be", " late",
    ]  # fmt: skip


def test_long_words_and_scripts_without_spaces_do_not_wait() -> None:
    """A word is cut at its bound, and Chinese is complete after each code point or so."""
    assert [len(unit.text) for unit in fed(["x" * 2_500])] == [1024, 1024, 452]
    units = fed(["合同已经收到。第三条需要修改。您什么时候有空"])
    assert max(len(unit.text) for unit in units) <= 4


@pytest.mark.parametrize("kind", ["CHAT", "UPLOAD"])
def test_stream_opens_like_a_message(kind: str) -> None:
    """The marks before the body are those that the scanner writes."""
    head = opening(tokenizer(), Message("", kind=kind, sender="ann@example.org"))
    text = tokenizer().decode(token.id for token in head)
    assert text == f"{Mark[kind].value}{Mark.SENDER.value}ann@example.org{Mark.BODY.value}"
    assert {token[1:] for token in head} == {(0, 0, 0)}
