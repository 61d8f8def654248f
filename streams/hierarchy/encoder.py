"""ONNX Runtime on the causal graphs with caches: the new tokens of many streams at a time.

What a token gives does not depend on the calls that it and those before it came in, nor on the
streams that shared them: in eight bits to the bit, on one machine (docs/decisions/0052).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.errors import InvalidInput
from operators.hierarchy.cache import GRANULE, CacheShape, SegmentCache
from operators.hierarchy.calls import NEW, WATCHED, call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.dlp.inference import Engine

ROWS: Final = 16
"""Most streams of one call."""
_DOUBLE: Final = NEW[-1]
_HALF: Final = "tensor(float16)"


class Encoded(NamedTuple):
    """What new tokens of one stream gave; float32.

    Attributes:
        spans: tag logits, [tokens, 21].
        hidden: last representations, [tokens, width].
    """

    spans: NDArray[np.float32]
    hidden: NDArray[np.float32]


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
    spans: list[NDArray[np.float32]]
    hidden: list[NDArray[np.float32]]


class StepEngine:
    """The causal graphs of one model. Safe to call from several threads on different caches.

    Args:
        engine: that runs the model's graphs.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = threading.local()

    @cached_property
    def shape(self) -> CacheShape:
        """Sizes of the caches."""
        inputs = {one.name: one for one in self._engine.session("step-1.onnx").get_inputs()}
        keys = [one for name, one in inputs.items() if name.startswith("keys.")]
        _, heads, _, head = keys[0].shape
        return CacheShape(
            len(keys), heads, head, inputs["drive"].shape[3], half=keys[0].type == _HALF
        )

    def begin(self, state: NDArray[np.float32] | None = None) -> SegmentCache:
        """An empty segment.

        Args:
            state: slow state before it, [blocks, width]; that of a new stream by default.
        """
        before = self._engine.start(None) if state is None else state
        return SegmentCache(self.shape, before, self._drives(before[None])[0])

    def encode(self, waiting: Sequence[tuple[SegmentCache, NDArray[np.int64]]]) -> list[Encoded]:
        """Encode new tokens; the caches take them in.

        Args:
            waiting: caches, each but once, and the ids of their new tokens.

        Raises:
            InvalidInput: a segment has no room for its tokens.
        """
        streams = [_Waiting(cache, ids, [], []) for cache, ids in waiting]
        for one in streams:
            if len(one.ids) > one.cache.left:
                raise InvalidInput(
                    f"{len(one.ids)} tokens for a segment of {one.cache.shape.segment} that has "
                    f"{one.cache.count}: flush it first"
                )
        while left := [one for one in streams if len(one.ids)]:
            calls: dict[int, list[tuple[_Waiting, int]]] = {}
            for one in left:
                size, taken = call(one.cache.filled, len(one.ids), self.shape.chunk)
                calls.setdefault(size, []).append((one, taken))
            for size, group in calls.items():
                group.sort(key=lambda pair: pair[0].cache.count)
                for start in range(0, len(group), ROWS):
                    self._call(size, group[start : start + ROWS])
        return [self._encoded(one) for one in streams]

    def watch(
        self, cache: SegmentCache, ids: NDArray[np.int64], rows: Sequence[int]
    ) -> tuple[Encoded, list[NDArray[np.float32]]]:
        """Encode new tokens of one stream, and say what some of them attend to.

        The same bits as `encode` gives; calls that those tokens are in take at most 32.

        Args:
            cache: takes the tokens in.
            ids: of the tokens.
            rows: numbers of some of them, from 0, in order.

        Returns:
            What they gave, and how much each of those attends to each token of its segment up to
            itself, by layer, the mean of the heads: [layers, tokens].

        Raises:
            InvalidInput: the segment has no room for them.
        """
        if len(ids) > cache.left:
            raise InvalidInput(f"{len(ids)} tokens for a segment with room for {cache.left}")
        one, done, left = _Waiting(cache, ids, [], []), 0, deque(rows)
        weights: list[NDArray[np.float32]] = []
        while len(one.ids):
            taken = min(len(one.ids), WATCHED, self.shape.chunk - cache.filled)
            if not left or left[0] >= done + taken:
                until = (left[0] if left else len(ids)) - done
                size, taken = call(cache.filled, until, self.shape.chunk)
                self._call(size, [(one, taken)])
                done += taken
                continue
            before = cache.count
            attention = self._call(WATCHED, [(one, taken)], watched=True)[-1][0]
            while left and left[0] < done + taken:
                row = left.popleft() - done
                weights.append(attention[:, row, : before + row + 1].copy())
            done += taken
        return self._encoded(one), weights

    def read(self, caches: Sequence[SegmentCache]) -> list[Reading]:
        """Scores, memory and slow state as of the last token of each segment, one at least each."""
        found = self._read(caches, [bool(cache.filled) for cache in caches])
        return [Reading(*values) for values in zip(*found, strict=True)]

    def warm(self) -> None:
        """Load every graph and run it once."""
        for size in NEW:
            self.encode([(self.begin(), np.full(size, 3, np.int64))])

    def _encoded(self, one: _Waiting) -> Encoded:
        empty = np.zeros((0, 0), np.float32)
        return Encoded(
            np.concatenate(one.spans) if one.spans else empty,
            np.concatenate(one.hidden) if one.hidden else empty,
        )

    def _call(
        self, size: int, group: list[tuple[_Waiting, int]], *, watched: bool = False
    ) -> list[NDArray[np.float32]]:
        """One call; gives its further outputs."""
        caches = [one.cache for one, _ in group]
        for cache in caches:
            cache.reserve(max(size, 2))
        ids = np.zeros((len(group), size), np.int64)
        for row, (one, taken) in enumerate(group):
            ids[row, :taken] = one.ids[:taken]
            one.ids = one.ids[taken:]
        feed: dict[str, Any] = {
            "ids": ids,
            "past": np.array([cache.count for cache in caches], np.int64),
            "drive": np.stack([cache.drive for cache in caches]),
            **self._kept(caches),
        }
        if size == _DOUBLE:
            feed["state"] = np.stack([cache.state for cache in caches])
        name = f"{'watched' if watched else 'step'}-{size}.onnx"
        more: list[NDArray[np.float32]]
        spans, hidden, lower, made, *more = self._engine.session(name).run(None, feed)
        ended, turned = [], []
        for row, (one, taken) in enumerate(group):
            one.spans.append(spans[row, :taken])
            one.hidden.append(hidden[row, :taken])
            done = 0
            if size == _DOUBLE and taken > (chunk := self.shape.chunk):
                one.cache.take(made[row, :, :, :, :chunk], lower[row, :chunk], hidden[row, :chunk])
                one.cache.advance(more[0][row], one.cache.drive)
                done = chunk
                turned.append(one.cache)
            part = slice(done, taken)
            one.cache.take(made[row, :, :, :, part], lower[row, part], hidden[row, part])
            if not one.cache.filled:
                ended.append(one.cache)
        self._advance(ended, turned)
        return more

    def _advance(self, ended: list[SegmentCache], turned: list[SegmentCache]) -> None:
        """Take the slow tier on where chunks have ended, and work out what it drives."""
        if ended:
            _, _, states = self._read(ended, [True] * len(ended))
            for cache, state in zip(ended, states, strict=True):
                cache.advance(state, cache.drive)
        new = [*ended, *(cache for cache in turned if cache.filled)]
        if new:
            drives = self._drives(np.stack([cache.state for cache in new]))
            for cache, drive in zip(new, drives, strict=True):
                cache.advance(cache.state, drive)

    def _kept(self, caches: list[SegmentCache]) -> dict[str, NDArray[np.floating]]:
        """Keys and values by layer; those of a stream alone are not copied."""
        names = [
            (layer, kind, f"{name}.{layer}")
            for layer in range(self.shape.layers)
            for kind, name in enumerate(("keys", "values"))
        ]
        if len(caches) == 1:
            kept = caches[0].kept
            return {name: kept[layer, kind][None] for layer, kind, name in names}
        room = max(cache.kept.shape[3] for cache in caches)
        every = self._together(len(caches), room)
        for row, cache in enumerate(caches):
            every[:, :, row, :, : cache.count] = cache.kept[:, :, :, : cache.count]
            every[:, :, row, :, cache.count :] = 0
        return {name: every[layer, kind] for layer, kind, name in names}

    def _together(self, rows: int, room: int) -> NDArray[np.floating]:
        """A thread's own array to put caches together in; fresh pages would cost more than that."""
        shape = self.shape
        if not hasattr(self._local, "space"):
            tokens = shape.segment + GRANULE  # padding of the last call may go beyond the segment
            most = shape.layers * 2 * ROWS * shape.heads * tokens * shape.head
            self._local.space = np.empty(most, np.float16 if shape.half else np.float32)
        dims = (shape.layers, 2, rows, shape.heads, room, shape.head)
        space: NDArray[np.floating] = self._local.space[: np.prod(dims)].reshape(dims)
        return space

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


def _paired(rows: NDArray[Any]) -> NDArray[Any]:
    """At least two rows: one alone takes other kernels, whose sums differ in the last bits."""
    return rows if len(rows) > 1 else np.concatenate((rows, rows))
