"""Causal attention of new tokens over the caches of many streams, each where it lies.

A graph that takes caches as inputs has them copied together, widened to floats and scattered into
before it attends: for 16 streams of 384 tokens that was 29 of a call's 39 ms. Here every cache is
read once, in place, half precision and all; what is left is the memory's own rate.

A token's numbers are summed in one order, which depends on how many tokens there are before it and
on nothing else: not on the call it came in, nor on the streams beside it (docs/decisions/0067).
Nothing is contracted or reassociated, so processors agree as well.

    w_j = exp(q·k_j - max) ;  o = Σ w_j v_j / Σ w_j         j = 0 … the token itself

Keys lie transposed, [heads, head, room], so that a query's products with all of them are sums of
rows; values as [heads, room, head]. Rooms are multiples of 16 tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.compiled import inlined, kernel
from operators.hierarchy.numbers_in_memory import (
    LANES,
    as_float,
    bytes_of,
    fused,
    halved,
    put,
    sum_of_rows_16,
    sum_of_rows_64,
    widen,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDE: Final = 64
_F: Final = np.float32
_FAR: Final = _F(-1e30)
_HALF_BYTES: Final = 2


class Batch(NamedTuple):
    """New tokens of some streams, stream by stream.

    Attributes:
        asked: queries, keys and values, float32 [tokens, 3, heads, head], neither turned nor
            scaled.
        turns: cosines and sines of the tokens' places, float32 [2, tokens, head / 2].
        first: number of the first token of each stream, and how many there are, int64 [streams+1].
        past: tokens that each cache has, int64 [streams].
        rooms: tokens that each cache has room for, int64 [streams].
        keys: where the layer's keys of each cache lie in memory, int64 [streams].
        values: the same of the values.
        like: a number as caches have them: float32, or uint16 for the bits of half precision.
    """

    asked: NDArray[np.float32]
    turns: NDArray[np.float32]
    first: NDArray[np.int64]
    past: NDArray[np.int64]
    rooms: NDArray[np.int64]
    keys: NDArray[np.int64]
    values: NDArray[np.int64]
    like: Any


class Scratch(NamedTuple):
    """Space of one thread.

    Attributes:
        weights: float32 [segment], for one token.
        lanes: float32 [LANES].
        wide: float32 [2 segment head], for keys and values of a head.
        turned: float32 [head], for one query or key.
    """

    weights: NDArray[np.float32]
    lanes: NDArray[np.float32]
    wide: NDArray[np.float32]
    turned: NDArray[np.float32]

    @staticmethod
    def of(segment: int, head: int) -> Scratch:
        """Space for segments of so many tokens, a multiple of 16, and heads of that width."""
        sizes = segment, LANES, 2 * segment * head, head
        return Scratch(*(np.zeros(size, np.float32) for size in sizes))


@inlined
def _exp(x: Any) -> Any:
    """E to a power of at most 0, to 2 units in the last place (S. L. Moshier, Cephes)."""
    x = max(x, _F(-87.0))
    whole = _F(np.floor(x * _F(1.44269504088896341) + _F(0.5)))
    rest = (x - whole * _F(0.693359375)) - whole * _F(-2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = fused(p, rest, _F(1.3981999507e-3))
    p = fused(p, rest, _F(8.3334519073e-3))
    p = fused(p, rest, _F(4.1665795894e-2))
    p = fused(p, rest, _F(1.6666665459e-1))
    p = fused(p, rest, _F(5.0000001201e-1))
    p = (p * (rest * rest) + rest) + _F(1.0)
    return p * as_float(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23))


@inlined
def _padded(count: int) -> int:
    return (count + LANES - 1) // LANES * LANES


@inlined
def _turn(row: Any, turns: Any, token: int, scale: Any, out: Any) -> None:
    """Turn the halves of a head's vector by its place."""
    half = row.shape[0] // 2
    for d in range(half):
        cos, sin = turns[0, token, d], turns[1, token, d]
        out[d] = (row[d] * cos - row[half + d] * sin) * scale
        out[half + d] = (row[half + d] * cos + row[d] * sin) * scale


