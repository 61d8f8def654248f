"""Kernels of Hlm's table: a bounded cuckoo dictionary from ids to weights.

Every function takes ``hlm``, the ``HlmArrays`` of a model; operators/hlm/layout.py says what its
fields are and where a slot lies. A key lives in one of its d buckets of b slots, or in the stash,
ring or emergency slot of its sub-table, or, if it is 0, in a slot of its own.

A lookup's cost is the number of records whose key it compares. An insert's cost is that of the
lookup that failed, one for each record it moves, and one for the final write. ``HlmConfig`` has
the bounds of both, ``meta`` the largest costs met. No slot is ever vacated, so stash and ring fill
in order and their vacant part is never searched.

Source: seeds, section 2.1; Kirsch, Mitzenmacher and Wieder, "More robust hashing: cuckoo hashing
with a stash" (2009), for the stash.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from operators.hlm.layout import (
    BLOCK_SLOT_BITS,
    EMERGENCY_USED,
    INSERT_MAX,
    KNOWN,
    RELOCATED,
    RING_OCCUPANCY,
    STASH_OCCUPANCY,
    HlmArrays,
)

ABSENT = -1
FULL = -2

# Finaliser of splitmix64 (Stafford's variant 13), with the salt once more between its rounds.
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)

# Slots are int64 between functions and uint64 where they index: a signed index costs a test for
# "from the end" at every access. Mixed arithmetic would be float64, hence constants of this type.
_0, _1, _2, _3, _4, _6, _8 = (np.uint64(n) for n in (0, 1, 2, 3, 4, 6, 8))
_27, _30, _31, _32, _63 = (np.uint64(n) for n in (27, 30, 31, 32, 63))
_BLOCK_SLOT_BITS = np.uint64(BLOCK_SLOT_BITS)


@njit(cache=True, nogil=True, error_model="numpy")
def mix(key: np.uint64, salt: np.uint64) -> np.uint64:
    """Keyed hash of 64 bits; for each salt a permutation of the keys."""
    h = key ^ salt
    h = (h ^ (h >> _30)) * _MULTIPLIER_1
    h = h + ((salt << _32) | (salt >> _32))
    h = (h ^ (h >> _27)) * _MULTIPLIER_2
    return h ^ (h >> _31)


@njit(cache=True, nogil=True, error_model="numpy")
def subtable_of(hlm: HlmArrays, h: np.uint64) -> np.uint64:
    """Sub-table of a hash: its highest bits, so that doubling splits each sub-table in two."""
    return (h >> _1) >> (_63 - np.uint64(hlm.geometry.sub_bits))


@njit(cache=True, nogil=True, error_model="numpy")
def bucket_of(hlm: HlmArrays, h: np.uint64, choice: int) -> np.uint64:
    """First slot of a hash's bucket: ``bucket_bits`` bits a choice, from the lowest on."""
    bits = np.uint64(hlm.geometry.bucket_bits)
    row = (h >> (np.uint64(choice) * bits)) & ((_1 << bits) - _1)
    return ((subtable_of(hlm, h) << bits) | row) * np.uint64(hlm.geometry.bucket)


@njit(cache=True, nogil=True, error_model="numpy")
def overflow_of(hlm: HlmArrays, subtable: np.uint64) -> np.uint64:
    """First slot of a sub-table's stash; ring and emergency slot follow it."""
    g = hlm.geometry
    capacity = np.uint64(g.bucket) << np.uint64(g.bucket_bits + g.sub_bits)
    return capacity + subtable * np.uint64(g.overflow)


@njit(cache=True, nogil=True, error_model="numpy")
def zero_slot(hlm: HlmArrays) -> int:
    """Slot of id 0: the last one."""
    return int(np.int64(overflow_of(hlm, _1 << np.uint64(hlm.geometry.sub_bits))))


@njit(cache=True, nogil=True, error_model="numpy")
def probe(hlm: HlmArrays, key: np.uint64) -> tuple[int, int]:
    """Slot of ``key``, or ``ABSENT``, and the number of records compared.

    The four records of a cache line are compared without a branch between them: where in a line
    a key stands cannot be predicted, and a wrong guess costs more than four comparisons
    (measured: 8 ns a feature instead of 18, at 10^4 ids). The count is that of a scan that stops
    at the key.
    """
    records = hlm.records
    if key == _0:
        slot = zero_slot(hlm)
        return (slot if records[_2 * np.uint64(slot)] == _1 else ABSENT), 1
    h = mix(key, hlm.salt)
    probes = _0
    for choice in range(hlm.geometry.choices):
        first = bucket_of(hlm, h, choice)
        for line in range(first, first + np.uint64(hlm.geometry.bucket), _4):
            word = _2 * line
            found = (
                np.uint64(records[word] == key)
                | (np.uint64(records[word + _2] == key) * _2)
                | (np.uint64(records[word + _4] == key) * _3)
                | (np.uint64(records[word + _6] == key) * _4)
            )
            if found != _0:
                return int(np.int64(line + found - _1)), int(np.int64(probes + found))
            probes += _4
    subtable = subtable_of(hlm, h)
    first = overflow_of(hlm, subtable)
    for slot in range(first, first + np.uint64(hlm.overflow_used[subtable])):
        probes += _1
        if records[_2 * slot] == key:
            return int(np.int64(slot)), int(np.int64(probes))
    return ABSENT, int(np.int64(probes))


