"""The loop over a batch of events: exactly the steps of operators/hlm/kernels.py, one by one.

Where memory decides the speed, the records of the event after are asked for while one is learnt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.compiled import inlined, kernel
from operators.hlm.kernels import (
    SCRATCH_HEADER,
    UNKNOWN,
    Floats,
    Ids,
    Ints,
    count_event,
    hash_lane,
    learn_event,
    observe_event,
    place_lane,
    reserve_event,
    resolve,
)
from operators.hlm.kernels_memory import prefetch
from operators.hlm.kernels_rule import link_of, score_places
from operators.hlm.layout import BIAS, BLOCK_WORD_BITS, DUE, EVENTS, HlmArrays
from operators.numerics import add_error, sigmoid

LANES = 3
"""Events that ``step_events`` has in hand at a time, each with a part of ``scratch``."""

# Unsigned where it indexes, see operators/hlm/kernels_table.py.
_0, _1 = np.uint64(0), np.uint64(1)
_HEADER = np.uint64(SCRATCH_HEADER)
_BLOCK_WORD_BITS = np.uint64(BLOCK_WORD_BITS)


@kernel
def _step_anywhere(
    hlm: HlmArrays,
    scratch: Ints,
    ids: Ids,
    values: Floats,
    lo: int,
    hi: int,
    y: float,
    given: int,
    lr: float,
    l2: float,
) -> tuple[bool, float]:
    """Step one event whose places in the base are known, but not whether its ids are there.

    Returns:
        Whether there was room, and the prediction.
    """
    resolve(hlm, scratch, ids, lo, hi)
    p = link_of(hlm, score_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi))
    if not reserve_event(hlm, scratch, ids, lo, hi):
        return False, p
    observe_event(hlm, scratch)
    learn_event(hlm, scratch, values, lo, hi, y if given else y - p, lr, l2)
    return True, p


@inlined
def _score_lane(
    scratch: Ints,
    lane: np.uint64,
    records: Ids,
    weights: Floats,
    ids: Ids,
    values: Floats,
    lo: int,
    hi: int,
    bias: float,
    compensated: int,
    shift: np.uint64,
) -> tuple[bool, float]:
    """Third step where all ids are in the base: compare keys and add up in one pass.

    Returns:
        Whether they are all there, and if so the raw score; otherwise it means nothing.
    """
    differs = _0
    score = bias
    word = lane
    if compensated:
        residual = 0.0
        for i in range(np.uint64(lo), np.uint64(hi)):
            record = np.uint64(scratch[word]) << shift
            differs |= records[record] ^ ids[i]
            product = weights[record + _1] * values[i]
            residual += add_error(score, product)
            score += product
            word += _1
        return differs == _0, score + residual
    for i in range(np.uint64(lo), np.uint64(hi)):
        record = np.uint64(scratch[word]) << shift
        differs |= records[record] ^ ids[i]
        score += weights[record + _1] * values[i]
        word += _1
    return differs == _0, score


@inlined
def _request_forwards(
    scratch: Ints, lane: np.uint64, count: int, forward: npt.NDArray[np.uint32]
) -> None:
    """Ask for where in the next base the records of an event will be."""
    for i in range(lane, lane + np.uint64(count)):
        prefetch(forward, np.uint64(scratch[i]))


@inlined
def _request_mirrored(
    scratch: Ints,
    lane: np.uint64,
    count: int,
    forward: npt.NDArray[np.uint32],
    mirror: Floats,
    shift: np.uint64,
) -> None:
    """Ask for the records of the next base that an event will be stored in as well."""
    for i in range(lane, lane + np.uint64(count)):
        prefetch(mirror, np.uint64(forward[np.uint64(scratch[i])]) << shift)


@kernel
def step_events(
    hlm: HlmArrays,
    scratch: Ints,
    indptr: Ints,
    ids: Ids,
    values: Floats,
    y: Floats,
    given: int,
    start: int,
    lr: float,
    l2: float,
    predictions: Floats,
) -> int:
    """Predict and learn events ``start ..`` in turn.

    While an event is predicted and learnt, the records of the one after are on their way to the
    cache, and the pilots of the one after that. Nothing that an event learns moves a record of the
    base. Events whose ids are all in the base, the bulk once ids recur, are stepped here;
    the others in ``_step_anywhere``, with the same operations.

    Args:
        hlm: the model.
        scratch: int64[LANES * (SCRATCH_HEADER + features of the longest event)].
        indptr: int64[n+1], event i is features ``indptr[i] .. indptr[i+1]-1``.
        ids: uint64[nnz].
        values: float64[nnz].
        y: float64[n], labels; or errors, if they are given.
        given: 1 if ``y`` holds the caller's errors.
        start: first event.
        lr: learning rate.
        l2: L2 factor.
        predictions: float64[n], written.

    Returns:
        The event before which the model wants attention, for ``scratch[UNKNOWN]`` ids; or n.
    """
    rules, meta, params = hlm.rules, hlm.meta, hlm.params
    records, weights, dirty = hlm.base.records, hlm.base.weights, hlm.base.dirty
    pilots, last, salt = hlm.base.pilots, hlm.base.last, hlm.base.salt
    mirror_on, mirror, forward = hlm.mirror.on, hlm.mirror.weights, hlm.mirror.forward
    keys = np.uint64(hlm.base.keys)
    shift = np.uint64(rules.word_bits)
    usual = not rules.single and not rules.river and not rules.adagrad and keys > _0
    stop = y.shape[0]
    lane = np.uint64(scratch.shape[0] // LANES)
    now, after, later = _HEADER, lane + _HEADER, lane + lane + _HEADER
    if start < stop and keys > _0:
        lo, hi = indptr[start], indptr[start + 1]
        hash_lane(scratch, now, ids, lo, hi, salt, pilots)
        place_lane(scratch, now, hi - lo, keys, pilots, last, records, shift)
        if mirror_on:
            _request_forwards(scratch, now, hi - lo, forward)
        if start + 1 < stop:
            hash_lane(scratch, after, ids, hi, indptr[start + 2], salt, pilots)
    for t in range(start, stop):
        if meta[EVENTS] >= meta[DUE]:
            scratch[UNKNOWN] = 0
            return int(t)
        lo, hi = indptr[t], indptr[t + 1]
        if t + 1 < stop and keys > _0:
            place_lane(scratch, after, indptr[t + 2] - hi, keys, pilots, last, records, shift)
            if mirror_on:
                _request_forwards(scratch, after, indptr[t + 2] - hi, forward)
            if t + 2 < stop:
                hash_lane(scratch, later, ids, indptr[t + 2], indptr[t + 3], salt, pilots)
        all_there = False
        p = 0.0
        if mirror_on and keys > _0:
            _request_mirrored(scratch, now, hi - lo, forward, mirror, shift)
        if usual:
            all_there, p = _score_lane(
                scratch, now, records, weights, ids, values, lo, hi, params[BIAS],
                rules.compensated, shift,
            )  # fmt: skip
        if all_there:
            p = sigmoid(p) if rules.logistic else p
            count_event(meta)
            decay = 1.0 - lr * l2
            e = y[t] if given else y[t] - p
            step = lr * e
            if mirror_on:
                for k in range(np.uint64(hi - lo)):
                    slot = np.uint64(scratch[now + k])
                    word = (slot << _1) + _1
                    weight = (decay * weights[word]) + (step * values[np.uint64(lo) + k])
                    weights[word] = weight
                    dirty[word >> _BLOCK_WORD_BITS] = 1
                    mirror[(np.uint64(forward[slot]) << _1) + _1] = weight
            else:
                for k in range(np.uint64(hi - lo)):
                    word = (np.uint64(scratch[now + k]) << _1) + _1
                    weights[word] = (decay * weights[word]) + (step * values[np.uint64(lo) + k])
                    dirty[word >> _BLOCK_WORD_BITS] = 1
            if rules.intercept:
                params[BIAS] += step
        else:
            begin = now - _HEADER
            room, p = _step_anywhere(
                hlm, scratch[begin : begin + lane], ids, values, lo, hi, y[t], given, lr, l2
            )
            if not room:
                scratch[UNKNOWN] = scratch[begin + np.uint64(UNKNOWN)]
                return int(t)
        predictions[t] = p
        now, after, later = after, later, now
    return int(stop)
