"""Kernels of a delta: a bounded cuckoo dictionary from ids to records.

Every function takes a ``Delta``; operators/hlm/layout.py says what its fields are and where a slot
lies. A key lives in one of its d buckets of b slots, or in the stash, ring or emergency slot of its
sub-table, or, if it is 0, in a slot of its own.

A lookup's cost is the number of records whose key it compares. An insert's cost is that of the
lookup that failed, one for each record it moves, and one for the final write. ``HlmConfig`` has
the bounds of both, ``meta`` the largest costs met. No slot is ever vacated, so stash and ring fill
in order and their vacant part is never searched.

Source: seeds, section 2.1; Kirsch, Mitzenmacher and Wieder, "More robust hashing: cuckoo hashing
with a stash" (2009), for the stash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.compiled import inlined, kernel
from operators.hlm.kernels_hash import mix
from operators.hlm.layout import (
    ABSENT,
    ACTIVE_KNOWN,
    BLOCK_WORD_BITS,
    EMERGENCY_USED,
    KNOWN,
    RELOCATED,
    RING_OCCUPANCY,
    STASH_OCCUPANCY,
    Delta,
)

FULL = -2

# Slots are int64 between functions and uint64 where they index: a signed index costs a test for
# "from the end" at every access. Mixed arithmetic would be float64, hence constants of this type.
_0, _1, _2, _3, _4, _8 = (np.uint64(n) for n in (0, 1, 2, 3, 4, 8))
_63 = np.uint64(63)
_BLOCK_WORD_BITS = np.uint64(BLOCK_WORD_BITS)

Ints = npt.NDArray[np.int64]


@inlined
def subtable_of(delta: Delta, h: np.uint64) -> np.uint64:
    """Sub-table of a hash: its highest bits."""
    return (h >> _1) >> (_63 - np.uint64(delta.geometry.sub_bits))


@inlined
def bucket_of(delta: Delta, h: np.uint64, choice: int) -> np.uint64:
    """First slot of a hash's bucket: ``bucket_bits`` bits a choice, from the lowest on."""
    bits = np.uint64(delta.geometry.bucket_bits)
    row = (h >> (np.uint64(choice) * bits)) & ((_1 << bits) - _1)
    return ((subtable_of(delta, h) << bits) | row) * np.uint64(delta.geometry.bucket)


@inlined
def overflow_of(delta: Delta, subtable: np.uint64) -> np.uint64:
    """First slot of a sub-table's stash; ring and emergency slot follow it."""
    g = delta.geometry
    capacity = np.uint64(g.bucket) << np.uint64(g.bucket_bits + g.sub_bits)
    return capacity + subtable * np.uint64(g.overflow)


@inlined
def zero_slot(delta: Delta) -> int:
    """Slot of id 0: the last one."""
    return int(np.int64(overflow_of(delta, _1 << np.uint64(delta.geometry.sub_bits))))


@inlined
def probe(delta: Delta, key: np.uint64) -> tuple[int, int]:
    """Slot of ``key``, or ``ABSENT``, and the number of records compared.

    Four records are compared without a branch between them: where in a line a key stands cannot be
    predicted, and a wrong guess costs more than four comparisons (measured: 8 ns a feature instead
    of 18, at 10^4 ids). The count is that of a scan that stops at the key.
    """
    records = delta.records
    shift = np.uint64(delta.geometry.word_bits)
    if key == _0:
        slot = zero_slot(delta)
        return (slot if records[np.uint64(slot) << shift] == _1 else ABSENT), 1
    h = mix(key, delta.salt)
    probes = _0
    for choice in range(delta.geometry.choices):
        first = bucket_of(delta, h, choice)
        for line in range(first, first + np.uint64(delta.geometry.bucket), _4):
            found = (
                np.uint64(records[line << shift] == key)
                | (np.uint64(records[(line + _1) << shift] == key) * _2)
                | (np.uint64(records[(line + _2) << shift] == key) * _3)
                | (np.uint64(records[(line + _3) << shift] == key) * _4)
            )
            if found != _0:
                return int(np.int64(line + found - _1)), int(np.int64(probes + found))
            probes += _4
    subtable = subtable_of(delta, h)
    first = overflow_of(delta, subtable)
    for slot in range(first, first + np.uint64(delta.overflow_used[subtable])):
        probes += _1
        if records[slot << shift] == key:
            return int(np.int64(slot)), int(np.int64(probes))
    return ABSENT, int(np.int64(probes))


@inlined
def _write(delta: Delta, slot: np.uint64, key: np.uint64, weight: float, squares: float) -> None:
    word = slot << np.uint64(delta.geometry.word_bits)
    delta.records[word] = key
    delta.weights[word + _1] = weight
    if delta.geometry.word_bits > 1:
        delta.weights[word + _2] = squares
    delta.dirty[word >> _BLOCK_WORD_BITS] = 1


