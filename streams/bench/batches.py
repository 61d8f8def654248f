"""Events of a benchmark as columns: each has a key and a label, none a query or a context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.batch import EventBatch

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def keyed_events(
    indptr: npt.NDArray[np.int64],
    ids: npt.NDArray[np.uint64],
    values: Floats,
    key: Floats,
    label: Floats,
) -> EventBatch:
    """The events, a microsecond after each other, with labels as their values.

    Args:
        indptr: int64[n+1], event i is features ``indptr[i] .. indptr[i+1]-1``.
        ids: uint64[nnz].
        values: float64[nnz].
        key: float64[n, d].
        label: float64[n].
    """
    n = len(label)
    return EventBatch(
        indptr=indptr,
        ids=ids,
        values=values,
        time_us=np.arange(n, dtype=np.int64),
        label=label,
        has_label=np.ones(n, np.uint8),
        key=key,
        has_key=np.ones(n, np.uint8),
        query=np.zeros(key.shape),
        has_query=np.zeros(n, np.uint8),
        value=np.zeros((n, 1)),
        has_value=np.zeros(n, np.uint8),
        ctx_indptr=np.zeros(n + 1, np.int64),
        ctx_ids=np.zeros(0, np.uint64),
    )
