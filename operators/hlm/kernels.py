"""Kernels of Hlm: what one event does to its weights.

Every function takes ``hlm``, the ``HlmArrays`` of a model (operators/hlm/layout.py says what its
fields are), and is compiled without the GIL and without fastmath: operations happen in the order
in which they are written here.

One event is features ``lo .. hi-1`` of ``ids`` (uint64) and ``values`` (float64). ``scratch`` is an
int64 array of ``SCRATCH_HEADER`` words and one word for each feature of the longest event; it
carries the slots from one call to the next, so that learning does not search again:

    predict_event   finds the slots, returns the raw score; changes nothing but ``scratch``
    reserve_event   gives unknown ids a slot with weight 0; False: there is no room, nothing is
                    lost and no weight has changed: grow (``Hlm.grow(scratch[UNKNOWN])``), take the
                    new arrays and start the event over
    observe_event   counts the event and its probes
    learn_event     changes the weights and the bias; cannot fail after ``reserve_event``

An event without a label stops after ``predict_event`` and ``observe_event``.

**The learning rule is a contract, down to the order of operations.** All in float64, features in
the order of the event, each product and each sum rounded on its own:

    score = bias;  for each known id in turn: score = score + (w * x)
    p     = link(score);  e = y - p            (or the caller's e)
    decay = 1 - (lr * l2);  step = lr * e
    for each feature in turn: w = (decay * w) + (step * x)
    bias  = bias + step

An id that was unknown at prediction adds nothing to the score and is learnt from w = 0. An id that
occurs twice is predicted with twice and learnt twice, the second time from the weight that the
first time left. A value of 0 makes its id known and decays its weight.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.hlm.kernels_table import locate_or_insert, probe
from operators.hlm.layout import (
    BIAS,
    BLOCK_SLOT_BITS,
    EVENTS,
    KNOWN,
    LIMIT,
    LINK_LOGISTIC,
    LOOKUP_MAX,
    RELOCATED,
    HlmArrays,
)
from operators.numerics import sigmoid

MOST_PROBES = 0
"""Word of ``scratch``: cost of the event's dearest lookup."""

UNKNOWN = 1
"""Word of ``scratch``: features of the event whose id is not in the table."""

SCRATCH_HEADER = 2
"""Words of ``scratch`` before the slots."""

# Unsigned where it indexes, see operators/hlm/kernels_table.py.
_1, _2 = np.uint64(1), np.uint64(2)
_HEADER = np.uint64(SCRATCH_HEADER)
_BLOCK_SLOT_BITS = np.uint64(BLOCK_SLOT_BITS)

Ids = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def locate_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Fill ``scratch`` with the slots of an event's features, and its header."""
    most = 0
    unknown = 0
    word = _HEADER
    for i in range(np.uint64(lo), np.uint64(hi)):
        slot, probes = probe(hlm, ids[i])
        scratch[word] = slot
        word += _1
        most = max(most, probes)
        unknown += slot < 0
    scratch[MOST_PROBES] = most
    scratch[UNKNOWN] = unknown


@njit(cache=True, nogil=True, error_model="numpy")
def predict_event(
    hlm: HlmArrays, scratch: Ints, ids: Ids, values: Floats, lo: int, hi: int
) -> float:
    """Raw score of an event, before the link; fills ``scratch``, changes nothing else."""
    most = 0
    unknown = 0
    score: float = hlm.params[BIAS]
    word = _HEADER
    for i in range(np.uint64(lo), np.uint64(hi)):
        slot, probes = probe(hlm, ids[i])
        scratch[word] = slot
        word += _1
        most = max(most, probes)
        if slot >= 0:
            score += hlm.weights[_2 * np.uint64(slot) + _1] * values[i]
        else:
            unknown += 1
    scratch[MOST_PROBES] = most
    scratch[UNKNOWN] = unknown
    return score


@njit(cache=True, nogil=True, error_model="numpy")
def link_of(hlm: HlmArrays, score: float) -> float:
    """Prediction for a raw score: the score itself, or its logistic function."""
    if hlm.geometry.link == LINK_LOGISTIC:
        return sigmoid(score)
    return score


@njit(cache=True, nogil=True, error_model="numpy")
def reserve_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> bool:
    """Give every id of the event a slot, and put it in ``scratch``.

    Returns:
        False if the unknown ids could take the load past ``tau_high`` (an unknown id that the
        event repeats counts each time), or if a sub-table is full. Ids that already got a slot
        keep it, with weight 0, which changes no prediction.
    """
    unknown = scratch[UNKNOWN]
    if unknown == 0:
        return True
    if hlm.meta[KNOWN] + unknown > hlm.meta[LIMIT]:
        return False
    relocated = hlm.meta[RELOCATED]
    for i in range(lo, hi):
        if scratch[SCRATCH_HEADER + i - lo] < 0:
            slot = locate_or_insert(hlm, ids[i])
            if slot < 0:
                return False
            scratch[SCRATCH_HEADER + i - lo] = slot
    if hlm.meta[RELOCATED] != relocated:
        locate_event(hlm, scratch, ids, lo, hi)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def observe_event(hlm: HlmArrays, scratch: Ints) -> None:
    """Count an event, and keep the dearest lookup met so far."""
    hlm.meta[EVENTS] += 1
    hlm.meta[LOOKUP_MAX] = max(hlm.meta[LOOKUP_MAX], scratch[MOST_PROBES])


@njit(cache=True, nogil=True, error_model="numpy")
def learn_event(
    hlm: HlmArrays, scratch: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    """Apply the learning rule for error ``e`` to the slots that ``reserve_event`` left."""
    decay = 1.0 - lr * l2
    step = lr * e
    word = _HEADER
    for i in range(np.uint64(lo), np.uint64(hi)):
        slot = np.uint64(scratch[word])
        word += _1
        weight = _2 * slot + _1
        hlm.weights[weight] = (decay * hlm.weights[weight]) + (step * values[i])
        hlm.dirty[slot >> _BLOCK_SLOT_BITS] = 1
    hlm.params[BIAS] += step


@njit(cache=True, nogil=True, error_model="numpy")
def step_events(
    hlm: HlmArrays,
    scratch: Ints,
    indptr: Ints,
    ids: Ids,
    values: Floats,
    y: Floats,
    start: int,
    lr: float,
    l2: float,
    predictions: Floats,
) -> int:
    """Predict and learn events ``start ..`` in turn.

    Returns:
        The first event that there was no room for, or the number of events.
    """
    for t in range(start, len(y)):
        lo = indptr[t]
        hi = indptr[t + 1]
        p = link_of(hlm, predict_event(hlm, scratch, ids, values, lo, hi))
        if not reserve_event(hlm, scratch, ids, lo, hi):
            return t
        observe_event(hlm, scratch)
        learn_event(hlm, scratch, values, lo, hi, y[t] - p, lr, l2)
        predictions[t] = p
    return len(y)
