"""What makes a cell refuse an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.compiled import inlined, kernel
from operators.fusion import codes
from operators.fusion.layout import RESERVED

if TYPE_CHECKING:
    from operators.batch import EventBatch
    from operators.sera.layout import Floats

MAX_INPUT = 1e100
"""Largest magnitude of a feature, label or value: no sum or square of such numbers overflows."""


@inlined
def number_status(x: float, if_not_finite: int) -> int:
    """Status of one number."""
    if not np.isfinite(x):
        return if_not_finite
    return codes.TOO_LARGE if abs(x) > MAX_INPUT else codes.OK


@kernel
def vector_status(vector: Floats) -> int:
    """Status of a key, query or value."""
    for j in range(vector.shape[0]):
        status = number_status(vector[j], codes.NON_FINITE_VECTOR)
        if status != codes.OK:
            return status
    return codes.OK


@inlined
def feature_status(batch: EventBatch, lo: int, hi: int) -> int:
    """Status of the features ``lo .. hi-1``: their values, then their ids."""
    for i in range(lo, hi):
        status = number_status(batch.values[i], codes.NON_FINITE_FEATURE)
        if status != codes.OK:
            return status
    for i in range(lo, hi):
        if batch.ids[i] & RESERVED == RESERVED:
            return codes.RESERVED_ID
    return codes.OK


@inlined
def status_of(batch: EventBatch, t: int, logistic: int) -> int:
    """``operators.fusion.outputs.Status`` of event ``t``: what is wrong with its numbers."""
    status = feature_status(batch, batch.indptr[t], batch.indptr[t + 1])
    if status == codes.OK and batch.has_key[t]:
        status = vector_status(batch.key[t])
    if status == codes.OK and batch.has_query[t]:
        status = vector_status(batch.query[t])
    if status == codes.OK and batch.has_value[t]:
        status = vector_status(batch.value[t])
    if status == codes.OK and batch.has_label[t]:
        y = batch.label[t]
        status = number_status(y, codes.NON_FINITE_LABEL)
        if status == codes.OK and logistic and not 0.0 <= y <= 1.0:
            status = codes.LABEL_OUT_OF_RANGE
    return status
