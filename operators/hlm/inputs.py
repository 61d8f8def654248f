"""What an Hlm accepts as features, labels and rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from operators.errors import InvalidInput, NonFiniteInput

Ids = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def as_features(ids: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Ids, Floats]:
    """Ids as uint64[n] and values as float64[n], without a copy where they already are.

    Raises:
        InvalidInput: an array has more than one dimension, lengths differ, ids are no integers or
            are outside 0 .. 2^64-1 (signed arrays are refused: -1 would become an id).
        NonFiniteInput: a value is NaN or infinite.
    """
    checked_ids = _as_array("ids", ids, np.dtype(np.uint64), "iu")
    checked_values = _as_array("values", values, np.dtype(np.float64), "iuf")
    if len(checked_ids) != len(checked_values):
        raise InvalidInput(f"{len(checked_ids)} ids but {len(checked_values)} values")
    require_finite("feature", checked_values)
    return checked_ids, checked_values


def as_labels(y: npt.ArrayLike) -> Floats:
    """Labels as float64[n].

    Raises:
        InvalidInput: not one-dimensional, or not numbers.
        NonFiniteInput: a label is NaN or infinite.
    """
    labels: Floats = _as_array("y", y, np.dtype(np.float64), "iufb")
    require_finite("label", labels)
    return labels


def as_rows(indptr: npt.ArrayLike, features: int) -> Ints:
    """Offsets of compressed sparse rows over ``features`` elements, as int64[n+1].

    Raises:
        InvalidInput: they do not start at 0, fall somewhere, or do not end at ``features``.
    """
    rows: Ints = _as_array("indptr", indptr, np.dtype(np.int64), "i")
    if len(rows) == 0 or rows[0] != 0 or rows[-1] != features or (rows[1:] < rows[:-1]).any():
        raise InvalidInput(f"indptr must rise from 0 to {features}, the number of ids")
    return rows


def require_finite(what: str, values: Floats) -> None:
    """Refuse NaN and infinities.

    Raises:
        NonFiniteInput: names ``what`` and the position of the first one.
    """
    finite = np.isfinite(values)
    if not finite.all():
        position = int(np.argmin(finite))
        raise NonFiniteInput(what, position, float(values[position]))


def _as_array(name: str, given: npt.ArrayLike, dtype: np.dtype[Any], kinds: str) -> Any:
    """``given`` as a C-contiguous vector of ``dtype``; arrays of other kinds are refused."""
    if isinstance(given, np.ndarray) and (
        given.dtype.kind not in kinds or (dtype.kind == "u" and given.dtype.kind == "i")
    ):
        raise InvalidInput(f"{name} is an array of {given.dtype}, must be {dtype}")
    try:
        array = np.ascontiguousarray(given, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name} cannot be taken as {dtype}: {error}") from error
    if np.ndim(given) != 1:
        raise InvalidInput(f"{name} has {np.ndim(given)} dimensions, must have 1")
    return array
