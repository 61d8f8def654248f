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
from operators.hlm.kernels_rule import learn_places, score_places
from operators.hlm.kernels_table import FULL, insert, probe
from operators.hlm.layout import (
    ABSENT,
    ACTIVE,
    ACTIVE_KNOWN,
    ALARM,
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

MOST_PROBES = 0
"""Word of ``scratch``: cost of the event's dearest lookup."""

UNKNOWN = 1
"""Word of ``scratch``: features of the event whose id has no place."""

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
def low_mark(tau_low: float, capacity: int) -> int:
    """Ids in a delta of ``capacity`` slots at which a rebuild begins."""
    return max(1, int(tau_low * capacity))


@inlined
def hash_lane(
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
def place_lane(
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
def resolve(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
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
        hash_lane(scratch, _HEADER, ids, lo, hi, base.salt, base.pilots)
        place_lane(scratch, _HEADER, hi - lo, keys, base.pilots, base.last, base.records, shift)
    resolve(hlm, scratch, ids, lo, hi)


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
def count_event(meta: Ints) -> None:
    """Count an event and, each 256 events, new ids."""
    meta[EVENTS] += 1
    if meta[EVENTS] & ((1 << WINDOW_BITS) - 1) == 0:
        meta[WINDOW_MAX] = max(meta[WINDOW_MAX], meta[KNOWN] - meta[WINDOW_KNOWN])
        meta[WINDOW_KNOWN] = meta[KNOWN]


@inlined
def observe_event(hlm: HlmArrays, scratch: Ints) -> None:
    """Count an event, and keep the dearest lookup met so far."""
    hlm.meta[LOOKUP_MAX] = max(hlm.meta[LOOKUP_MAX], scratch[MOST_PROBES])
    count_event(hlm.meta)


@inlined
def learn_event(
    hlm: HlmArrays, scratch: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    """Apply the learning rule for error ``e`` to the places that ``reserve_event`` left."""
    learn_places(hlm, scratch[SCRATCH_HEADER:], values, lo, hi, e, lr, l2)
