"""Numbers packed in the bytes fields of an event: little-endian, 8 bytes each.

Unpacked arrays are read-only views of the message's bytes; nothing is copied.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from schemas.errors import BadMessage
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_ITEM_BYTES: Final = 8
_U64: Final = np.dtype("<u8")
_F64: Final = np.dtype("<f8")


def pack_u64(ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> bytes:
    """Return unsigned 64-bit integers (n,) packed into 8n bytes.

    Raises:
        BadMessage: ``BAD_FIELD``: not one row of integers from 0 to 2^64 - 1.
    """
    try:
        if not isinstance(ids, np.ndarray):
            return np.array([index(i) for i in ids], dtype=_U64).tobytes()
    except (TypeError, OverflowError) as error:
        raise BadMessage(
            Reason.BAD_FIELD, f"feature ids are not integers from 0 to 2^64 - 1: {error}"
        ) from error
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids.size and ids.min() < 0):
        raise BadMessage(
            Reason.BAD_FIELD,
            f"feature ids are {ids.dtype} of shape {ids.shape}; "
            "a row of integers from 0 to 2^64 - 1 is expected",
        )
    return ids.astype(_U64).tobytes()


def pack_f64(values: Sequence[float] | npt.NDArray[np.floating[Any]]) -> bytes:
    """Return numbers (n,) packed as doubles into 8n bytes.

    Raises:
        BadMessage: ``BAD_FIELD``: not one row of real numbers.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        raise BadMessage(
            Reason.BAD_FIELD,
            f"values are {array.dtype} of shape {array.shape}; a row of real numbers is expected",
        )
    return array.astype(_F64).tobytes()


def unpack_u64(packed: bytes) -> npt.NDArray[np.uint64]:
    """Return the packed integers (n,).

    Raises:
        BadMessage: ``LENGTH_MISMATCH``: the length is no multiple of 8.
    """
    return _unpack(packed, _U64)


def unpack_f64(packed: bytes) -> npt.NDArray[np.float64]:
    """Return the packed doubles (n,), which may hold NaN and infinities.

    Raises:
        BadMessage: ``LENGTH_MISMATCH``: the length is no multiple of 8.
    """
    return _unpack(packed, _F64)


def unpack_features(
    ids: bytes, values: bytes
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    """Return packed feature ids and their values, each (n,).

    Raises:
        BadMessage: ``LENGTH_MISMATCH``: a length is no multiple of 8, or there are more of the one
            than of the other.
    """
    if len(ids) != len(values):
        raise BadMessage(
            Reason.LENGTH_MISMATCH,
            f"feature_ids has {len(ids)} bytes and feature_values {len(values)}; "
            f"each feature takes {_ITEM_BYTES} of both",
        )
    return unpack_u64(ids), unpack_f64(values)


def unpack_vector(packed: bytes, dimension: int, field: str) -> npt.NDArray[np.float64]:
    """Return a packed vector (dimension,) of the event field of this name.

    Raises:
        BadMessage: ``LENGTH_MISMATCH``: the length is no multiple of 8. ``DIMENSION_MISMATCH``: it
            has another dimension than the configuration says.
    """
    vector = unpack_f64(packed)
    if vector.size != dimension:
        raise BadMessage(
            Reason.DIMENSION_MISMATCH,
            f"{field} has {vector.size} numbers, the configuration says {dimension}",
        )
    return vector


def _unpack(packed: bytes, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if len(packed) % _ITEM_BYTES:
        raise BadMessage(
            Reason.LENGTH_MISMATCH,
            f"{len(packed)} bytes of packed numbers are no multiple of {_ITEM_BYTES}",
        )
    return np.frombuffer(packed, dtype=dtype)
