"""Waiting tokens are cut so that the slow tier advances between calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import InvalidInput
from operators.hierarchy.cache import CacheShape, SegmentCache
from operators.hierarchy.calls import MOST, call

SHAPE = CacheShape(layers=1, heads=1, head=2, width=3, chunk=4, segment=16)


STREAMS = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 600)), min_size=1, max_size=40)


@given(STREAMS)
def test_calls_end_with_chunks(streams: list[tuple[int, int]]) -> None:
    """Something is taken if anything waits, no more than a call has room for, within chunks."""
    filled, waiting = [done for done, _ in streams], [new for _, new in streams]
    taken = call(filled, waiting, 64)
    assert bool(sum(taken)) == bool(sum(waiting))
    assert sum(taken) <= MOST
    for done, new, some in zip(filled, waiting, taken, strict=True):
        assert some in (0, min(new, 64 - done))


def test_streams_with_little_come_first() -> None:
    """A text that is read anew keeps no single token waiting."""
    taken = call([0, 5, 0, 63], [64, 1, 64, 9], 64)
    assert taken == [64, 1, 0, 1]


def rows(first: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Representations that tell which token they are of."""
    return np.arange(3 * first, 3 * (first + count), dtype=np.float32).reshape(count, 3)


@pytest.mark.parametrize("pieces", [[4, 3], [1, 2, 1, 1, 2], [2, 2, 3]])
def test_summaries_are_those_of_all_tokens_together(pieces: list[int]) -> None:
    """Mean, maximum and first of the chunk, mean and maximum of the segment, to the bit."""
    cache = SegmentCache(SHAPE, np.zeros((1, 3), np.float32), np.zeros((1, 2, 3), np.float32))
    done = 0
    for size in pieces:
        cache.take(rows(done, size), -rows(done, size))
        done += size
    chunk, whole = rows(4, 3), -rows(0, 7)
    wanted = np.concatenate((chunk.mean(0), chunk.max(0), chunk[0]))
    assert np.array_equal(cache.chunk_summary(), wanted)
    assert np.array_equal(cache.segment_summary(), np.concatenate((whole.mean(0), whole.max(0))))


@pytest.mark.parametrize("size", [0, 5])
def test_tokens_beyond_a_chunk_are_refused(size: int) -> None:
    """The slow tier would miss its step."""
    cache = SegmentCache(SHAPE, np.zeros((1, 3), np.float32), np.zeros((1, 2, 3), np.float32))
    with pytest.raises(InvalidInput, match="chunks have 4"):
        cache.take(rows(0, size), rows(0, size))
