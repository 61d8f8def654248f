"""A minimal perfect hash over a set of keys: n keys to 0 .. n-1, one byte read a lookup.

A key's hash h (operators/hlm/kernels_hash.py) names a bucket by its upper half. The bucket's pilot,
one byte, chosen at construction, sends the hash to one of m > n places:

    bucket = floor(upper 32 bits of h * buckets / 2^32)
    place  = floor(upper 32 bits of ((h xor pilot * P) * C) * m / 2^32)

and the few keys whose place is n or more are sent to the free places below by a table.

Construction puts the buckets in, the largest first, each with the first pilot under which its keys
meet no other's. Where no pilot does, it takes the one that drives out the least, and the buckets
driven out are put in again. Should that not end soon the caller takes another salt.

At 3 keys a bucket and n/m = 0.99 this takes 8/3 bits a key for pilots and 0.32 for the table.

Sources: Groot Koerkamp, "PtrHash: minimal perfect hashing at RAM throughput" (2025), for eviction
and the constants; Pibiri and Trani, "PTHash" (2021), for pilots and the table of the last places.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.compiled import inlined
from operators.hlm.kernels_hash import mix

KEYS_IN_BUCKET = 3
"""Keys a bucket on average (lambda)."""

SPARE_PART = 99
"""There is one spare place for each so many keys: n/m = 0.99."""

MAX_KEYS = (1 << 32) - (1 << 26)
"""Most keys of one base: places, spare ones included, are numbers of 32 bits."""

_PILOTS = 256
_MAX_BUCKET = 255
_RECENT = 16  # buckets just put in are not driven out at once
_EVICTIONS_A_BUCKET = 10

_PILOT_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_PLACE_MULTIPLIER = np.uint64(0x517CC1B727220A95)
_0, _1, _6, _32, _63 = (np.uint64(n) for n in (0, 1, 6, 32, 63))

Words = npt.NDArray[np.uint64]
Pilots = npt.NDArray[np.uint8]
Table = npt.NDArray[np.uint32]


def places_for(keys: int) -> int:
    """Places that ``keys`` keys are sent to at first (m)."""
    return keys + keys // SPARE_PART + 1


def buckets_for(keys: int) -> int:
    """Buckets of ``keys`` keys."""
    return keys // KEYS_IN_BUCKET + 1


@inlined
def bucket_of(h: np.uint64, buckets: np.uint64) -> np.uint64:
    """Bucket of a hash; it rises with the hash."""
    return ((h >> _32) * buckets) >> _32


@inlined
def place_of(h: np.uint64, pilot: np.uint64, places: np.uint64) -> np.uint64:
    """Place of a hash under a pilot, in 0 .. places-1."""
    t = (h ^ (pilot * _PILOT_MULTIPLIER)) * _PLACE_MULTIPLIER
    return ((t >> _32) * places) >> _32


@inlined
def index_of(h: np.uint64, pilots: Pilots, last: Table, keys: np.uint64) -> np.uint64:
    """Index of a hashed key in 0 .. keys-1; of a foreign key any of these."""
    pilot = np.uint64(pilots[bucket_of(h, np.uint64(pilots.shape[0]))])
    place = place_of(h, pilot, keys + np.uint64(last.shape[0]))
    return place if place < keys else np.uint64(last[place - keys])


@njit(cache=True, nogil=True, error_model="numpy")
def hash_keys(keys: Words, salt: np.uint64, out: Words) -> None:
    """Hash every key."""
    for i in range(keys.shape[0]):
        out[i] = mix(keys[i], salt)


@inlined
def _taken(bits: Words, place: np.uint64) -> bool:
    return bool(((bits[place >> _6] >> (place & _63)) & _1) != _0)


@inlined
def _fits(hashes: Words, lo: int, hi: int, pilot: int, bits: Words, m: np.uint64) -> bool:
    """Whether the bucket's keys all meet free and different places under the pilot."""
    for i in range(lo, hi):
        if _taken(bits, place_of(hashes[i], np.uint64(pilot), m)):
            return False
    for i in range(lo + 1, hi):
        place = place_of(hashes[i], np.uint64(pilot), m)
        for j in range(lo, i):
            if place_of(hashes[j], np.uint64(pilot), m) == place:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _cost(
    hashes: Words,
    starts: npt.NDArray[np.int64],
    b: int,
    pilot: int,
    owner: npt.NDArray[np.int32],
    recent: npt.NDArray[np.int64],
    most: int,
    m: np.uint64,
) -> int:
    """What putting bucket ``b`` in under the pilot drives out; ``most`` if that or more.

    The sum over places of the squared sizes of their buckets, so that small ones are driven out
    first. Buckets just put in are not to be driven out; a pilot that sends two keys to one place is
    none.
    """
    cost = 0
    for i in range(starts[b], starts[b + 1]):
        place = place_of(hashes[i], np.uint64(pilot), m)
        other = owner[place]
        if other >= 0:
            for k in range(_RECENT):
                if recent[k] == other:
                    return most
            size = starts[other + 1] - starts[other]
            cost += size * size
            if cost >= most:
                return most
        for j in range(starts[b], i):
            if place_of(hashes[j], np.uint64(pilot), m) == place:
                return most
    return cost