@inlined
def _take(batch: Batch, stream: int, turned: Any) -> None:
    """Put keys and values of a stream's new tokens into its cache."""
    asked, room, past = batch.asked, batch.rooms[stream], batch.past[stream]
    keys, values, low = batch.keys[stream], batch.values[stream], batch.first[stream]
    heads, head = asked.shape[2], asked.shape[3]
    for token in range(low, batch.first[stream + 1]):
        place = past + token - low
        for h in range(heads):
            _turn(asked[token, 1, h], batch.turns, token, _F(1.0), turned)
            for d in range(head):
                key, value = (h * head + d) * room + place, (h * room + place) * head + d
                if bytes_of(batch.like) == _HALF_BYTES:
                    put(keys, key, halved(turned[d]))
                    put(values, value, halved(asked[token, 2, h, d]))
                else:
                    put(keys, key, turned[d])
                    put(values, value, asked[token, 2, h, d])


@inlined
def _weigh(query: Any, keys: Any, seen: int, scratch: Scratch) -> Any:
    """Weights of the first tokens, not normalised, and their sum; 0 beyond."""
    weights, lanes, known = scratch.weights, scratch.lanes, _padded(seen)
    _sums(query, keys, query.shape[0], known, weights)
    most = weights[0]
    for j in range(seen):
        most = max(most, weights[j])
    for j in range(seen, known):
        weights[j] = _FAR
    for j in range(known):
        weights[j] = _exp(weights[j] - most)
    for j in range(seen, known):
        weights[j] = _F(0.0)
    for lane in range(LANES):
        lanes[lane] = _F(0.0)
    for j in range(0, known, LANES):
        for lane in range(LANES):
            lanes[lane] += weights[j + lane]
    total = _F(0.0)
    for lane in range(LANES):
        total += lanes[lane]
    return total


@inlined
def _sums(weights: Any, rows: Any, count: int, width: int, out: Any) -> None:
    """Sum up rows of a matrix by weight, so many columns of them, a multiple of 16."""
    at, stride = rows.ctypes.data, rows.shape[1]
    column = 0
    while column + _WIDE <= width:
        sum_of_rows_64(
            weights.ctypes.data, at + 4 * column, count, stride, out.ctypes.data + 4 * column
        )
        column += _WIDE
    while column < width:
        sum_of_rows_16(
            weights.ctypes.data, at + 4 * column, count, stride, out.ctypes.data + 4 * column
        )
        column += LANES


@kernel
def attend(
    batch: Batch,
    scratch: Scratch,
    watched: NDArray[np.int64],
    weights: NDArray[np.float32],
    mixed: NDArray[np.float32],
) -> None:
    """Put new tokens into one layer's caches, and let them attend.

    Args:
        batch: the tokens.
        scratch: space of this thread.
        watched: for each token, the row of what it attends to; -1: it is not wanted.
        weights: to these rows what tokens attend to is added, the mean of the heads, float32
            [rows, tokens of a segment].
        mixed: the result, float32 [tokens, heads, head].

    Complexity: tokens by tokens before them by width; memory is read once a stream.
    """
    asked, like = batch.asked, batch.like
    heads, head = asked.shape[2], asked.shape[3]
    scale, size = _F(1.0) / np.sqrt(_F(head)), bytes_of(like)
    for stream in range(len(batch.past)):
        low, high = batch.first[stream], batch.first[stream + 1]
        past, room = batch.past[stream], batch.rooms[stream]
        _take(batch, stream, scratch.turned)
        known = _padded(past + high - low)
        every_key = scratch.wide[: head * known].reshape(head, known)
        every_value = scratch.wide[head * known : 2 * head * known].reshape(known, head)
        for h in range(heads):
            skipped = h * head * room * size
            ahead = head * room * size
            for d in range(head):
                row = batch.keys[stream] + skipped + d * room * size
                widen(row, known, like, ahead, every_key[d].ctypes.data)
            widen(
                batch.values[stream] + skipped, known * head, like, ahead, every_value.ctypes.data
            )
            for token in range(low, high):
                seen = past + token - low + 1
                _turn(asked[token, 0, h], batch.turns, token, scale, scratch.turned)
                total = _weigh(scratch.turned, every_key, seen, scratch)
                out = mixed[token, h]
                _sums(scratch.weights, every_value, seen, head, out)
                for d in range(head):
                    out[d] /= total
                wanted = watched[token]
                if wanted >= 0:
                    for j in range(seen):
                        weights[wanted, j] += scratch.weights[j] / (total * _F(heads))
