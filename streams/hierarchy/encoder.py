"""The causal network with caches: the new tokens of many streams at a time.

ONNX Runtime runs what lies between two attentions, over the tokens of all streams as rows, and
attention reads each stream's cache where it lies. What a token gives does not depend on the calls
that it and those before it came in, nor on the streams that shared them: to the bit, on one
machine (docs/decisions/0052, 0067).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.errors import InvalidInput
from operators.hierarchy.attention import Batch, Scratch, attend
from operators.hierarchy.cache import CacheShape, SegmentCache
from operators.hierarchy.calls import call
from operators.hierarchy.numbers_in_memory import LANES
from streams.dlp.errors import ModelUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.dlp.inference import Engine

_LEAST: Final = 2
"""Rows of one take other kernels, whose sums differ in the last bit, and with that some bytes."""


class Encoded(NamedTuple):
    """What new tokens of one stream gave; float32.

    Attributes:
        spans: tag logits, [tokens, 21].
        hidden: last representations, [tokens, width].
        attention: of tokens of which it was wanted, in order, to each token of the segment up to
            themselves, by layer, the mean of the heads: [layers, tokens].
    """

    spans: NDArray[np.float32]
    hidden: NDArray[np.float32]
    attention: Sequence[NDArray[np.float32]] = ()


class Reading(NamedTuple):
    """What a segment says as far as it has come; float32.

    Attributes:
        scores: document logits, [4].
        memory: [256].
        state: slow state after the chunk last begun, as if it had ended here, [blocks, width].
    """

    scores: NDArray[np.float32]
    memory: NDArray[np.float32]
    state: NDArray[np.float32]


@dataclass(slots=True)
class _Waiting:
    cache: SegmentCache
    ids: NDArray[np.int64]
    wanted: deque[int]
    done: int = 0
    spans: list[NDArray[np.float32]] = field(default_factory=list)
    hidden: list[NDArray[np.float32]] = field(default_factory=list)
    attention: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.ids) - self.done


class StepEngine:
    """The causal network of one model. Safe to call from several threads on different caches.

    Args:
        engine: that runs the model's graphs.
        half: whether keys and values are kept in half precision; in float they take twice the room.
    """

    def __init__(self, engine: Engine, *, half: bool = True) -> None:
        self._engine = engine
        self._half = half
        self._local = threading.local()

    @cached_property
    def shape(self) -> CacheShape:
        """Sizes of the caches."""
        _, upper, _, width = self._engine.session("drive.onnx").get_outputs()[0].shape
        one = np.zeros((1, _LEAST), np.int64)
        [turns] = self._engine.session("layer-0.onnx").run(["turns"], {"ids": one, "places": one})
        head = 2 * turns.shape[2]
        if head % LANES:
            raise ModelUnusable(f"heads of {head} numbers: attention takes multiples of {LANES}")
        return CacheShape(2 * upper, width // head, head, width, half=self._half)

    @cached_property
    def _layers(self) -> list[Any]:
        """What runs between attentions, in order."""
        numbers = range(self.shape.layers + 1)
        return [self._engine.session(f"layer-{number}.onnx") for number in numbers]

    def begin(self, state: NDArray[np.float32] | None = None) -> SegmentCache:
        """An empty segment.

        Args:
            state: slow state before it, [blocks, width]; that of a new stream by default.
        """
        before = self._engine.start(None) if state is None else state
        return SegmentCache(self.shape, before, self._drives(before[None])[0])

    def encode(
        self,
        waiting: Sequence[tuple[SegmentCache, NDArray[np.int64]]],
        wanted: Sequence[Sequence[int]] | None = None,
    ) -> list[Encoded]:
        """Encode new tokens; the caches take them in.

        Args:
            waiting: caches, each but once, and the ids of their new tokens.
            wanted: of each of them, tokens whose attention is wanted, from 0, in order; None: of
                none. It changes no bit.

        Raises:
            InvalidInput: a segment has no room for its tokens.
        """
        rows = wanted or [()] * len(waiting)
        pairs = zip(waiting, rows, strict=True)
        streams = [_Waiting(cache, ids, deque(some)) for (cache, ids), some in pairs]
        for one in streams:
            if len(one.ids) > one.cache.left:
                raise InvalidInput(
                    f"{len(one.ids)} tokens for a segment of {one.cache.shape.segment} that has "
                    f"{one.cache.count}: flush it first"
                )
        while left := [one for one in streams if one.left]:
            taken = call(
                [one.cache.filled for one in left], [one.left for one in left], self.shape.chunk
            )
            self._call([(one, new) for one, new in zip(left, taken, strict=True) if new])
        return [_encoded(one) for one in streams]

    def read(self, caches: Sequence[SegmentCache]) -> list[Reading]:
        """Scores, memory and slow state as of the last token of each segment, one at least each."""
        found = self._read(caches, [bool(cache.filled) for cache in caches])
        return [Reading(*values) for values in zip(*found, strict=True)]

    def warm(self) -> None:
        """Load every graph and run it once."""
        self.encode([(self.begin(), np.full(_LEAST, 3, np.int64))])

    def _call(self, group: list[tuple[_Waiting, int]]) -> None:
        """One call: streams, and how many of their waiting tokens are taken."""
        caches = [one.cache for one, _ in group]
        for cache, (_, taken) in zip(caches, group, strict=True):
            cache.reserve(taken)
        ids, places, streams = self._rows(group)
        first, *layers, last = self._layers
        hidden, entry, asked, turns = first.run(None, {"ids": ids[None], "places": places[None]})
        attention = _Attention(self, group, turns)
        drives = np.ascontiguousarray(np.stack([cache.drive for cache in caches], 1))
        lowest = self.shape.layers - len(drives)
        lower = hidden
        for number, layer in enumerate(layers, 1):
            feed = {"mixed": attention(number - 1, asked), "before": hidden}
            if number >= lowest:
                feed |= {"input": entry, "drive": drives[number - lowest], "streams": streams}
            hidden, asked, *more = layer.run(None, feed)
            lower = more[0] if more else lower
        mixed = attention(self.shape.layers - 1, asked)
        spans, hidden = last.run(None, {"mixed": mixed, "before": hidden})
        attention.tell()
        self._take(group, spans[0], hidden[0], lower[0])

    def _rows(self, group: list[tuple[_Waiting, int]]) -> tuple[NDArray[np.int64], ...]:
        """Ids, places and streams of all tokens of a call."""
        counts = [taken for _, taken in group]
        ids = np.concatenate([one.ids[one.done : one.done + taken] for one, taken in group])
        spans = [(one.cache.count, one.cache.count + taken) for one, taken in group]
        places = np.concatenate([np.arange(*span) for span in spans])
        rows = ids, places, np.repeat(np.arange(len(group)), counts)
        if len(ids) < _LEAST:
            return tuple(np.repeat(row, _LEAST) for row in rows)
        return rows

    def _take(
        self,
        group: list[tuple[_Waiting, int]],
        spans: NDArray[np.float32],
        hidden: NDArray[np.float32],
        lower: NDArray[np.float32],
    ) -> None:
        """Hand out what a call gave; the slow tier goes on where chunks have ended."""
        ended, done = [], 0
        for one, taken in group:
            rows = slice(done, done + taken)
            one.done += taken
            one.spans.append(spans[rows])
            one.hidden.append(hidden[rows])
            one.cache.take(lower[rows], hidden[rows])
            if not one.cache.filled:
                ended.append(one.cache)
            done += taken
        if ended:
            _, _, states = self._read(ended, [True] * len(ended))
            for cache, state, drive in zip(ended, states, self._drives(states), strict=True):
                cache.advance(state, drive)

    @property
    def scratch(self) -> Scratch:
        """This thread's space for attention."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch.of(self.shape.segment, self.shape.head)
        scratch: Scratch = self._local.scratch
        return scratch

    def _read(
        self, caches: Sequence[SegmentCache], advances: list[bool]
    ) -> tuple[NDArray[np.float32], ...]:
        feed = {
            "chunk": _paired(np.stack([cache.chunk_summary() for cache in caches])),
            "state": _paired(np.stack([cache.state for cache in caches])),
            "advances": _paired(np.array(advances)),
            "segment": _paired(np.stack([cache.segment_summary() for cache in caches])),
        }
        found = self._engine.session("read.onnx").run(None, feed)
        return tuple(one[: len(caches)] for one in found)

    def _drives(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._engine.session("drive.onnx").run(
            None, {"state": _paired(states)}
        )[0]
        return found[: len(states)]


class _Attention:
    """Attention of one call, layer by layer.

    Args:
        engine: whose scratch is used.
        group: streams, with room for their new tokens, and how many they are.
        turns: cosines and sines of their places, [2, tokens, head / 2].
    """

    def __init__(
        self, engine: StepEngine, group: list[tuple[_Waiting, int]], turns: NDArray[np.float32]
    ) -> None:
        caches = [one.cache for one, _ in group]
        self._scratch = engine.scratch
        self._like = np.uint16(0) if engine.shape.half else np.float32(0)
        self._turns = turns
        self._heads = engine.shape.heads, engine.shape.head
        self._first = np.cumsum([0, *(taken for _, taken in group)])
        self._past = np.array([cache.count for cache in caches])
        self._rooms = np.array([cache.room for cache in caches])
        self._keys = np.array([_address(cache.keys) for cache in caches])
        self._values = np.array([_address(cache.values) for cache in caches])
        self._strides = np.array([cache.keys.strides[0] for cache in caches])
        self._watched = np.full(self._first[-1], -1)
        self._wanted: list[tuple[_Waiting, int]] = []
        for (one, taken), first in zip(group, self._first[:-1].tolist(), strict=True):
            while one.wanted and one.wanted[0] < one.done + taken:
                row = one.wanted.popleft() - one.done
                self._watched[first + row] = len(self._wanted)
                self._wanted.append((one, one.cache.count + row + 1))
        sizes = max(1, len(self._wanted)), engine.shape.segment
        self._weights = np.zeros((engine.shape.layers, *sizes), np.float32)

    def __call__(self, layer: int, asked: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the tokens attend to, [1, tokens, width]; their keys and values are kept."""
        tokens = asked.shape[1]
        mixed = np.zeros((tokens, *self._heads), np.float32)
        at = layer * self._strides
        batch = Batch(
            asked.reshape(tokens, 3, *self._heads),
            self._turns,
            self._first,
            self._past,
            self._rooms,
            self._keys + at,
            self._values + at,
            self._like,
        )
        attend(batch, self._scratch, self._watched, self._weights[layer], mixed)
        return mixed.reshape(1, tokens, -1)

    def tell(self) -> None:
        """Give the streams what their tokens attended to."""
        for row, (one, seen) in enumerate(self._wanted):
            one.attention.append(self._weights[:, row, :seen].copy())


def _encoded(one: _Waiting) -> Encoded:
    empty = np.zeros((0, 0), np.float32)
    return Encoded(
        np.concatenate(one.spans) if one.spans else empty,
        np.concatenate(one.hidden) if one.hidden else empty,
        one.attention,
    )


def _address(array: NDArray[Any]) -> int:
    """Where an array lies in memory; its owner keeps it alive."""
    address: int = array.__array_interface__["data"][0]
    return address


def _paired(rows: NDArray[Any]) -> NDArray[Any]:
    """At least two rows: one alone takes other kernels, whose sums differ in the last bits."""
    return rows if len(rows) > 1 else np.concatenate((rows, rows))
