"""Events as columns: the form in which operators take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class EventBatch(NamedTuple):
    """``n`` events of one tenant in one shard, in log order.

    All arrays are C-contiguous. Features and context keys are stored as compressed sparse rows:
    event ``i`` owns ``ids[indptr[i]:indptr[i + 1]]``. Nothing is checked here; operators say what
    they refuse.

    Attributes:
        indptr: int64[n+1], offsets into ``ids`` and ``values``; ``indptr[0] == 0``.
        ids: uint64[nnz], hashed feature ids; an event may repeat an id.
        values: float64[nnz], feature values.
        time_us: int64[n], event time in microseconds since the epoch, UTC.
        label: float64[n]; meaningless where ``has_label`` is 0.
        has_label: uint8[n], 0 or 1.
        key: float64[n, d]; meaningless where ``has_key`` is 0.
        has_key: uint8[n].
        query: float64[n, d]; meaningless where ``has_query`` is 0.
        has_query: uint8[n].
        value: float64[n, dv]; meaningless where ``has_value`` is 0.
        has_value: uint8[n].
        ctx_indptr: int64[n+1], offsets into ``ctx_ids``; ``ctx_indptr[0] == 0``.
        ctx_ids: uint64[nctx], hashed ``name=value`` context keys.
    """

    indptr: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float64]
    time_us: npt.NDArray[np.int64]
    label: npt.NDArray[np.float64]
    has_label: npt.NDArray[np.uint8]
    key: npt.NDArray[np.float64]
    has_key: npt.NDArray[np.uint8]
    query: npt.NDArray[np.float64]
    has_query: npt.NDArray[np.uint8]
    value: npt.NDArray[np.float64]
    has_value: npt.NDArray[np.uint8]
    ctx_indptr: npt.NDArray[np.int64]
    ctx_ids: npt.NDArray[np.uint64]

    @property
    def events(self) -> int:
        """Number of events, ``n`` (``len`` of a named tuple counts its columns)."""
        return len(self.time_us)

    @classmethod
    def empty(cls, d: int, dv: int) -> EventBatch:
        """A batch of no events, with keys and queries of ``d`` and values of ``dv`` numbers."""
        return cls(
            indptr=np.zeros(1, np.int64),
            ids=np.zeros(0, np.uint64),
            values=np.zeros(0, np.float64),
            time_us=np.zeros(0, np.int64),
            label=np.zeros(0, np.float64),
            has_label=np.zeros(0, np.uint8),
            key=np.zeros((0, d), np.float64),
            has_key=np.zeros(0, np.uint8),
            query=np.zeros((0, d), np.float64),
            has_query=np.zeros(0, np.uint8),
            value=np.zeros((0, dv), np.float64),
            has_value=np.zeros(0, np.uint8),
            ctx_indptr=np.zeros(1, np.int64),
            ctx_ids=np.zeros(0, np.uint64),
        )

    def select(self, rows: npt.ArrayLike) -> EventBatch:
        """The events at ``rows``, in that order, as a batch of its own (copies, never views).

        Args:
            rows: int64[m] indices (repeats allowed, negative ones count from the end) or a
                bool[n] mask.

        Returns:
            A batch of ``m`` events. Cost is linear in what is selected.

        Raises:
            IndexError: an index is out of range, or the mask has another length.
        """
        index = np.arange(self.events)[np.asarray(rows)]
        indptr, picked = _select_rows(self.indptr, index)
        ctx_indptr, ctx_picked = _select_rows(self.ctx_indptr, index)
        return EventBatch(
            indptr=indptr,
            ids=self.ids[picked],
            values=self.values[picked],
            time_us=self.time_us[index],
            label=self.label[index],
            has_label=self.has_label[index],
            key=self.key[index],
            has_key=self.has_key[index],
            query=self.query[index],
            has_query=self.has_query[index],
            value=self.value[index],
            has_value=self.has_value[index],
            ctx_indptr=ctx_indptr,
            ctx_ids=self.ctx_ids[ctx_picked],
        )


def _select_rows(
    indptr: npt.NDArray[np.int64], index: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Offsets of the selected rows, and the positions of their elements in the old arrays."""
    lengths = indptr[index + 1] - indptr[index]
    selected = np.zeros(len(index) + 1, np.int64)
    np.cumsum(lengths, out=selected[1:])
    shift = np.repeat(indptr[index] - selected[:-1], lengths)
    return selected, np.arange(selected[-1]) + shift
