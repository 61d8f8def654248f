"""What becomes of a stream's text does not depend on the pieces, nor on where it is gone on."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.dlp.dsl import Message
from operators.hierarchy import growing, text
from operators.hierarchy.buffer import BufferConfig, Policy
from operators.hierarchy.text import Reading, TextState
from tests.property.operators.hierarchy.test_growing import TEXTS, tokenizer

if TYPE_CHECKING:
    from operators.hierarchy.boundaries import Boundary
    from operators.hierarchy.text import Closed, Stage

SMALL = BufferConfig(most=64, overlap=8, chunk=8, seek=16)
READINGS = [
    Reading(tokenizer(), SMALL),
    Reading(tokenizer(), BufferConfig(Policy.FIXED, most=64, overlap=8, chunk=8, seek=16)),
]
SENTENCES = st.lists(
    st.sampled_from(["This is it. ", "Well, no! ", "A line\n", "and so on ", "\n\n", "x" * 40]),
    min_size=20,
    max_size=80,
).map("".join)
LONG = st.tuples(SENTENCES, TEXTS, SENTENCES).map("".join)


def begun() -> TextState:
    """A stream of which nothing has come."""
    return text.begin(growing.opening(tokenizer(), Message("", kind="CHAT")))


def pieces(whole: str, cuts: list[int]) -> list[str]:
    """A text in pieces."""
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    return [whole[low:high] for low, high in pairwise(places)]


def read(reading: Reading, state: TextState, parts: list[str]) -> list[Stage]:
    """What pieces do, the end included."""
    stages: list[Stage] = []
    for part in parts:
        stages += text.advance(reading, state, part, 0)
        state = stages[-1].state
    return stages + text.finish(reading, state, 0)


def done(stages: list[Stage]) -> tuple[list[Closed], list[Boundary], list[str]]:
    """All that is of consequence: segments, boundaries, and text between checkpoints."""
    return (
        [one for stage in stages for one in stage.closed],
        [one for stage in stages for one in stage.boundaries],
        [stage.passed for stage in stages if stage.passed is not None],
    )


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(READINGS), LONG, st.lists(st.integers(0, 3_000), max_size=12))
def test_any_chunking_gives_the_same_segments(
    reading: Reading, whole: str, cuts: list[int]
) -> None:
    """Segments with their tokens and text, boundaries and checkpoints."""
    expected = done(read(reading, begun(), [whole]))
    assert done(read(reading, begun(), pieces(whole, cuts))) == expected
    assert done(read(reading, begun(), list(whole))) == expected
    segments = expected[0]
    assert segments[-1].high is None
    assert [one.high for one in segments[:-1]] == [one.low for one in segments[1:]]
    for one in segments:
        assert whole[one.offset :].startswith(one.text)


@settings(deadline=None, max_examples=50)
@given(LONG, st.integers(0, 40), st.lists(st.integers(0, 3_000), max_size=5))
def test_reading_goes_on_from_a_checkpoint(whole: str, number: int, cuts: list[int]) -> None:
    """To the same effect as without a break; the texts between checkpoints make up the whole."""
    reading = READINGS[0]
    stages = read(reading, begun(), pieces(whole, cuts))
    marked = [at for at, stage in enumerate(stages) if stage.passed is not None]
    if not marked:
        return
    at = marked[number % len(marked)]
    state = stages[at].state
    again = read(reading, state, [whole[state.checkpoint :]])
    assert done(again) == done(stages[at + 1 :])
    passed = "".join(stage.passed or "" for stage in stages[: at + 1])
    assert passed == whole[: state.checkpoint]
    for stage in stages[:-1]:
        assert stage.state.tip == whole[stage.state.checkpoint : stage.state.length]


@settings(deadline=None, max_examples=100)
@given(LONG, st.integers(0, 40), st.text(max_size=2) | st.sampled_from(["s", " 4", "\u0301"]))
def test_checkpoint_stands_if_what_follows_is_edited(whole: str, number: int, new: str) -> None:
    """From a few code points after it on, whatever comes there then."""
    reading = READINGS[0]
    stages = text.advance(reading, begun(), whole, 0)
    marked = [stage.state for stage in stages if stage.passed is not None]
    if not marked:
        return
    state = marked[number % len(marked)]
    start = min(len(whole), state.checkpoint + growing.AHEAD)
    edited = whole[:start] + new + whole[start + len(new) :]
    fresh = read(reading, begun(), [edited])
    at = next(n for n, stage in enumerate(fresh) if stage.state.checkpoint == state.checkpoint)
    assert fresh[at].state == state
    assert done(read(reading, state, [edited[state.checkpoint :]])) == done(fresh[at + 1 :])


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40))
def test_text_without_tokens_is_let_go(times: int) -> None:
    """Code points that the reader does not see make no tokens, and still don't pile up."""
    state = begun()
    for _ in range(times):
        state = text.advance(READINGS[0], state, "\u200b" * 1_000, 0)[-1].state
        assert len(state.text) <= text.MOST_TEXT
        assert len(state.tip) <= text.MOST_TEXT + growing.LONGEST
