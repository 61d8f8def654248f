from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from operators.hlm.kernels_hash import mix, unmix
from operators.hlm.kernels_mphf import buckets_for, build_pilots, hash_keys, index_of, places_for

Words = npt.NDArray[np.uint64]
SALT = np.uint64(0x5A17)
MAX_BITS_A_KEY = 3.5


def _indices(hashes: Words, pilots: Any, last: Any) -> npt.NDArray[np.int64]:
    out = np.empty(hashes.shape[0], np.int64)
    for i in range(hashes.shape[0]):
        out[i] = index_of(hashes[i], pilots, last, np.uint64(hashes.shape[0]))
    return out


indices: Any = njit(_indices)


def build(keys: Words, salt: np.uint64 = SALT) -> tuple[bool, Words, Any, Any]:
    hashes = np.empty_like(keys)
    hash_keys(keys, salt, hashes)
    hashes.sort()
    pilots = np.zeros(buckets_for(len(keys)), np.uint8)
    last = np.zeros(places_for(len(keys)) - len(keys), np.uint32)
    return build_pilots(hashes, pilots, last), hashes, pilots, last


def assert_perfect(keys: Words) -> None:
    """Every index from 0 to n-1 is some key's, at no more than 3.5 bits a key."""
    built, hashes, pilots, last = build(keys)
    assert built
    assert np.array_equal(np.bincount(indices(hashes, pilots, last)), np.ones(len(keys)))
    assert 8 * (pilots.nbytes + last.nbytes) <= MAX_BITS_A_KEY * len(keys) + 64


def patterned(kind: str, n: int) -> Words:
    if kind == "random":
        return np.unique(np.random.default_rng(1).integers(0, 1 << 64, n, np.uint64))
    rising = np.arange(n, dtype=np.uint64)
    patterns = {
        "sequential": rising,
        "strided": rising * np.uint64(1 << 20),
        "equal low halves": rising << np.uint64(32) | np.uint64(0xDEADBEEF),
        "equal high halves": rising | np.uint64(0xDEADBEEF << 32),
    }
    return patterns[kind]


KINDS = ["random", "sequential", "strided", "equal low halves", "equal high halves"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 100, 4097, 200_000])
def test_hash_is_minimal_and_perfect(kind: str, n: int) -> None:
    """Whatever the keys look like, n of them get the numbers 0 to n-1, each once."""
    assert_perfect(patterned(kind, n))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_hash_of_ten_million_keys_is_perfect(kind: str) -> None:
    """The same at 10^7 keys."""
    assert_perfect(patterned(kind, 10_000_000))


def test_construction_is_a_function_of_keys_and_salt() -> None:
    """Keys in any order give the same bytes; another salt gives others."""
    keys = patterned("random", 10_000)
    shuffled = np.random.default_rng(2).permutation(keys)

    _, _, pilots, last = build(keys)
    _, _, again, last_again = build(shuffled)
    _, _, other, _ = build(keys, SALT + np.uint64(1))

    assert (pilots.tobytes(), last.tobytes()) == (again.tobytes(), last_again.tobytes())
    assert pilots.tobytes() != other.tobytes()


def test_construction_gives_up_on_what_cannot_be_told_apart() -> None:
    """Equal hashes, which different ids never have, make it return and not loop."""
    hashes = np.zeros(10, np.uint64)
    pilots, last = np.zeros(buckets_for(10), np.uint8), np.zeros(places_for(10) - 10, np.uint32)

    assert not build_pilots(hashes, pilots, last)


def test_hash_can_be_undone() -> None:
    """For each salt the hash is a permutation: no two ids share one."""
    rng = np.random.default_rng(3)
    for key, salt in rng.integers(0, 1 << 64, (200, 2), np.uint64):
        assert np.uint64(unmix(np.uint64(mix(key, salt)), salt)) == key


def test_hash_is_the_same_everywhere() -> None:
    """State is found by these hashes on every machine: their bytes may not change."""
    out = np.empty(1000, np.uint64)
    hash_keys(np.arange(1000, dtype=np.uint64), SALT, out)

    assert hashlib.sha256(out.astype("<u8").tobytes()).hexdigest()[:16] == "7ff7a32da4fe5206"
