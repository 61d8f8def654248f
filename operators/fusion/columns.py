"""What a cell accepts as a batch: shapes and types that its kernel can trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.batch import EventBatch
from operators.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

_TYPES = {
    name: np.dtype(kind)
    for kind, names in {
        np.int64: ("indptr", "time_us", "ctx_indptr"),
        np.uint64: ("ids", "ctx_ids"),
        np.float64: ("values", "label", "key", "query", "value"),
        np.uint8: ("has_label", "has_key", "has_query", "has_value"),
    }.items()
    for name in names
}


def checked(batch: EventBatch, d: int, d_v: int) -> EventBatch:
    """The batch with writable, contiguous columns; copies only those that are not.

    Kernels are compiled for writable arrays; one over read-only ones would be another compilation.

    Raises:
        InvalidInput: a column's type or shape is not what ``EventBatch`` says, or offsets do not
            rise from 0 to the number of elements. Reading on would leave the arrays.
    """
    n = batch.events
    shapes = {
        "indptr": (n + 1,),
        "ctx_indptr": (n + 1,),
        "ids": (len(batch.values),),
        "values": (len(batch.values),),
        "ctx_ids": (len(batch.ctx_ids),),
        "key": (n, d),
        "query": (n, d),
        "value": (n, d_v),
    }
    columns = {}
    for name, column in batch._asdict().items():
        wanted = shapes.get(name, (n,))
        if column.dtype != _TYPES[name] or column.shape != wanted:
            raise InvalidInput(
                f"column {name!r} is {column.dtype}{list(column.shape)}: "
                f"must be {_TYPES[name]}{list(wanted)}"
            )
        columns[name] = np.require(column, requirements=("C_CONTIGUOUS", "WRITEABLE"))
    _check_offsets("indptr", batch.indptr, len(batch.values))
    _check_offsets("ctx_indptr", batch.ctx_indptr, len(batch.ctx_ids))
    return EventBatch(**columns)


def longest(indptr: npt.NDArray[np.int64]) -> int:
    """Elements of the longest event."""
    return int(np.diff(indptr).max(initial=0))


def _check_offsets(name: str, indptr: npt.NDArray[np.int64], elements: int) -> None:
    if indptr[0] != 0 or indptr[-1] != elements or (indptr[1:] < indptr[:-1]).any():
        raise InvalidInput(f"column {name!r} must rise from 0 to {elements}")