@inlined
def squares_of(delta: Delta, slot: np.uint64) -> float:
    """Sum of squared gradients of a record; 0 where records have none."""
    if delta.geometry.word_bits > 1:
        return float(delta.weights[(slot << np.uint64(delta.geometry.word_bits)) + _2])
    return 0.0


@kernel
def _write_to_bucket(
    delta: Delta, h: np.uint64, key: np.uint64, weight: float, squares: float
) -> int:
    """Write a record to the first vacant slot of its buckets; its slot, or ``ABSENT``."""
    shift = np.uint64(delta.geometry.word_bits)
    for choice in range(delta.geometry.choices):
        first = bucket_of(delta, h, choice)
        for slot in range(first, first + np.uint64(delta.geometry.bucket)):
            if delta.records[slot << shift] == _0:
                _write(delta, np.uint64(slot), key, weight, squares)
                return int(np.int64(slot))
    return ABSENT


@kernel
def _write_to_overflow(
    delta: Delta, meta: Ints, subtable: np.uint64, key: np.uint64, weight: float, squares: float
) -> int:
    """Write a record to the next vacant slot of stash, ring, emergency slot; there must be one."""
    taken = int(delta.overflow_used[subtable])
    slot = overflow_of(delta, subtable) + np.uint64(taken)
    _write(delta, slot, key, weight, squares)
    delta.overflow_used[subtable] = taken + 1
    if taken < delta.geometry.stash:
        meta[STASH_OCCUPANCY] += 1
    elif taken < delta.geometry.overflow - 1:
        meta[RING_OCCUPANCY] += 1
    else:
        meta[EMERGENCY_USED] += 1
    return int(np.int64(slot))


@kernel
def _relocate(delta: Delta, meta: Ints, h: np.uint64, key: np.uint64) -> int:
    """Insert a record whose buckets are full; its sub-table must have an overflow slot free.

    A random walk, drawn from the key's hash: put the record in hand into one of its buckets (not
    the one it was just driven out of), take the one that stood there in hand, until that finds a
    vacant slot or L records have moved. What is then in hand goes to the overflow.

    Returns:
        Slot in which the inserted record ended; the walk may have moved it more than once.
    """
    choices = np.uint64(delta.geometry.choices)
    lanes = np.uint64(delta.geometry.bucket - 1)
    shift = np.uint64(delta.geometry.word_bits)
    subtable = subtable_of(delta, h)
    weight, squares = 0.0, 0.0
    inserted = key
    home = ABSENT
    walk = h
    left = ~_0
    for _ in range(delta.geometry.relocations):
        walk = mix(walk, delta.salt)
        choice = int(np.int64(walk % choices))
        if bucket_of(delta, h, choice) == left:
            choice = (choice + 1) % delta.geometry.choices
        left = bucket_of(delta, h, choice)
        slot = left + ((walk >> _8) & lanes)
        evicted = delta.records[slot << shift]
        evicted_weight = delta.weights[(slot << shift) + _1]
        evicted_squares = squares_of(delta, slot)
        _write(delta, slot, key, weight, squares)
        meta[RELOCATED] += 1
        if key == inserted:
            home = int(np.int64(slot))
        key = evicted
        weight = evicted_weight
        squares = evicted_squares
        h = mix(key, delta.salt)
        settled = _write_to_bucket(delta, h, key, weight, squares)
        if settled != ABSENT:
            return settled if key == inserted else home
    settled = _write_to_overflow(delta, meta, subtable, key, weight, squares)
    return settled if key == inserted else home


@kernel
def insert(delta: Delta, meta: Ints, key: np.uint64) -> int:
    """Insert a key that is absent, with weight 0; its slot, or ``FULL``: nothing has changed.

    If the key's buckets are full, an overflow slot must be free before any record is moved: a
    walk never ends with a record in hand and nowhere to put it. Slots found before are void if
    ``meta[RELOCATED]`` rose.
    """
    if key == _0:
        slot = zero_slot(delta)
        _write(delta, np.uint64(slot), _1, 0.0, 0.0)
    else:
        h = mix(key, delta.salt)
        slot = _write_to_bucket(delta, h, key, 0.0, 0.0)
        if slot == ABSENT:
            if delta.overflow_used[subtable_of(delta, h)] == delta.geometry.overflow:
                return FULL
            slot = _relocate(delta, meta, h, key)
    meta[KNOWN] += 1
    meta[ACTIVE_KNOWN] += 1
    return slot


@inlined
def key_at(delta: Delta, slot: int) -> tuple[bool, np.uint64]:
    """Whether there is a record in a slot, and its key."""
    key = delta.records[np.uint64(slot) << np.uint64(delta.geometry.word_bits)]
    if slot == zero_slot(delta):
        return key == _1, _0
    return key != _0, key


@kernel
def misplaced(delta: Delta) -> int:
    """Records that a lookup of their key does not find; 0 in a sound delta."""
    count = 0
    for slot in range(zero_slot(delta) + 1):
        there, key = key_at(delta, slot)
        if there and probe(delta, key)[0] != slot:
            count += 1
    return count
