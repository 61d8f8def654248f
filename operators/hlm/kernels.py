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

An event without a label stops after ``predict_event`` and ``observe_event``. The learning rule, with
its order of operations, is in operators/hlm/kernels_rule.py.

Where an id cannot be given a place (operators/hlm/rebuild.py, "tripwire") its place stays ``ABSENT``
and learning passes over it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

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
    HlmArrays,
)

MOST_PROBES = 0
"""Word of ``scratch``: cost of the event's dearest lookup."""

UNKNOWN = 1
"""Word of ``scratch``: features of the event whose id has no place."""

IN_BASE = 2
"""Word of ``scratch``: 1 if every id of the event is in the base."""

SCRATCH_HEADER = 4
"""Words of ``scratch`` before the places."""

_FEW_PILOTS = 1 << 18  # bytes; as many stay in a second-level cache

# Unsigned where it indexes, see operators/hlm/kernels_table.py.
_0, _1 = np.uint64(0), np.uint64(1)
_HEADER = np.uint64(SCRATCH_HEADER)

Ids = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def attention_due(hlm: HlmArrays) -> bool:
    """Whether the model must be attended to before its next event."""
    return bool(hlm.meta[EVENTS] >= hlm.meta[DUE])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def hash_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """First of three steps to the places: hashes, and a request for the pilots' cache lines."""
    salt = hlm.base.salt
    first = np.uint64(lo)
    for i in range(np.uint64(hi) - first):
        scratch[_HEADER + i] = np.int64(mix(ids[first + i], salt))
    pilots = np.uint64(hlm.base.pilots.shape[0])
    if pilots > _FEW_PILOTS:
        for i in range(np.uint64(hi) - first):
            prefetch(hlm.base.pilots, bucket_of(np.uint64(scratch[_HEADER + i]), pilots))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def place_event(hlm: HlmArrays, scratch: Ints, lo: int, hi: int) -> None:
    """Second step: where in the base each id would be, and a request for that cache line."""
    keys = np.uint64(hlm.base.keys)
    if keys == _0:
        return
    shift = np.uint64(hlm.rules.word_bits)
    for i in range(_HEADER, _HEADER + np.uint64(hi - lo)):
        slot = index_of(np.uint64(scratch[i]), hlm.base.pilots, hlm.base.last, keys)
        prefetch(hlm.base.records, slot << shift)
        scratch[i] = np.int64(slot)


@njit(cache=True, nogil=True, error_model="numpy")
def _probe_deltas(hlm: HlmArrays, key: np.uint64) -> tuple[int, int]:
    """Place of ``key`` in a delta, or ``ABSENT``, and the number of records compared."""
    slot, probes = probe(hlm.active, key)
    if slot >= 0:
        return slot + ACTIVE, probes
    if hlm.frozen.records.shape[0] > 0:
        slot, more = probe(hlm.frozen, key)
        probes += more
        if slot >= 0:
            return slot + FROZEN, probes
    return ABSENT, probes


@njit(cache=True, nogil=True, error_model="numpy")
def _resolve(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Third step where an id is not in the base: look it up in the deltas; fill the header."""
    most = 0
    unknown = 0
    in_base = 1
    shift = np.uint64(hlm.rules.word_bits)
    empty = hlm.base.keys == 0
    word = _HEADER
    for i in range(np.uint64(lo), np.uint64(hi)):
        if empty or hlm.base.records[np.uint64(scratch[word]) << shift] != ids[i]:
            place, probes = _probe_deltas(hlm, ids[i])
            scratch[word] = place
            most = max(most, probes)
            unknown += place < 0
            in_base = 0
        word += _1
    scratch[MOST_PROBES] = most
    scratch[UNKNOWN] = unknown
    scratch[IN_BASE] = in_base


@njit(cache=True, nogil=True, error_model="numpy")
def locate_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Fill ``scratch`` with the places of an event's features, and its header."""
    hash_event(hlm, scratch, ids, lo, hi)
    place_event(hlm, scratch, lo, hi)
    _resolve(hlm, scratch, ids, lo, hi)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def score_event(hlm: HlmArrays, scratch: Ints, ids: Ids, values: Floats, lo: int, hi: int) -> float:
    """Last step: make sure of the places, and add up the raw score.

    Once most ids are in the base, so is the whole event: keys are compared and products added in
    one pass, and only where a key differs is the pass done again with the deltas.
    """
    rules = hlm.rules
    if hlm.base.keys > 0 and not (rules.single or rules.compensated):
        shift = np.uint64(rules.word_bits)
        differs = _0
        score: float = hlm.params[BIAS]
        word = _HEADER
        for i in range(np.uint64(lo), np.uint64(hi)):
            record = np.uint64(scratch[word]) << shift
            differs |= hlm.base.records[record] ^ ids[i]
            score += hlm.base.weights[record + _1] * values[i]
            word += _1
        if differs == _0:
            scratch[MOST_PROBES] = 0
            scratch[UNKNOWN] = 0
            scratch[IN_BASE] = 1
            return score
    _resolve(hlm, scratch, ids, lo, hi)
    return score_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi)


