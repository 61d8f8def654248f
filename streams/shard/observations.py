"""Observations that wait for their label: features and what the step showed, by name.

Oldest out first: when there are more than the settings allow, and when the first in the row is
older, in event time, than the time to live. An observation whose label has come stays as a name
without content until its turn comes, so that a second label is told from one that never had an
observation. Everything here follows from the events alone, so a re-step gives the same.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.batch import EventBatch
from operators.fusion.kernel_late import KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

NAMES: Final = "memory.names"
SIZES: Final = "memory.sizes"
BLOBS: Final = "memory.blobs"
NEWEST: Final = "memory.newest"
TTL: Final = "ttl"
SIZE: Final = "size"

_HEADER: Final = struct.Struct("<qIIB3x")  # time_us, features, context keys, flags
_WORD: Final = 8
_HAS_KEY: Final = 1
_HAS_QUERY: Final = 2
_HAS_VALUE: Final = 4
_LABELLED: Final = 8


class Waiting(NamedTuple):
    """An observation and what its step showed.

    Attributes:
        batch: the observation as a batch of one, without label.
        kept: float64[KEPT].
    """

    batch: EventBatch
    kept: npt.NDArray[np.float64]


class Observations:
    """The observations of one tenant.

    Args:
        most: so many are kept; 0: none.
        ttl_us: how long one is kept, in microseconds of event time.
        d: length of keys and queries.
        d_v: length of values.

    Attributes:
        dropped: unlabelled observations that had to go since this was last looked at, by cause.
    """

    def __init__(self, most: int, ttl_us: int, d: int, d_v: int) -> None:
        self._most = most
        self._ttl_us = ttl_us
        self._d = d
        self._d_v = d_v
        self._blobs: dict[int, bytes] = {}  # in the order in which they came
        self._newest_us = 0
        self.dropped: Counter[str] = Counter()

    @property
    def wanted(self) -> bool:
        """Whether any are kept at all."""
        return self._most > 0

    def __len__(self) -> int:
        return len(self._blobs)

    def see(self, time_us: int) -> None:
        """Take notice of the time of an event; the newest one is what time to live goes by."""
        self._newest_us = max(self._newest_us, time_us)

    def add(self, name: int, batch: EventBatch, row: int, kept: npt.NDArray[np.float64]) -> None:
        """Keep an observation without label."""
        self._blobs[name] = _encode(batch, row, kept)
        self._evict()

    def take(self, name: int) -> Waiting | bool | None:
        """Hand out the observation that a label is of, and remember that it has come.

        Returns:
            The observation; None where none of this name is kept; True where it has its label.
        """
        blob = self._blobs.get(name)
        if blob is None:
            return None
        time_us, *_, flags = _HEADER.unpack_from(blob)
        if time_us < self._newest_us - self._ttl_us:
            if not flags & _LABELLED:
                self.dropped[TTL] += 1
            del self._blobs[name]
            return None
        if flags & _LABELLED:
            return True
        self._blobs[name] = _HEADER.pack(time_us, 0, 0, _LABELLED)
        return _decode(blob, self._d, self._d_v)

    def _evict(self) -> None:
        while self._blobs:
            name, blob = next(iter(self._blobs.items()))
            time_us, *_, flags = _HEADER.unpack_from(blob)
            if time_us < self._newest_us - self._ttl_us:
                cause = TTL
            elif len(self._blobs) > self._most:
                cause = SIZE
            else:
                return
            if not flags & _LABELLED:
                self.dropped[cause] += 1
            del self._blobs[name]

    def to_state(self) -> dict[str, npt.NDArray[Any]]:
        """All observations as named flat arrays; none where there are none. O(their bytes)."""
        if not self._blobs:
            return {}
        values = list(self._blobs.values())
        return {
            NAMES: np.fromiter(self._blobs, np.uint64, len(values)),
            SIZES: np.fromiter(map(len, values), np.int64, len(values)),
            BLOBS: np.frombuffer(b"".join(values), np.uint8),
            NEWEST: np.array([self._newest_us], np.int64),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what ``to_state`` gave."""
        if NAMES not in arrays:
            return
        data, at = arrays[BLOBS].tobytes(), 0
        for name, size in zip(arrays[NAMES].tolist(), arrays[SIZES].tolist(), strict=True):
            self._blobs[name] = data[at : at + size]
            at += size
        self._newest_us = int(arrays[NEWEST][0])


def joined(waiting: Sequence[Waiting], labels: Sequence[float], times_us: Sequence[int]) -> Any:
    """Make one batch of observations with their labels, and what was kept of each.

    Args:
        waiting: the observations.
        labels: one for each.
        times_us: event time of each label.

    Returns:
        The batch and float64[n, KEPT].
    """
    batches = [one.batch for one in waiting]
    names = EventBatch._fields
    columns = {name: np.concatenate([getattr(b, name) for b in batches]) for name in names}
    columns["indptr"] = _pointers([len(b.ids) for b in batches])
    columns["ctx_indptr"] = _pointers([len(b.ctx_ids) for b in batches])
    columns["label"] = np.array(labels, np.float64)
    columns["has_label"] = np.ones(len(batches), np.uint8)
    columns["time_us"] = np.array(times_us, np.int64)
    return EventBatch(**columns), np.array([one.kept for one in waiting])


def _pointers(lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    pointers = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=pointers[1:])
    return pointers


def _encode(batch: EventBatch, row: int, kept: npt.NDArray[np.float64]) -> bytes:
    lo, hi = batch.indptr[row], batch.indptr[row + 1]
    ctx_lo, ctx_hi = batch.ctx_indptr[row], batch.ctx_indptr[row + 1]
    flags = 0
    vectors = []
    for flag, has, vector in (
        (_HAS_KEY, batch.has_key, batch.key),
        (_HAS_QUERY, batch.has_query, batch.query),
        (_HAS_VALUE, batch.has_value, batch.value),
    ):
        if has[row]:
            flags |= flag
            vectors.append(vector[row].tobytes())
    return b"".join(
        (
            _HEADER.pack(int(batch.time_us[row]), int(hi - lo), int(ctx_hi - ctx_lo), flags),
            batch.ids[lo:hi].tobytes(),
            batch.values[lo:hi].tobytes(),
            batch.ctx_ids[ctx_lo:ctx_hi].tobytes(),
            kept.tobytes(),
            *vectors,
        )
    )


def _decode(blob: bytes, d: int, d_v: int) -> Waiting:
    time_us, features, contexts, flags = _HEADER.unpack_from(blob)
    at = _HEADER.size

    def words(count: int, dtype: Any) -> Any:
        nonlocal at
        found = np.frombuffer(blob, dtype, count, at)
        at += _WORD * count
        return found

    ids, values = words(features, np.uint64), words(features, np.float64)
    ctx_ids, kept = words(contexts, np.uint64), words(KEPT, np.float64)
    vectors: dict[str, Any] = {}
    for flag, name, length in (
        (_HAS_KEY, "key", d),
        (_HAS_QUERY, "query", d),
        (_HAS_VALUE, "value", d_v),
    ):
        there = bool(flags & flag)
        vectors[name] = (words(length, np.float64) if there else np.zeros(length)).reshape(1, -1)
        vectors[f"has_{name}"] = np.array([there], np.uint8)
    batch = EventBatch(
        indptr=_pointers([features]),
        ids=ids,
        values=values,
        time_us=np.array([time_us], np.int64),
        label=np.zeros(1),
        has_label=np.zeros(1, np.uint8),
        ctx_indptr=_pointers([contexts]),
        ctx_ids=ctx_ids,
        **vectors,
    )
    return Waiting(batch, kept)