@njit(cache=True, nogil=True, error_model="numpy")
def locate(hlm: HlmArrays, key: np.uint64) -> int:
    """Slot of ``key``, or ``ABSENT``."""
    return probe(hlm, key)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _write(hlm: HlmArrays, slot: np.uint64, key: np.uint64, weight: float) -> None:
    hlm.records[_2 * slot] = key
    hlm.weights[_2 * slot + _1] = weight
    hlm.dirty[slot >> _BLOCK_SLOT_BITS] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def _write_to_bucket(hlm: HlmArrays, h: np.uint64, key: np.uint64, weight: float) -> int:
    """Write a record to the first vacant slot of its buckets; its slot, or ``ABSENT``."""
    for choice in range(hlm.geometry.choices):
        first = bucket_of(hlm, h, choice)
        for slot in range(first, first + np.uint64(hlm.geometry.bucket)):
            if hlm.records[_2 * slot] == _0:
                _write(hlm, np.uint64(slot), key, weight)
                return int(np.int64(slot))
    return ABSENT


@njit(cache=True, nogil=True, error_model="numpy")
def _write_to_overflow(hlm: HlmArrays, subtable: np.uint64, key: np.uint64, weight: float) -> int:
    """Write a record to the next vacant slot of stash, ring, emergency slot; there must be one."""
    taken = int(hlm.overflow_used[subtable])
    slot = overflow_of(hlm, subtable) + np.uint64(taken)
    _write(hlm, slot, key, weight)
    hlm.overflow_used[subtable] = taken + 1
    if taken < hlm.geometry.stash:
        hlm.meta[STASH_OCCUPANCY] += 1
    elif taken < hlm.geometry.overflow - 1:
        hlm.meta[RING_OCCUPANCY] += 1
    else:
        hlm.meta[EMERGENCY_USED] += 1
    return int(np.int64(slot))


@njit(cache=True, nogil=True, error_model="numpy")
def _relocate(hlm: HlmArrays, h: np.uint64, key: np.uint64, weight: float) -> int:
    """Insert a record whose buckets are full; its sub-table must have an overflow slot free.

    A random walk, drawn from the key's hash: put the record in hand into one of its buckets (not
    the one it was just driven out of), take the one that stood there in hand, until that finds a
    vacant slot or L records have moved. What is then in hand goes to the overflow.

    Returns:
        Slot in which the inserted record ended; the walk may have moved it more than once.
    """
    choices = np.uint64(hlm.geometry.choices)
    lanes = np.uint64(hlm.geometry.bucket - 1)
    subtable = subtable_of(hlm, h)
    inserted = key
    home = ABSENT
    walk = h
    left = ~_0
    for _ in range(hlm.geometry.relocations):
        walk = mix(walk, hlm.salt)
        choice = int(np.int64(walk % choices))
        if bucket_of(hlm, h, choice) == left:
            choice = (choice + 1) % hlm.geometry.choices
        left = bucket_of(hlm, h, choice)
        slot = left + ((walk >> _8) & lanes)
        evicted = hlm.records[_2 * slot]
        evicted_weight = hlm.weights[_2 * slot + _1]
        _write(hlm, slot, key, weight)
        hlm.meta[RELOCATED] += 1
        if key == inserted:
            home = int(np.int64(slot))
        key = evicted
        weight = evicted_weight
        h = mix(key, hlm.salt)
        settled = _write_to_bucket(hlm, h, key, weight)
        if settled != ABSENT:
            return settled if key == inserted else home
    settled = _write_to_overflow(hlm, subtable, key, weight)
    return settled if key == inserted else home


@njit(cache=True, nogil=True, error_model="numpy")
def insert(hlm: HlmArrays, key: np.uint64, weight: float) -> int:
    """Insert a key that is absent; its slot, or ``FULL``, and then nothing has changed.

    If the key's buckets are full, an overflow slot must be free before any record is moved: a
    walk never ends with a record in hand and nowhere to put it.
    """
    if key == _0:
        slot = zero_slot(hlm)
        _write(hlm, np.uint64(slot), _1, weight)
    else:
        h = mix(key, hlm.salt)
        slot = _write_to_bucket(hlm, h, key, weight)
        if slot == ABSENT:
            if hlm.overflow_used[subtable_of(hlm, h)] == hlm.geometry.overflow:
                return FULL
            slot = _relocate(hlm, h, key, weight)
    hlm.meta[KNOWN] += 1
    return slot


@njit(cache=True, nogil=True, error_model="numpy")
def locate_or_insert(hlm: HlmArrays, key: np.uint64) -> int:
    """Slot of ``key``, inserted with weight 0 if it was absent; ``FULL`` if there is no room.

    An insert may move other records: slots found before are void if ``meta[RELOCATED]`` rose.
    """
    slot, probes = probe(hlm, key)
    if slot == ABSENT:
        relocated = hlm.meta[RELOCATED]
        slot = insert(hlm, key, 0.0)
        if slot != FULL:
            steps = probes + (hlm.meta[RELOCATED] - relocated) + 1
            hlm.meta[INSERT_MAX] = max(hlm.meta[INSERT_MAX], steps)
    return slot


@njit(cache=True, nogil=True, error_model="numpy")
def rehash(old: HlmArrays, new: HlmArrays) -> bool:
    """Insert every record of ``old`` into the empty table ``new``, in slot order.

    Returns:
        False if a sub-table of ``new`` is full; then ``old`` is as it was, and ``new`` is void.
    """
    zero = zero_slot(old)
    for slot in range(zero):
        key = old.records[2 * slot]
        if key != _0 and insert(new, key, old.weights[2 * slot + 1]) == FULL:
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
