"""Attention over caches that lie where they lie, beside NumPy's; half precision, beside NumPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from operators.compiled import kernel
from operators.hierarchy.attention import Batch, Scratch, attend
from operators.hierarchy.cache import CacheShape, SegmentCache
from operators.hierarchy.numbers_in_memory import halved, widen

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADS, SEGMENT = 3, 192


@kernel
def _widen(bits: Any, out: Any) -> None:
    widen(bits.ctypes.data, len(bits), bits[0], 0, out.ctypes.data)


@kernel
def _halve(numbers: Any, out: Any) -> None:
    for number in range(len(numbers)):
        out[number] = halved(numbers[number])


def test_every_half_precision_number_is_read_as_it_is() -> None:
    """All finite ones, both zeros and the smallest included."""
    bits = np.arange(2**16, dtype=np.uint16)
    wanted = bits.view(np.float16).astype(np.float32)
    found = np.zeros(len(bits), np.float32)
    _widen(bits, found)
    finite = np.isfinite(wanted)
    assert finite.sum() == 2**16 - 2**11
    assert np.array_equal(found[finite].view(np.uint32), wanted[finite].view(np.uint32))


def test_floats_are_rounded_as_numpy_rounds_them() -> None:
    """To the nearest, of two to the even one: between all neighbours, beside them, and beyond."""
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = (halves[:-1] + halves[1:]) / 2
    rng = np.random.default_rng(3)
    drawn = (rng.standard_normal(100_000) * 10.0 ** rng.integers(-9, 5, 100_000)).astype(np.float32)
    numbers = np.concatenate(
        (halves, middles, np.nextafter(middles, 0), np.nextafter(middles, np.inf), drawn,
         [65504, 65519.99, 65520, 1e9, np.inf])
    )  # fmt: skip
    numbers = np.concatenate((numbers, -numbers)).astype(np.float32)
    found = np.zeros(len(numbers), np.uint16)
    _halve(numbers, found)
    with np.errstate(over="ignore"):
        assert np.array_equal(found, numbers.astype(np.float16).view(np.uint16))


def turns_of(head: int) -> NDArray[np.float32]:
    """Cosines and sines of places."""
    angles = np.outer(np.arange(SEGMENT), 0.5 ** np.arange(head // 2))
    return np.stack((np.cos(angles), np.sin(angles))).astype(np.float32)


def turned(rows: NDArray[Any], turns: NDArray[Any]) -> NDArray[Any]:
    """Rows [tokens, heads, head] turned by their places."""
    left, right = np.split(rows, 2, -1)
    cos, sin = turns[0][:, None], turns[1][:, None]
    return np.concatenate((left * cos - right * sin, right * cos + left * sin), -1)


class Streams:
    """Streams of random tokens, and their caches."""

    def __init__(self, lengths: list[int], head: int, *, half: bool) -> None:
        rng = np.random.default_rng(head)
        self.shape = CacheShape(1, HEADS, head, HEADS * head, segment=SEGMENT, half=half)
        self.asked = [rng.standard_normal((n, 3, HEADS, head)).astype(np.float32) for n in lengths]
        blank = np.zeros((1, HEADS * head), np.float32)
        self.caches = [SegmentCache(self.shape, blank, blank[None]) for _ in lengths]
        self.mixed: list[list[NDArray[np.float32]]] = [[] for _ in lengths]
        self.turns = turns_of(head)

    def take(self, counts: list[int]) -> NDArray[np.float32]:
        """So many tokens of each stream at once; what the last token attends to."""
        caches = self.caches
        for cache, new in zip(caches, counts, strict=True):
            cache.reserve(new)
        past = np.array([cache.count for cache in caches])
        places = np.concatenate([np.arange(n) + at for n, at in zip(counts, past, strict=True)])
        parts = zip(self.asked, caches, counts, strict=True)
        asked = np.concatenate([one[c.count : c.count + new] for one, c, new in parts])
        mixed = np.zeros(asked[:, 0].shape, np.float32)
        weights = np.zeros((1, SEGMENT), np.float32)
        watched = np.full(len(asked), -1)
        watched[-1] = 0
        keys = np.array([cache.keys.ctypes.data for cache in caches])
        values = np.array([cache.values.ctypes.data for cache in caches])
        first = np.cumsum([0, *counts])
        rooms = np.array([cache.room for cache in caches])
        like = np.uint16(0) if self.shape.half else np.float32(0)
        turns = np.ascontiguousarray(self.turns[:, places])
        batch = Batch(asked, turns, first, past, rooms, keys, values, like)
        attend(batch, Scratch.of(SEGMENT, self.shape.head), watched, weights, mixed)
        for number, (cache, new) in enumerate(zip(caches, counts, strict=True)):
            self.mixed[number].append(mixed[first[number] : first[number + 1]])
            cache.count += new
        seen: NDArray[np.float32] = weights[0]
        return seen

    def wanted(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """What a stream's tokens attend to in double precision, and by what weights."""
        asked = self.asked[number]
        turns = self.turns[:, : len(asked)]
        query, key = turned(asked[:, 0], turns), turned(asked[:, 1], turns)
        kind = np.float16 if self.shape.half else np.float32
        key, value = (one.astype(kind).astype(np.float64) for one in (key, asked[:, 2]))
        near = np.einsum("ihd,jhd->hij", query / np.sqrt(self.shape.head), key)
        near = np.where(np.tri(len(asked), dtype=bool), near, -np.inf)
        weights = np.exp(near - near.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return np.einsum("hij,jhd->ihd", weights, value), weights.mean(0)


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("head", [16, 64, 80])
def test_attention_is_that_of_the_book(head: int, *, half: bool) -> None:
    """For streams of several lengths in one call, and one token after the other."""
    lengths = [1, 17, 65, 130]
    streams = Streams(lengths, head, half=half)
    weights = streams.take(lengths)
    for number in range(len(lengths)):
        wanted, shares = streams.wanted(number)
        assert np.abs(streams.mixed[number][0] - wanted).max() < 2e-6
    assert np.abs(weights[: lengths[-1]] - shares[-1]).max() < 1e-6
    assert not weights[lengths[-1] :].any()


@pytest.mark.parametrize("half", [True, False])
def test_bits_depend_on_no_call(*, half: bool) -> None:
    """All at once, or in pieces beside other streams: the same results, and the same caches."""
    lengths = [130, 40, 99]
    whole, parts = Streams(lengths, 64, half=half), Streams(lengths, 64, half=half)
    whole.take(lengths)
    left = list(lengths)
    for size in (1, 1, 30, 7, 64, 3, 64):
        counts = [min(size, rest) for rest in left]
        parts.take(counts)
        left = [rest - new for rest, new in zip(left, counts, strict=True)]
    assert not any(left)
    for one, other in zip(whole.mixed, parts.mixed, strict=True):
        assert np.array_equal(np.concatenate(one), np.concatenate(other))
    for cache, same in zip(whole.caches, parts.caches, strict=True):
        assert np.array_equal(cache.keys[..., : cache.count], same.keys[..., : cache.count])
        assert np.array_equal(cache.values[:, :, : cache.count], same.values[:, :, : cache.count])
