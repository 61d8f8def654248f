"""Kernels of Hlm: a bounded cuckoo dictionary of weights, and what one event does to it.

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

A lookup's cost is the number of records whose key it compares. An insert's cost is that of the
lookup that failed, one for each record it moves, and one for the final write. ``HlmConfig`` has
both bounds; ``meta`` the largest costs met. No slot is ever vacated, so stash and ring fill in
order and their vacant part is never searched.
"""

# ruff: noqa: PLR0917 - kernels take flat arrays by position, one argument an array
from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.hlm.layout import (
    BIAS,
    BLOCK_SLOT_BITS,
    EMERGENCY_USED,
    EVENTS,
    INSERT_MAX,
    KNOWN,
    LIMIT,
    LINK_LOGISTIC,
    LOOKUP_MAX,
    RELOCATED,
    RING_OCCUPANCY,
    STASH_OCCUPANCY,
    HlmArrays,
)
from operators.numerics import sigmoid

MOST_PROBES = 0
"""Word of ``scratch``: cost of the event's dearest lookup."""

UNKNOWN = 1
"""Word of ``scratch``: features of the event whose id is not in the table."""

SCRATCH_HEADER = 2
"""Words of ``scratch`` before the slots."""

ABSENT = -1
FULL = -2

# Finaliser of splitmix64 (Stafford's variant 13), with the salt once more between its rounds.
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_0 = np.uint64(0)
_1 = np.uint64(1)
_8 = np.uint64(8)
_27 = np.uint64(27)
_30 = np.uint64(30)
_31 = np.uint64(31)
_32 = np.uint64(32)

Ids = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def mix(key: np.uint64, salt: np.uint64) -> np.uint64:
    """Keyed hash of 64 bits; for each salt a permutation of the keys."""
    h = key ^ salt
    h = (h ^ (h >> _30)) * _MULTIPLIER_1
    h = h + ((salt << _32) | (salt >> _32))
    h = (h ^ (h >> _27)) * _MULTIPLIER_2
    return h ^ (h >> _31)


@njit(cache=True, nogil=True, error_model="numpy")
def subtable_of(hlm: HlmArrays, h: np.uint64) -> int:
    """Sub-table of a hash: its highest bits, so that doubling splits each sub-table in two."""
    return int(np.int64((h >> _1) >> np.uint64(63 - hlm.geometry.sub_bits)))


@njit(cache=True, nogil=True, error_model="numpy")
def bucket_of(hlm: HlmArrays, h: np.uint64, choice: int) -> int:
    """First slot of a hash's bucket: ``bucket_bits`` bits a choice, from the lowest on."""
    g = hlm.geometry
    row = int(np.int64(h >> np.uint64(choice * g.bucket_bits))) & ((1 << g.bucket_bits) - 1)
    return ((subtable_of(hlm, h) << g.bucket_bits) | row) * g.bucket


@njit(cache=True, nogil=True, error_model="numpy")
def overflow_of(hlm: HlmArrays, subtable: int) -> int:
    """First slot of a sub-table's stash; ring and emergency slot follow it."""
    g = hlm.geometry
    return (g.bucket << (g.bucket_bits + g.sub_bits)) + subtable * g.overflow


@njit(cache=True, nogil=True, error_model="numpy")
def zero_slot(hlm: HlmArrays) -> int:
    """Slot of id 0: the last one."""
    return overflow_of(hlm, 1 << hlm.geometry.sub_bits)


@njit(cache=True, nogil=True, error_model="numpy")
def probe(hlm: HlmArrays, key: np.uint64) -> tuple[int, int]:
    """Slot of ``key``, or ``ABSENT``, and the number of records compared."""
    g = hlm.geometry
    if key == _0:
        slot = zero_slot(hlm)
        return (slot if hlm.records[2 * slot] == _1 else ABSENT), 1
    h = mix(key, hlm.salt)
    probes = 0
    for choice in range(g.choices):
        first = bucket_of(hlm, h, choice)
        for lane in range(g.bucket):
            probes += 1
            if hlm.records[2 * (first + lane)] == key:
                return first + lane, probes
    subtable = subtable_of(hlm, h)
    first = overflow_of(hlm, subtable)
    for lane in range(int(np.int64(hlm.overflow_used[subtable]))):
        probes += 1
        if hlm.records[2 * (first + lane)] == key:
            return first + lane, probes
    return ABSENT, probes


