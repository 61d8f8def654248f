"""Counter-based random numbers: the n-th number of a stream is a function of (seed, stream, n).

Nothing is drawn in sequence and nothing needs to be stored: a matrix of random weights is
recomputed from its seed after every restart, any element alone if need be. The generator is
Philox4x32-10 with the 64-bit seed as its key; normal deviates come from one uniform each by
Wichura's rational approximation of the inverse normal distribution, whose tails take the project's
own ``log`` and the square root that IEEE 754 fixes, so the bits are the same on every machine.

Sources: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", SC11;
Wichura (1988), algorithm AS 241, Applied Statistics 37(3), relative error 1e-16.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from operators.numerics import log

MULTIPLIER_0 = 0xD2511F53
MULTIPLIER_1 = 0xCD9E8D57
WEYL_0 = 0x9E3779B9  # golden ratio
WEYL_1 = 0xBB67AE85  # sqrt(3) - 1
ROUNDS = 10
MASK32 = 0xFFFFFFFF

CENTRE = 0.425  # |p - 1/2| up to here is the central region of AS 241
CENTRE_SQUARED = 0.180625
MIDDLE_SHIFT = 1.6
FAR = 5.0  # sqrt(-log p) from here on is the far tail
# Coefficients of AS 241, highest power first.
CENTRE_NUM = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
CENTRE_DEN = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
MIDDLE_NUM = (
    7.7454501427834140764e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
MIDDLE_DEN = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
FAR_NUM = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
FAR_DEN = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)


@njit(cache=True, error_model="numpy")
def philox4x32(seed: np.uint64, stream: np.uint64, index: np.uint64) -> tuple[np.uint64, np.uint64]:
    """One block of Philox4x32-10: 128 random bits for one counter.

    Args:
        seed: the key (low word first).
        stream: upper half of the counter.
        index: lower half of the counter.

    Returns:
        The block's four words as two uint64, (words 0 and 1, words 2 and 3), low word first.
    """
    mask = np.uint64(MASK32)
    half = np.uint64(32)
    c0, c1 = index & mask, index >> half
    c2, c3 = stream & mask, stream >> half
    k0, k1 = seed & mask, seed >> half
    for _ in range(ROUNDS):
        product_0 = np.uint64(MULTIPLIER_0) * c0
        product_1 = np.uint64(MULTIPLIER_1) * c2
        c0, c1, c2, c3 = (
            (product_1 >> half) ^ c1 ^ k0,
            product_1 & mask,
            (product_0 >> half) ^ c3 ^ k1,
            product_0 & mask,
        )
        k0 = (k0 + np.uint64(WEYL_0)) & mask
        k1 = (k1 + np.uint64(WEYL_1)) & mask
    return c0 | (c1 << half), c2 | (c3 << half)


@njit(cache=True, error_model="numpy")
def uniform(seed: np.uint64, stream: np.uint64, index: np.uint64) -> float:
    """Uniform deviate in the open interval (0, 1): an odd multiple of 2^-53."""
    low, _ = philox4x32(seed, stream, index)
    return (float(low >> np.uint64(12)) + 0.5) * 2.0**-52


@njit(cache=True, error_model="numpy")
def horner(x: float, coefficients: tuple[float, ...]) -> float:
    """Polynomial in ``x``, coefficients from the highest power down."""
    y = 0.0
    for c in coefficients:
        y = y * x + c
    return y


@njit(cache=True, error_model="numpy")
def normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution function for 0 < p < 1 (AS 241, PPND16)."""
    q = p - 0.5
    if abs(q) <= CENTRE:
        r = CENTRE_SQUARED - q * q
        return horner(r, CENTRE_NUM) * q / horner(r, CENTRE_DEN)
    r = math.sqrt(-log(p if q < 0.0 else 1.0 - p))
    if r <= FAR:
        r -= MIDDLE_SHIFT
        z = horner(r, MIDDLE_NUM) / horner(r, MIDDLE_DEN)
    else:
        r -= FAR
        z = horner(r, FAR_NUM) / horner(r, FAR_DEN)
    return -z if q < 0.0 else z


@njit(cache=True, error_model="numpy")
def fill_normal(seed: np.uint64, stream: np.uint64, out: np.ndarray) -> None:
    """Fill ``out`` (flat, float64) with standard normal deviates; element n depends on n alone."""
    for index in range(out.shape[0]):
        out[index] = normal_quantile(uniform(seed, stream, np.uint64(index)))