@njit(cache=True, nogil=True, error_model="numpy")
def build_pilots(hashes: Words, pilots: Pilots, last: Table) -> bool:
    """Choose pilots, and fill the table of the last places.

    A function of the set of hashes alone, in expected linear time.

    Args:
        hashes: uint64[n], different and rising.
        pilots: uint8[buckets], written.
        last: uint32[m - n], written.

    Returns:
        False if that did not succeed: take another salt.
    """
    n = hashes.shape[0]
    buckets = pilots.shape[0]
    m = np.uint64(n + last.shape[0])
    starts = np.zeros(buckets + 1, np.int64)
    for i in range(n):
        starts[np.int64(bucket_of(hashes[i], np.uint64(buckets))) + 1] += 1
    sizes = np.zeros(_MAX_BUCKET + 2, np.int64)
    for b in range(buckets):
        size = starts[b + 1]
        if size > _MAX_BUCKET:
            return False
        sizes[size] += 1
        starts[b + 1] += starts[b]
    # Where each size begins in the order "largest first", then the buckets in that order.
    before = 0
    for size in range(_MAX_BUCKET, -1, -1):
        count = sizes[size]
        sizes[size] = before
        before += count
    order = np.empty(buckets, np.int64)
    for b in range(buckets):
        size = starts[b + 1] - starts[b]
        order[sizes[size]] = b
        sizes[size] += 1

    bits = np.zeros((n + last.shape[0]) // 64 + 1, np.uint64)
    owner = np.full(n + last.shape[0], -1, np.int32)
    recent = np.full(_RECENT, -1, np.int64)
    driven = np.empty(max(buckets, 1), np.int64)
    evictions = 0
    for turn in range(buckets):
        driven[0] = order[turn]
        waiting = 1
        first = True
        while waiting > 0:
            waiting -= 1
            b = driven[waiting]
            lo, hi = starts[b], starts[b + 1]
            if lo == hi:
                pilots[b] = 0
                continue
            # A bucket that is put in again begins elsewhere, or two could drive each other out.
            begin = 0 if first else (37 * evictions) & (_PILOTS - 1)
            first = False
            chosen = -1
            for k in range(_PILOTS):
                pilot = (begin + k) & (_PILOTS - 1)
                if _fits(hashes, lo, hi, pilot, bits, m):
                    chosen = pilot
                    break
            if chosen < 0:
                most = 1 << 40
                for k in range(_PILOTS):
                    pilot = (begin + k) & (_PILOTS - 1)
                    cost = _cost(hashes, starts, b, pilot, owner, recent, most, m)
                    if cost < most:
                        most = cost
                        chosen = pilot
                if chosen < 0:
                    return False
                for i in range(lo, hi):
                    other = owner[place_of(hashes[i], np.uint64(chosen), m)]
                    if other < 0:
                        continue
                    for j in range(starts[other], starts[other + 1]):
                        place = place_of(hashes[j], np.uint64(pilots[other]), m)
                        bits[place >> _6] &= ~(_1 << (place & _63))
                        owner[place] = -1
                    driven[waiting] = other
                    waiting += 1
                    evictions += 1
                if evictions > _EVICTIONS_A_BUCKET * buckets:
                    return False
                recent[evictions % _RECENT] = b
            pilots[b] = chosen
            for i in range(lo, hi):
                place = place_of(hashes[i], np.uint64(chosen), m)
                bits[place >> _6] |= _1 << (place & _63)
                owner[place] = b

    free = 0
    for spare in range(last.shape[0]):
        last[spare] = 0
        if owner[n + spare] >= 0:
            while owner[free] >= 0:
                free += 1
            last[spare] = free
            free += 1
    return True
