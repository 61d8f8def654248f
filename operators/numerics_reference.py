"""The functions of ``operators.numerics`` in plain Python: their definition, bit for bit.

Each line is one IEEE 754 operation, in the order in which the compiled function does it. What
checks or ports a kernel (tests, another language) compares with this file, which needs neither
numba nor numpy.
"""

from __future__ import annotations

import math
import struct

from operators import numerics as n


def _bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


def _from_bits(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def exp(x: float) -> float:
    """``operators.numerics.exp``, bit for bit."""
    if math.isnan(x):
        return x
    if x < n.EXP_MIN:
        return 0.0
    if x > n.EXP_MAX:
        return math.inf
    shifted = x * n.LOG2_E + n.ROUNDER
    k = shifted - n.ROUNDER
    f = (x - k * n.LN2_HI) - k * n.LN2_LO
    p = n.E13
    for c in (n.E12, n.E11, n.E10, n.E9, n.E8, n.E7, n.E6, n.E5, n.E4, n.E3, n.E2):
        p = p * f + c
    y = 1.0 + (f + (f * f) * p)
    return y * _from_bits((int(k) + 1023) << 52)


def sigmoid(x: float) -> float:
    """``operators.numerics.sigmoid``, bit for bit."""
    e = exp(-abs(x))
    upper = 1.0 / (1.0 + e)
    return upper if x >= 0.0 else e * upper


def log(x: float) -> float:
    """``operators.numerics.log``, bit for bit."""
    if math.isnan(x) or x < 0.0:
        return math.nan
    if x == 0.0:
        return -math.inf
    if math.isinf(x):
        return x
    shift = 0.0
    if x < n.SMALLEST_NORMAL:
        x, shift = x * n.TWO_54, -54.0
    m, k = math.frexp(x)
    if m < n.SQRT_HALF:
        m, k = m * 2.0, k - 1
    exponent = k + shift
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = n.L7
    for c in (n.L6, n.L5, n.L4, n.L3, n.L2, n.L1):
        p = p * z + c
    half_square = 0.5 * f * f
    tail = s * (half_square + z * p) + exponent * n.LN2_LO
    return exponent * n.LN2_HI - ((half_square - tail) - f)


def add_error(a: float, b: float) -> float:
    """``operators.numerics.add_error``, as Neumaier wrote it: the larger operand loses nothing."""
    total = a + b
    return (a - total) + b if abs(a) >= abs(b) else (b - total) + a
