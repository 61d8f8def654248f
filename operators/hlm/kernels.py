"""Kernels of Hlm: what one event does to its weights.

Every function takes ``hlm``, the ``HlmArrays`` of a model (operators/hlm/layout.py says what its
fields are), and is compiled without the GIL and without fastmath: operations happen in the order
in which they are written.

One event is features ``lo .. hi-1`` of ``ids`` (uint64) and ``values`` (float64). ``scratch`` is an
int64 array of ``SCRATCH_HEADER`` words and one word for each feature of the longest event; it
carries the places from one call to the next, so that learning does not search again:

    attention_due   True: call ``Hlm.attend(0)``, take the new arrays, then go on with the event
    predict_event   finds the places, returns the raw score; changes nothing but ``scratch``
    reserve_event   gives unknown ids a place with weight 0; False: there is no room, nothing has
                    changed: call ``Hlm.attend(scratch[UNKNOWN])``, take the new arrays and start
                    the event over
    observe_event   counts the event and its probes
    learn_event     changes the weights and the bias; cannot fail

An event without a label stops after ``predict_event`` and ``observe_event``. The learning rule,
with its order of operations, is in operators/hlm/kernels_rule.py.

Where an id cannot be given a place (operators/hlm/rebuild.py, "tripwire") its place stays
``ABSENT`` and learning passes over it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.compiled import inlined, kernel
from operators.hlm.kernels_hash import mix
from operators.hlm.kernels_memory import prefetch
from operators.hlm.kernels_mphf import bucket_of, index_of
from operators.hlm.kernels_rule import learn_places, link_of, score_places
from operators.hlm.kernels_table import FULL, insert, probe
from operators.hlm.layout import (
    ABSENT,
    ACTIVE,
    ACTIVE_KNOWN,
    ALARM,
    BIAS,
    BLOCK_WORD_BITS,
    BURSTS,
    DUE,
    EVENTS,
    FROZEN,
    IDLE,
    INSERT_MAX,
    INSERTS_FROZEN,
    KNOWN,
    LIMIT,
    LOOKUP_MAX,
    LOW_MARK,
    NOT_LEARNT,
    REFUSED_KEPT,
    RELOCATED,
    STAGE,
    WINDOW_BITS,
    WINDOW_KNOWN,
    WINDOW_MAX,
    Delta,
    HlmArrays,
)
from operators.numerics import add_error, sigmoid

MOST_PROBES = 0
"""Word of ``scratch``: cost of the event's dearest lookup."""

UNKNOWN = 1
"""Word of ``scratch``: features of the event whose id has no place."""

LANES = 3
"""Events that ``step_events`` has in hand at a time, each with a part of ``scratch``."""

SCRATCH_HEADER = 2
"""Words of ``scratch`` before the places."""

_FEW_PILOTS = 1 << 18  # bytes; as many stay in a second-level cache

# Unsigned where it indexes, see operators/hlm/kernels_table.py.
_0, _1 = np.uint64(0), np.uint64(1)
_HEADER = np.uint64(SCRATCH_HEADER)
_BLOCK_WORD_BITS = np.uint64(BLOCK_WORD_BITS)

Ids = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pilots = npt.NDArray[np.uint8]
Last = npt.NDArray[np.uint32]


@inlined
def attention_due(hlm: HlmArrays) -> bool:
    """Whether the model must be attended to before its next event."""
    return bool(hlm.meta[EVENTS] >= hlm.meta[DUE])


@inlined
def _hash_lane(
    scratch: Ints, lane: np.uint64, ids: Ids, lo: int, hi: int, salt: np.uint64, pilots: Pilots
) -> None:
    """First of three steps to the places: hashes, and a request for the pilots' cache lines.

    ``lane`` is the word of ``scratch`` at which the event's places begin.
    """
    first = np.uint64(lo)
    count = np.uint64(hi) - first
    for i in range(count):
        scratch[lane + i] = np.int64(mix(ids[first + i], salt))
    buckets = np.uint64(pilots.shape[0])
    if buckets > _FEW_PILOTS:
        for i in range(count):
            prefetch(pilots, bucket_of(np.uint64(scratch[lane + i]), buckets))


@inlined
def _place_lane(
    scratch: Ints,
    lane: np.uint64,
    count: int,
    keys: np.uint64,
    pilots: Pilots,
    last: Last,
    records: Ids,
    shift: np.uint64,
) -> None:
    """Second step: where in the base each id would be, and a request for that cache line."""
    for i in range(lane, lane + np.uint64(count)):
        slot = index_of(np.uint64(scratch[i]), pilots, last, keys)
        prefetch(records, slot << shift)
        scratch[i] = np.int64(slot)


@inlined
def _probe_deltas(active: Delta, frozen: Delta, key: np.uint64) -> tuple[int, int]:
    """Place of ``key`` in a delta, or ``ABSENT``, and the number of records compared."""
    slot, probes = probe(active, key)
    if slot >= 0:
        return slot + ACTIVE, probes
    if frozen.records.shape[0] > 0:
        slot, more = probe(frozen, key)
        probes += more
        if slot >= 0:
            return slot + FROZEN, probes
    return ABSENT, probes


