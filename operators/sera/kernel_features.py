"""From a vector to its random features, and from sparse features to a vector.

Every loop over features runs over ``r`` inside and does the same to each of them, so that LLVM
vectorises it. ``sera`` is a ``SeraArrays`` throughout. With w_i the columns of W and
u = x/sqrt(tau) (seed section 2.2):

    phi_i(x) = r^-1/2 exp(clip(w_i.u - |u|^2/2 + o_i))        E[phi(q).phi(k)] = exp(q.k/tau)

o_i is 0 but for the bounded feature map.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.compiled import inlined
from operators.numerics import exp
from operators.sera.layout import (
    CLIP,
    CLIPPED,
    CLIPPED_BEFORE,
    COORDINATES,
    GUARDED,
    MAGNITUDE,
    MAX_EXPONENT,
    VECTORS,
    Floats,
    SeraArrays,
)

if TYPE_CHECKING:
    Ids = npt.NDArray[np.uint64]

HUGE = 1e300  # a squared norm beyond it may have overflowed

# Tuning of the bound of exponents: the seed's range of rates (section 9.2), and how it is reached.
CLIP_LEAST, CLIP_MOST = 0.001, 0.01
CLIP_WINDOW = 64.0  # vectors
CLIP_STEP = 1.05  # at a bound of 3 the rate changes by a factor of 1.6
MIN_CLIP, MAX_CLIP = 0.1, 50.0

# Finaliser of splitmix64 (Stafford's variant 13): each output bit depends on all of the input.
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_27 = np.uint64(27)
_30 = np.uint64(30)
_31 = np.uint64(31)
_32 = np.uint64(32)
_1 = np.uint64(1)


class Projection(NamedTuple):
    """What computing a vector's features showed: clipped exponents, their maximum, the guard."""

    clipped: int
    max_exponent: float
    guarded: int


@inlined
def sketch(sera: SeraArrays, ids: Ids, values: Floats, lo: int, hi: int, out: Floats) -> None:
    """Signed count-sketch of sparse features ``lo .. hi-1`` into ``out``, float64[d].

    Each id adds its value, with a sign, to one coordinate; both follow from a keyed hash of the id.
    Inner products are kept in expectation. Source: Weinberger et al. (2009), "Feature hashing for
    large scale multitask learning", ICML.
    """
    d = out.shape[0]
    for j in range(d):
        out[j] = 0.0
    for i in range(lo, hi):
        h = ids[i] ^ sera.sketch_key
        h = (h ^ (h >> _30)) * _MULTIPLIER_1
        h = (h ^ (h >> _27)) * _MULTIPLIER_2
        h ^= h >> _31
        j = int(np.int64(((h >> _32) * np.uint64(d)) >> _32))
        out[j] += values[i] if h & _1 else -values[i]


@inlined
def project(sera: SeraArrays, x: Floats, phi: Floats) -> Projection:
    """Positive random features of the finite vector ``x``, float64[d], into ``phi``, float64[r]."""
    W, params, u, offsets = sera.W, sera.params, sera.scratch.u, sera.offsets
    d, r = W.shape
    square = 0.0
    for j in range(d):
        u[j] = x[j] * params.scale
        square += u[j] * u[j]
    if square > HUGE:
        # Only the direction survives the guard; take it from numbers whose squares are finite.
        largest = 0.0
        for j in range(d):
            largest = max(largest, abs(u[j]))
        square = 0.0
        for j in range(d):
            u[j] /= largest
            square += u[j] * u[j]
        guarded = 1
    else:
        guarded = 1 if square > params.radius else 0
    if guarded:
        shrink = math.sqrt(params.radius / square)
        for j in range(d):
            u[j] *= shrink
        square = params.radius
    half = 0.5 * square
    for i in range(r):
        phi[i] = offsets[i]
    for j in range(d):
        uj = u[j]
        for i in range(r):
            phi[i] += W[j, i] * uj
    clip = sera.state.tally[CLIP]
    clipped = 0
    # Floats with the sign's complement taken compare like integers, and unlike a maximum of floats
    # a maximum of integers vectorises.
    top = -MAGNITUDE
    for i in range(r):
        g = phi[i] - half
        bits = np.float64(g).view(np.int64)
        top = max(top, bits ^ ((bits >> 63) & MAGNITUDE))
        clipped += (g > clip) | (g < -clip)
        g = min(g, clip)
        g = max(g, -clip)
        phi[i] = params.norm * exp(g)
    max_exponent = np.int64(top ^ ((top >> 63) & MAGNITUDE)).view(np.float64)
    return Projection(clipped, max_exponent, guarded)


@inlined
def count(sera: SeraArrays, seen: Projection) -> None:
    """Add one projection to the tallies, and tune the bound of exponents for those to come."""
    tally = sera.state.tally
    tally[VECTORS] += 1.0
    tally[COORDINATES] += float(sera.W.shape[1])
    tally[CLIPPED] += float(seen.clipped)
    tally[GUARDED] += float(seen.guarded)
    tally[MAX_EXPONENT] = max(tally[MAX_EXPONENT], seen.max_exponent)
    if sera.params.tune_clip and tally[VECTORS] % CLIP_WINDOW == 0.0:
        rate = (tally[CLIPPED] - tally[CLIPPED_BEFORE]) / (CLIP_WINDOW * sera.W.shape[1])
        tally[CLIPPED_BEFORE] = tally[CLIPPED]
        if rate > CLIP_MOST:
            tally[CLIP] = min(tally[CLIP] * CLIP_STEP, MAX_CLIP)
        elif rate < CLIP_LEAST:
            tally[CLIP] = max(tally[CLIP] / CLIP_STEP, MIN_CLIP)
