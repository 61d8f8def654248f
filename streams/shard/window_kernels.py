"""Kernels of the window of event names: keyed hashes of names, and a table of the latest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Ints = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
# Finaliser of MurmurHash3 (Austin Appleby): FNV-1a alone spreads the last bytes badly.
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_33 = np.uint64(33)
_0 = np.uint64(0)
_1 = np.uint64(1)
_SEPARATOR = np.uint64(0xFF)  # no byte of UTF-8

COUNT = 0  # names so far
USED = 1  # slots of the table in use
STATE_WORDS = 2


@njit(cache=True, nogil=True)
def hash_names(
    raw: Bytes,
    id_starts: Ints,
    id_lengths: Ints,
    event_starts: Ints,
    event_lengths: Ints,
    key: np.uint64,
    out: Words,
) -> None:
    """Hash entity and event id of each event; never 0. FNV-1a under a key, then mixed."""
    for i in range(out.shape[0]):
        h = _FNV_OFFSET ^ key
        for at in range(id_starts[i], id_starts[i] + id_lengths[i]):
            h = (h ^ np.uint64(raw[at])) * _FNV_PRIME
        h = (h ^ _SEPARATOR) * _FNV_PRIME
        for at in range(event_starts[i], event_starts[i] + event_lengths[i]):
            h = (h ^ np.uint64(raw[at])) * _FNV_PRIME
        h ^= h >> _33
        h *= _MIX_1
        h ^= h >> _33
        h *= _MIX_2
        h ^= h >> _33
        out[i] = h if h != _0 else _1


@njit(cache=True, nogil=True)
def _slot_of(keys: Words, h: np.uint64) -> int:
    """Slot of a hash, or the free one where it would stand."""
    mask = np.uint64(keys.shape[0] - 1)
    slot = h & mask
    while keys[slot] != _0 and keys[slot] != h:
        slot = (slot + _1) & mask
    return int(np.int64(slot))


@njit(cache=True, nogil=True)
def scan(
    hashes: Words,
    start: int,
    stop: int,
    keys: Words,
    turns: Ints,
    ring: Words,
    state: Ints,
    window: int,
) -> int:
    """Put names into the window up to the first that is in it already.

    Args:
        hashes: of all events of a batch.
        start: first event to look at.
        stop: event to stop before.
        keys: open-addressing table; its length is a power of two, and at least twice as many as it
            will hold.
        turns: when each was seen last; 0: forgotten.
        ring: the latest names; turn t stands at (t - 1) % len.
        state: int64[STATE_WORDS].
        window: turns after which a name is forgotten.

    Returns:
        The first event that is a repetition; ``stop`` if there is none.
    """
    for i in range(start, stop):
        h = hashes[i]
        slot = _slot_of(keys, h)
        if keys[slot] == h:
            if turns[slot] > 0 and turns[slot] > state[COUNT] - window:
                return i
        else:
            keys[slot] = h
            state[USED] += 1
        state[COUNT] += 1
        turns[slot] = state[COUNT]
        ring[(state[COUNT] - 1) % ring.shape[0]] = h
    return stop


@njit(cache=True, nogil=True)
def forget(h: np.uint64, keys: Words, turns: Ints, ring: Words) -> None:
    """Take a name out of the window, as if it had not been seen; its turn stays taken."""
    slot = _slot_of(keys, h)
    if keys[slot] == h and turns[slot] > 0:
        ring[(turns[slot] - 1) % ring.shape[0]] = _0
        turns[slot] = 0


@njit(cache=True, nogil=True)
def contains(h: np.uint64, keys: Words, turns: Ints, state: Ints, window: int) -> bool:
    """Whether a name is in the window."""
    slot = _slot_of(keys, h)
    return bool(keys[slot] == h and turns[slot] > 0 and turns[slot] > state[COUNT] - window)


@njit(cache=True, nogil=True)
def rebuild(keys: Words, turns: Ints, ring: Words, state: Ints, window: int) -> None:
    """Fill an empty table with the names that are in the window."""
    count = state[COUNT]
    state[USED] = 0
    for turn in range(max(1, count - window + 1), count + 1):
        h = ring[(turn - 1) % ring.shape[0]]
        if h == _0:
            continue
        slot = _slot_of(keys, h)
        if keys[slot] != h:
            keys[slot] = h
            state[USED] += 1
        turns[slot] = turn