@kernel
def _resolve(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Third step where an id is not in the base: look it up in the deltas; fill the header."""
    active, frozen = hlm.active, hlm.frozen
    records = hlm.base.records
    shift = np.uint64(hlm.rules.word_bits)
    empty = hlm.base.keys == 0
    most = 0
    unknown = 0
    word = _HEADER
    for i in range(np.uint64(lo), np.uint64(hi)):
        if empty or records[np.uint64(scratch[word]) << shift] != ids[i]:
            place, probes = _probe_deltas(active, frozen, ids[i])
            scratch[word] = place
            most = max(most, probes)
            unknown += place < 0
        word += _1
    scratch[MOST_PROBES] = most
    scratch[UNKNOWN] = unknown


@kernel
def locate_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Fill ``scratch`` with the places of an event's features, and its header."""
    base = hlm.base
    keys = np.uint64(base.keys)
    if keys > _0:
        shift = np.uint64(hlm.rules.word_bits)
        _hash_lane(scratch, _HEADER, ids, lo, hi, base.salt, base.pilots)
        _place_lane(scratch, _HEADER, hi - lo, keys, base.pilots, base.last, base.records, shift)
    _resolve(hlm, scratch, ids, lo, hi)


@kernel
def predict_event(
    hlm: HlmArrays, scratch: Ints, ids: Ids, values: Floats, lo: int, hi: int
) -> float:
    """Raw score of an event, before the link; fills ``scratch``, changes nothing else."""
    locate_event(hlm, scratch, ids, lo, hi)
    return score_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi)


@kernel
def _refuse(hlm: HlmArrays, key: np.uint64) -> None:
    """Report an id as not learnt."""
    hlm.refused[hlm.meta[NOT_LEARNT] % REFUSED_KEPT] = key
    hlm.meta[NOT_LEARNT] += 1


@kernel
def _insert_unknown(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Give unknown ids places in the active delta, as long as it takes them."""
    meta = hlm.meta
    relocated = meta[RELOCATED]
    known = meta[KNOWN]
    for i in range(lo, hi):
        word = SCRATCH_HEADER + i - lo
        if scratch[word] >= 0:
            continue
        place, probes = _probe_deltas(hlm.active, hlm.frozen, ids[i])
        if place < 0:
            if meta[INSERTS_FROZEN]:
                _refuse(hlm, ids[i])
                continue
            moved = meta[RELOCATED]
            slot = insert(hlm.active, meta, ids[i])
            if slot == FULL:
                meta[ALARM] += 1
                meta[INSERTS_FROZEN] = 1
                meta[DUE] = 0
                _refuse(hlm, ids[i])
                continue
            steps = probes + (meta[RELOCATED] - moved) + 1
            meta[INSERT_MAX] = max(meta[INSERT_MAX], steps)
            place = slot + ACTIVE
        scratch[word] = place
    if meta[RELOCATED] != relocated:
        most = scratch[MOST_PROBES]
        locate_event(hlm, scratch, ids, lo, hi)
        scratch[MOST_PROBES] = max(most, scratch[MOST_PROBES])
    size = 0
    new = meta[KNOWN] - known
    while new > 0:
        size += 1
        new >>= 1
    meta[BURSTS + size] += 1
    if meta[STAGE] == IDLE and meta[ACTIVE_KNOWN] >= meta[LOW_MARK]:
        meta[DUE] = 0


@inlined
def reserve_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> bool:
    """Give every id of the event a place, and put it in ``scratch``.

    Returns:
        False if the unknown ids could take the load past ``tau_high`` (an unknown id that the
        event repeats counts each time); then nothing has changed.
    """
    unknown = scratch[UNKNOWN]
    if unknown == 0:
        return True
    frozen = hlm.meta[INSERTS_FROZEN] != 0
    if not frozen and hlm.meta[ACTIVE_KNOWN] + unknown > hlm.meta[LIMIT]:
        return False
    _insert_unknown(hlm, scratch, ids, lo, hi)
    return True


@inlined
def _count_event(meta: Ints) -> None:
    """Count an event and, each 256 events, new ids."""
    meta[EVENTS] += 1
    if meta[EVENTS] & ((1 << WINDOW_BITS) - 1) == 0:
        meta[WINDOW_MAX] = max(meta[WINDOW_MAX], meta[KNOWN] - meta[WINDOW_KNOWN])
        meta[WINDOW_KNOWN] = meta[KNOWN]


@inlined
def observe_event(hlm: HlmArrays, scratch: Ints) -> None:
    """Count an event, and keep the dearest lookup met so far."""
    hlm.meta[LOOKUP_MAX] = max(hlm.meta[LOOKUP_MAX], scratch[MOST_PROBES])
    _count_event(hlm.meta)


@inlined
def learn_event(
    hlm: HlmArrays, scratch: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    """Apply the learning rule for error ``e`` to the places that ``reserve_event`` left."""
    learn_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi, e, lr, l2)


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
    _resolve(hlm, scratch, ids, lo, hi)
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

    The fields of ``hlm`` are taken apart before the loop: numba counts references at every access,
    which cost a microsecond an event.

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
        _hash_lane(scratch, now, ids, lo, hi, salt, pilots)
        _place_lane(scratch, now, hi - lo, keys, pilots, last, records, shift)
        if start + 1 < stop:
            _hash_lane(scratch, after, ids, hi, indptr[start + 2], salt, pilots)
    for t in range(start, stop):
        if meta[EVENTS] >= meta[DUE]:
            scratch[UNKNOWN] = 0
            return int(t)
        lo, hi = indptr[t], indptr[t + 1]
        if t + 1 < stop and keys > _0:
            _place_lane(scratch, after, indptr[t + 2] - hi, keys, pilots, last, records, shift)
            if t + 2 < stop:
                _hash_lane(scratch, later, ids, indptr[t + 2], indptr[t + 3], salt, pilots)
        all_there = False
        p = 0.0
        if usual:
            all_there, p = _score_lane(
                scratch, now, records, weights, ids, values, lo, hi, params[BIAS],
                rules.compensated, shift,
            )  # fmt: skip
        if all_there:
            p = sigmoid(p) if rules.logistic else p
            _count_event(meta)
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
