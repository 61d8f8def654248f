"""The keyed hash of ids, and its inverse.

``mix`` is the finaliser of splitmix64 (Stafford's variant 13) with the salt before and between its
rounds. For each salt it is a permutation of the 64-bit numbers: two ids never have the same hash,
and a list of hashes is a list of ids.
"""

from __future__ import annotations

import numpy as np

import operators.numerics  # noqa: F401 - sets the folder of compiled kernels before the first one
from operators.compiled import inlined

_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_INVERSE_1 = np.uint64(pow(0xBF58476D1CE4E5B9, -1, 1 << 64))
_INVERSE_2 = np.uint64(pow(0x94D049BB133111EB, -1, 1 << 64))

# Mixed arithmetic of signed and unsigned would be float64, hence constants of this type.
_27, _30, _31, _32, _54, _60, _62 = (np.uint64(n) for n in (27, 30, 31, 32, 54, 60, 62))


@inlined
def mix(key: np.uint64, salt: np.uint64) -> np.uint64:
    """Keyed hash of 64 bits; for each salt a permutation of the keys."""
    h = key ^ salt
    h = (h ^ (h >> _30)) * _MULTIPLIER_1
    h = h + ((salt << _32) | (salt >> _32))
    h = (h ^ (h >> _27)) * _MULTIPLIER_2
    return h ^ (h >> _31)


@inlined
def unmix(h: np.uint64, salt: np.uint64) -> np.uint64:
    """The key whose ``mix`` is ``h``."""
    h = (h ^ (h >> _31) ^ (h >> _62)) * _INVERSE_2
    h = h ^ (h >> _27) ^ (h >> _54)
    h = h - ((salt << _32) | (salt >> _32))
    h = h * _INVERSE_1
    h = h ^ (h >> _30) ^ (h >> _60)
    return h ^ salt
