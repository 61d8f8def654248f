"""Waiting tokens are cut so that the slow tier advances between calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import InvalidInput
from operators.hierarchy.cache import CacheShape, SegmentCache
from operators.hierarchy.calls import NEW, call

SHAPE = CacheShape(layers=1, heads=1, head=2, width=3, chunk=4, segment=16)


@given(st.integers(0, 63), st.integers(1, 600))
def test_calls_end_with_chunks(filled: int, waiting: int) -> None:
    """Each takes something, fits its size, and stays in a chunk unless it is the largest."""
    size, taken = call(filled, waiting, 64)
    assert size in NEW
    assert 0 < taken <= min(size, waiting)
    if size == NEW[-1]:
        assert filled == 0
        assert taken > 64
    else:
        assert filled + taken <= 64


@pytest.mark.parametrize(
    ("filled", "waiting", "wanted"),
    [(0, 1, (1, 1)), (5, 2, (8, 2)), (60, 9, (8, 4)), (0, 64, (32, 32)), (0, 65, (128, 65))],
)
def test_calls_are_as_small_as_they_can_be(
    filled: int, waiting: int, wanted: tuple[int, int]
) -> None:
    """Padding costs time."""
    assert call(filled, waiting, 64) == wanted


def rows(first: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Representations that tell which token they are of."""
    return np.arange(3 * first, 3 * (first + count), dtype=np.float32).reshape(count, 3)


@pytest.mark.parametrize("pieces", [[4, 3], [1, 2, 1, 1, 2], [2, 2, 3]])
def test_summaries_are_those_of_all_tokens_together(pieces: list[int]) -> None:
    """Mean, maximum and first of the chunk, mean and maximum of the segment, to the bit."""
    cache = SegmentCache(SHAPE, np.zeros((1, 3), np.float32), np.zeros((1, 2, 3), np.float32))
    done = 0
    for size in pieces:
        made = np.full((1, 2, 1, size, 2), done, np.float16)
        cache.take(made, rows(done, size), -rows(done, size))
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
        cache.take(np.zeros((1, 2, 1, size, 2), np.float16), rows(0, size), rows(0, size))