@njit(cache=True, nogil=True, error_model="numpy")
def locate(hlm: HlmArrays, key: np.uint64) -> int:
    """Slot of ``key``, or ``ABSENT``."""
    return probe(hlm, key)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _write(hlm: HlmArrays, slot: int, key: np.uint64, weight: float) -> None:
    hlm.records[2 * slot] = key
    hlm.weights[2 * slot + 1] = weight
    hlm.dirty[slot >> BLOCK_SLOT_BITS] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def _write_to_bucket(
    hlm: HlmArrays, h: np.uint64, key: np.uint64, weight: float, full: int
) -> bool:
    """Write a record to the first vacant slot of its buckets, ``full`` (a first slot) left out."""
    g = hlm.geometry
    for choice in range(g.choices):
        first = bucket_of(hlm, h, choice)
        if first != full:
            for lane in range(g.bucket):
                if hlm.records[2 * (first + lane)] == _0:
                    _write(hlm, first + lane, key, weight)
                    return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _write_to_overflow(hlm: HlmArrays, subtable: int, key: np.uint64, weight: float) -> None:
    """Write a record to the next vacant slot of stash, ring, emergency slot; there must be one."""
    g = hlm.geometry
    taken = int(np.int64(hlm.overflow_used[subtable]))
    _write(hlm, overflow_of(hlm, subtable) + taken, key, weight)
    hlm.overflow_used[subtable] = taken + 1
    if taken < g.stash:
        hlm.meta[STASH_OCCUPANCY] += 1
    elif taken < g.overflow - 1:
        hlm.meta[RING_OCCUPANCY] += 1
    else:
        hlm.meta[EMERGENCY_USED] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def insert(hlm: HlmArrays, key: np.uint64, weight: float) -> bool:
    """Insert a key that is absent; False: no room in its sub-table, and nothing has changed.

    A random walk of at most L relocations, drawn from the key's hash; the record that is homeless
    after it goes to stash, ring or emergency slot. One of these must be free before the walk
    starts, so that it never ends with a record in hand.
    """
    g = hlm.geometry
    if key == _0:
        _write(hlm, zero_slot(hlm), _1, weight)
        hlm.meta[KNOWN] += 1
        return True
    h = mix(key, hlm.salt)
    subtable = subtable_of(hlm, h)
    if not _write_to_bucket(hlm, h, key, weight, ABSENT):
        if hlm.overflow_used[subtable] == g.overflow:
            return False
        walk = h
        full = ABSENT
        settled = False
        for _ in range(g.relocations):
            walk = mix(walk, hlm.salt)
            choice = int(np.int64(walk % np.uint64(g.choices)))
            if bucket_of(hlm, h, choice) == full:
                choice = (choice + 1) % g.choices
            full = bucket_of(hlm, h, choice)
            slot = full + (int(np.int64(walk >> _8)) & (g.bucket - 1))
            evicted = hlm.records[2 * slot]
            evicted_weight = hlm.weights[2 * slot + 1]
            _write(hlm, slot, key, weight)
            hlm.meta[RELOCATED] += 1
            key = evicted
            weight = evicted_weight
            h = mix(key, hlm.salt)
            if _write_to_bucket(hlm, h, key, weight, full):
                settled = True
                break
        if not settled:
            _write_to_overflow(hlm, subtable, key, weight)
    hlm.meta[KNOWN] += 1
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def locate_or_insert(hlm: HlmArrays, key: np.uint64) -> int:
    """Slot of ``key``, inserted with weight 0 if it was absent; ``FULL`` if there is no room.

    An insert may move other records: slots found before are void if ``meta[RELOCATED]`` rose.
    """
    slot, probes = probe(hlm, key)
    if slot == ABSENT:
        relocated = hlm.meta[RELOCATED]
        if not insert(hlm, key, 0.0):
            return FULL
        steps = probes + (hlm.meta[RELOCATED] - relocated) + 1
        hlm.meta[INSERT_MAX] = max(hlm.meta[INSERT_MAX], steps)
        slot = locate(hlm, key)
    return slot


@njit(cache=True, nogil=True, error_model="numpy")
def locate_event(hlm: HlmArrays, scratch: Ints, ids: Ids, lo: int, hi: int) -> None:
    """Fill ``scratch`` with the slots of an event's features, and its header."""
    most = 0
    unknown = 0
    for i in range(lo, hi):
        slot, probes = probe(hlm, ids[i])
        scratch[SCRATCH_HEADER + i - lo] = slot
        most = max(most, probes)
        unknown += slot < 0
    scratch[MOST_PROBES] = most
    scratch[UNKNOWN] = unknown


@njit(cache=True, nogil=True, error_model="numpy")
def predict_event(
    hlm: HlmArrays, scratch: Ints, ids: Ids, values: Floats, lo: int, hi: int
) -> float:
    """Raw score of an event, before the link; fills ``scratch``, changes nothing else."""
    locate_event(hlm, scratch, ids, lo, hi)
    score: float = hlm.params[BIAS]
    for i in range(lo, hi):
        slot = scratch[SCRATCH_HEADER + i - lo]
        if slot >= 0:
            score += hlm.weights[2 * slot + 1] * values[i]
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
    for i in range(lo, hi):
        slot = scratch[SCRATCH_HEADER + i - lo]
        weight = 2 * slot + 1
        hlm.weights[weight] = decay * hlm.weights[weight] + step * values[i]
        hlm.dirty[slot >> BLOCK_SLOT_BITS] = 1
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


@njit(cache=True, nogil=True, error_model="numpy")
def rehash(old: HlmArrays, new: HlmArrays) -> bool:
    """Insert every record of ``old`` into the empty table ``new``, in slot order.

    Returns:
        False if a sub-table of ``new`` is full; then ``old`` is as it was, and ``new`` is void.
    """
    zero = zero_slot(old)
    for slot in range(zero):
        key = old.records[2 * slot]
        if key != _0 and not insert(new, key, old.weights[2 * slot + 1]):
            return False
    if old.records[2 * zero] == _1:
        insert(new, _0, old.weights[2 * zero + 1])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def misplaced(hlm: HlmArrays) -> int:
    """Records that a lookup of their key does not find; 0 in a sound table."""
    count = 0
    for slot in range(zero_slot(hlm)):
        key = hlm.records[2 * slot]
        if key != _0 and locate(hlm, key) != slot:
            count += 1
    return count
