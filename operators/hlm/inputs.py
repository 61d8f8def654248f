"""What an Hlm accepts as features, labels and rows."""

from __future__ import annotations

import operator
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
    checked_ids = _as_integers("ids", ids, np.dtype(np.uint64))
    checked_values = _as_floats("values", values)
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
    labels = _as_floats("y", y)
    require_finite("label", labels)
    return labels


def as_errors(e: npt.ArrayLike) -> Floats:
    """Errors to learn from as float64[n]; as ``as_labels``."""
    errors = _as_floats("e", e)
    require_finite("error", errors)
    return errors


def as_rows(indptr: npt.ArrayLike, features: int) -> Ints:
    """Offsets of compressed sparse rows over ``features`` elements, as int64[n+1].

    Raises:
        InvalidInput: they do not start at 0, fall somewhere, or do not end at ``features``.
    """
    rows: Ints = _as_integers("indptr", indptr, np.dtype(np.int64))
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


def _as_integers(name: str, given: npt.ArrayLike, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """``given`` as a C-contiguous vector of an integer type, if that loses nothing.

    Arrays must be of integers, and of unsigned ones if ids are asked for; anything else is taken
    number by number, because numpy would make floats of a list that holds a large id.
    """
    try:
        if isinstance(given, np.ndarray):
            array = np.ascontiguousarray(given)
        else:
            array = np.fromiter(map(operator.index, given), dtype)  # type: ignore[arg-type]
        return _vector(name, array).astype(dtype, casting="safe", copy=False)
    except (TypeError, OverflowError) as error:
        raise InvalidInput(f"{name} cannot be taken as {dtype}: {error}") from error


def _as_floats(name: str, given: npt.ArrayLike) -> Floats:
    """``given`` as a C-contiguous vector of float64; complex numbers and texts are refused."""
    try:
        array = np.ascontiguousarray(given)
        return _vector(name, array).astype(np.float64, casting="same_kind", copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be taken as float64: {error}") from error


def _vector(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 1:
        raise InvalidInput(f"{name} has {array.ndim} dimensions, must have 1")
    return array
