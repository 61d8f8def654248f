"""Kernels of a rebuild, for a thread of its own: they hold no GIL.

They read keys, which do not change under them (nothing is inserted into base or frozen delta), and
weights, which do. A weight of the next base is written by whoever comes first: by the event that
learns it, or by ``take_over``, which writes only where nobody has. Before either, it is
``UNSET``, a signalling NaN, which arithmetic never yields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.hlm.kernels_hash import mix, unmix
from operators.hlm.kernels_memory import prefetch, replace_if
from operators.hlm.kernels_mphf import index_of
from operators.hlm.kernels_table import key_at, zero_slot

if TYPE_CHECKING:
    from operators.hlm.layout import Base, Delta

UNSET = np.uint64(0x7FF4_5E7A_0000_0001)

_AHEAD = 16  # records; their lines are asked for so many keys before they are written
_0, _1, _2 = (np.uint64(n) for n in (0, 1, 2))

Words = npt.NDArray[np.uint64]
Forward = npt.NDArray[np.uint32]


@njit(cache=True, nogil=True, error_model="numpy")
def snapshot(base: Base, frozen: Delta, word_bits: int, salt: np.uint64, hashes: Words) -> int:
    """Hash every key of base and frozen delta with the salt of the next base.

    Args:
        base: the base.
        frozen: the frozen delta.
        word_bits: binary logarithm of the words of a record.
        salt: of the next base.
        hashes: uint64[keys of both], written in no order of meaning.

    Returns:
        The number of keys.
    """
    shift = np.uint64(word_bits)
    count = 0
    for slot in range(base.keys):
        hashes[count] = mix(base.records[np.uint64(slot) << shift], salt)
        count += 1
    for slot in range(zero_slot(frozen) + 1):
        there, key = key_at(frozen, slot)
        if there:
            hashes[count] = mix(key, salt)
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def put_keys(following: Base, word_bits: int, hashes: Words) -> None:
    """Write every key to its record of the next base, and ``UNSET`` as its weight."""
    shift = np.uint64(word_bits)
    keys = np.uint64(following.keys)
    n = hashes.shape[0]
    slots = np.empty(n + _AHEAD, np.uint64)
    for i in range(min(n, _AHEAD)):
        slots[i] = index_of(hashes[i], following.pilots, following.last, keys)
    for i in range(n):
        ahead = i + _AHEAD
        if ahead < n:
            slots[ahead] = index_of(hashes[ahead], following.pilots, following.last, keys)
            prefetch(following.records, slots[ahead] << shift)
        word = slots[i] << shift
        following.records[word] = unmix(hashes[i], following.salt)
        following.records[word + _1] = UNSET
        if word_bits > 1:
            following.records[word + _2] = UNSET


@njit(cache=True, nogil=True, error_model="numpy")
def map_slots(base: Base, frozen: Delta, following: Base, word_bits: int, forward: Forward) -> None:
    """Write the record of the next base for each slot; see ``layout.Mirror.forward``."""
    shift = np.uint64(word_bits)
    keys = np.uint64(following.keys)
    for slot in range(base.keys):
        h = mix(base.records[np.uint64(slot) << shift], following.salt)
        forward[slot] = index_of(h, following.pilots, following.last, keys)
    for slot in range(zero_slot(frozen) + 1):
        there, key = key_at(frozen, slot)
        if there:
            h = mix(key, following.salt)
            forward[base.keys + slot] = index_of(h, following.pilots, following.last, keys)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _take(source: Words, slot: int, following: Base, to: np.uint64, word_bits: int) -> None:
    """Copy a record's learnt words to where nobody has written yet."""
    shift = np.uint64(word_bits)
    word, target = np.uint64(slot) << shift, to << shift
    replace_if(following.records, target + _1, UNSET, source[word + _1])
    if word_bits > 1:
        replace_if(following.records, target + _2, UNSET, source[word + _2])


@njit(cache=True, nogil=True, error_model="numpy")
def take_over(base: Base, frozen: Delta, following: Base, word_bits: int, forward: Forward) -> None:
    """Copy what is learnt to the next base, while events write there too.

    An event stores a new weight here and there. If its store there comes first, the copy finds
    the word set and leaves it; if it comes second, it replaces the copy. Either way the new weight
    stands, without a lock.
    """
    shift = np.uint64(word_bits)
    for slot in range(base.keys):
        if slot + _AHEAD < base.keys:
            prefetch(following.records, np.uint64(forward[slot + _AHEAD]) << shift)
        _take(base.records, slot, following, np.uint64(forward[slot]), word_bits)
    for slot in range(zero_slot(frozen) + 1):
        there, _ = key_at(frozen, slot)
        if there:
            to = np.uint64(forward[base.keys + slot])
            _take(frozen.records, slot, following, to, word_bits)


@njit(cache=True, nogil=True, error_model="numpy")
def strangers(base: Base, word_bits: int) -> int:
    """Records that a lookup of their key does not find; 0 in a sound base."""
    count = 0
    keys = np.uint64(base.keys)
    for slot in range(base.keys):
        h = mix(base.records[np.uint64(slot) << np.uint64(word_bits)], base.salt)
        if index_of(h, base.pilots, base.last, keys) != np.uint64(slot):
            count += 1
    return count
