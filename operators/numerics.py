"""Arithmetic that gives the same bits on every machine.

The C library's ``exp`` and ``log`` differ between machines in their last bits and do not vectorise.
These are fixed sequences of IEEE 754 additions, multiplications and divisions: no fused
multiply-add, no reassociation, no branch in a loop body, so LLVM turns a loop over an array into
vector instructions without changing a bit. ``operators.numerics_reference`` spells out the same
definitions in plain Python; tests hold the two equal bit for bit.

Maximum errors, measured against 40-digit arithmetic over the whole range (tests/unit/operators/
test_numerics.py prints and bounds them): ``exp`` 0.9 ulp, ``log`` 0.83 ulp, ``sigmoid`` 2 ulp.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from operators.kernel_cache import use_folder_of_these_sources

use_folder_of_these_sources()

LOG2_E = 1.4426950408889634
# ln 2 in two parts (fdlibm): the product of the high part with an exponent below 2^20 is exact.
LN2_HI = 6.93147180369123816490e-01
LN2_LO = 1.90821492927058770002e-10
# 1.5 * 2^52: adding it rounds to the nearest integer, which then stands in the low mantissa bits.
ROUNDER = 6755399441055744.0
EXP_MIN = -708.0
EXP_MAX = 709.0

# Taylor coefficients 1/n!: on |x| <= ln(2)/2 the first one left out, x^14/14!, is below 2^-57.
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(n) for n in range(2, 14))

# Coefficients of log((1+s)/(1-s)) as in fdlibm's e_log.c, error below 2^-58.45.
L1 = 6.666666666666735130e-01
L2 = 3.999999999940941908e-01
L3 = 2.857142874366239149e-01
L4 = 2.222219843214978396e-01
L5 = 1.818357216161805012e-01
L6 = 1.531383769920937332e-01
L7 = 1.479819860511658591e-01

SQRT_HALF = 0.7071067811865476
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_54 = 18014398509481984.0


@njit(cache=True, error_model="numpy")
def exp(x: float) -> float:
    """Exponential function, to 0.9 ulp.

    Below ``EXP_MIN`` the result is 0 and above ``EXP_MAX`` infinite (so no result is subnormal);
    NaN stays NaN. Range reduction to ``x = k ln 2 + f`` with ``|f| <= ln(2)/2``, then a polynomial
    in Horner order.

    Args:
        x: argument, float64.

    Returns:
        e to the power of ``x``.
    """
    shifted = x * LOG2_E + ROUNDER
    k = shifted - ROUNDER
    f = (x - k * LN2_HI) - k * LN2_LO
    p = E13
    p = p * f + E12
    p = p * f + E11
    p = p * f + E10
    p = p * f + E9
    p = p * f + E8
    p = p * f + E7
    p = p * f + E6
    p = p * f + E5
    p = p * f + E4
    p = p * f + E3
    p = p * f + E2
    y = 1.0 + (f + (f * f) * p)
    exponent = (np.float64(shifted).view(np.int64) + 1023) << 52
    y = y * np.int64(exponent).view(np.float64)
    y = 0.0 if x < EXP_MIN else y
    return np.inf if x > EXP_MAX else y


@njit(cache=True, error_model="numpy")
def sigmoid(x: float) -> float:
    """Logistic function 1/(1 + e^-x), to 2 ulp, in [0, 1]; NaN stays NaN.

    The exponential is taken of -|x|, so that it never overflows.
    """
    e = exp(-abs(x))
    upper = 1.0 / (1.0 + e)
    return upper if x >= 0.0 else e * upper


@njit(cache=True, error_model="numpy")
def log(x: float) -> float:
    """Natural logarithm, to 0.83 ulp, of fdlibm's construction.

    ``log(0)`` is minus infinity, the logarithm of a negative number NaN, that of infinity infinite.
    """
    subnormal = x < SMALLEST_NORMAL
    scaled = x * TWO_54 if subnormal else x
    bits = np.float64(scaled).view(np.int64)
    k = (bits >> 52) - 1023
    mantissa = np.int64((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000).view(np.float64)
    # mantissa is in [1/2, 1); bring it to [sqrt(1/2), sqrt(2)) so that the logarithm is small
    low = mantissa < SQRT_HALF
    m = mantissa * 2.0 if low else mantissa
    exponent = float(k if low else k + 1)
    exponent = exponent - 54.0 if subnormal else exponent
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = L7
    p = p * z + L6
    p = p * z + L5
    p = p * z + L4
    p = p * z + L3
    p = p * z + L2
    p = p * z + L1
    half_square = 0.5 * f * f
    tail = s * (half_square + z * p) + exponent * LN2_LO
    y: float = exponent * LN2_HI - ((half_square - tail) - f)
    y = x if x == np.inf else y
    y = -np.inf if x == 0.0 else y
    return y if x >= 0.0 else np.nan


@njit(cache=True, error_model="numpy")
def add_error(a: float, b: float) -> float:
    """Rounding error of ``a + b``: what a compensated sum adds to its residual.

    Neumaier chooses between two formulas by magnitude. Knuth's TwoSum yields the same
    number without the branch: the error of one addition is itself a float64, and both are exact.
    A Neumaier step is ``c += add_error(s, x); s += x``, the sum is ``s + c``.

    Source: Neumaier (1974), ZAMM 54, 39-51; Knuth, TAOCP vol. 2, section 4.2.2, theorem B.
    """
    total = a + b
    tail = total - a
    return (a - (total - tail)) + (b - tail)