@njit(cache=True, nogil=True, error_model="numpy")
def predict_event(
    hlm: HlmArrays, scratch: Ints, ids: Ids, values: Floats, lo: int, hi: int
) -> float:
    """Raw score of an event, before the link; fills ``scratch``, changes nothing else."""
    hash_event(hlm, scratch, ids, lo, hi)
    place_event(hlm, scratch, lo, hi)
    return score_event(hlm, scratch, ids, values, lo, hi)


@njit(cache=True, nogil=True, error_model="numpy")
def _refuse(hlm: HlmArrays, key: np.uint64) -> None:
    """Report an id as not learnt."""
    hlm.refused[hlm.meta[NOT_LEARNT] % REFUSED_KEPT] = key
    hlm.meta[NOT_LEARNT] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _insert_unknown(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Give unknown ids places in the active delta, as long as it takes them."""
    meta = hlm.meta
    relocated = meta[RELOCATED]
    known = meta[KNOWN]
    for i in range(lo, hi):
        word = SCRATCH_HEADER + i - lo
        if scratch[word] >= 0:
            continue
        place, probes = _probe_deltas(hlm, ids[i])
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def observe_event(hlm: HlmArrays, scratch: Ints) -> None:
    """Count an event and, each 256 events, new ids; keep the dearest lookup met so far."""
    meta = hlm.meta
    meta[EVENTS] += 1
    meta[LOOKUP_MAX] = max(meta[LOOKUP_MAX], scratch[MOST_PROBES])
    if meta[EVENTS] & ((1 << WINDOW_BITS) - 1) == 0:
        meta[WINDOW_MAX] = max(meta[WINDOW_MAX], meta[KNOWN] - meta[WINDOW_KNOWN])
        meta[WINDOW_KNOWN] = meta[KNOWN]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def learn_event(
    hlm: HlmArrays, scratch: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    """Apply the learning rule for error ``e`` to the places that ``reserve_event`` left."""
    in_base = scratch[IN_BASE] == 1
    learn_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi, e, lr, l2, in_base)


@njit(cache=True, nogil=True, error_model="numpy")
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

    While an event is predicted and learnt, the cache lines of the one after are under way: its
    hashes come before, its places in the base after. Nothing that an event learns moves a record
    of the base.

    Args:
        hlm: the model.
        scratch: int64[2 * (SCRATCH_HEADER + features of the longest event)].
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
    stop = y.shape[0]
    half = scratch.shape[0] // 2
    now, after = scratch[:half], scratch[half:]
    if start < stop:
        hash_event(hlm, now, ids, indptr[start], indptr[start + 1])
        place_event(hlm, now, indptr[start], indptr[start + 1])
    for t in range(start, stop):
        if attention_due(hlm):
            scratch[UNKNOWN] = 0
            return t
        lo, hi = indptr[t], indptr[t + 1]
        if t + 1 < stop:
            hash_event(hlm, after, ids, hi, indptr[t + 2])
        p = link_of(hlm, score_event(hlm, now, ids, values, lo, hi))
        if not reserve_event(hlm, now, ids, lo, hi):
            scratch[UNKNOWN] = now[UNKNOWN]
            return t
        observe_event(hlm, now)
        learn_event(hlm, now, values, lo, hi, y[t] if given else y[t] - p, lr, l2)
        predictions[t] = p
        if t + 1 < stop:
            place_event(hlm, after, hi, indptr[t + 2])
        now, after = after, now
    return stop
