"""Boundaries follow from the text, not from the pieces that it comes in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from operators.hierarchy.boundaries import Boundary, BoundaryState, advance

SOLID = """word Mr e.g Inc The a@b.cd 3.14 J I usw i » « " ( ) 。 「 」 と … . .. ! ?! 日本 ¿ — ,
    12 am Yahoo p ii no"""
SPACES = ["\n", "\r", "\r\n", " ", "\t", "\u2029", "\u00a0"]
LONG = [" " * 70, "!" * 70, "x" * 70]
WORDS = st.sampled_from([*SOLID.split(), *SPACES, *LONG])
TEXTS = st.lists(WORDS | st.text(max_size=3), max_size=40).map("".join)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text cut at some places."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[low:high] for low, high in pairwise(places)]


def fed(parts: list[str]) -> list[Boundary]:
    """All boundaries of a text that comes in parts; the state goes through JSON in between."""
    state, found = BoundaryState(), []
    for part in parts:
        state, more = advance(BoundaryState.from_json(state.to_json()), part)
        found += more
    return found + advance(state, "", complete=True)[1]


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
def test_any_chunking_gives_the_same_boundaries(text: str, cuts: list[int]) -> None:
    """Whole, in pieces, and code point by code point."""
    whole = advance(BoundaryState(), text, complete=True)[1]
    assert fed(pieces(text, cuts)) == whole
    assert fed(list(text)) == whole


@given(TEXTS)
def test_boundaries_become_certain_when_they_say(text: str) -> None:
    """With the last code point that they name, and not before."""
    whole = advance(BoundaryState(), text, complete=True)[1]
    state = BoundaryState()
    open_ = list(whole)
    for count, char in enumerate(text, 1):
        state, found = advance(state, char)
        for one in found:
            assert one == open_.pop(0)
            assert one.certain == count
    assert all(one.certain == len(text) for one in open_)


@given(TEXTS)
def test_boundaries_lie_in_the_text_in_order(text: str) -> None:
    """Each has something in it, and none of a level begins before the one before has ended."""
    ends: dict[object, int] = {}
    for one in advance(BoundaryState(), text, complete=True)[1]:
        assert ends.get(one.level, 0) <= one.start < one.end <= one.certain <= len(text)
        assert not text[one.start].isspace()
        assert not text[one.end - 1].isspace()
        ends[one.level] = one.end
