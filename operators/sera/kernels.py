"""Kernels of Sera: features of a vector, readout, diagnostics, ingestion, count-sketch.

Every loop over features runs over ``r`` inside and does the same to each of them, so that LLVM
vectorises it; sums over features are taken as a tree of fixed shape. No sum depends on the width of
the machine's vectors. ``sera`` is a ``SeraArrays`` throughout.

With w_i the columns of W, u = x/sqrt(tau) and v the value (seed section 2.2):

    phi_i(x) = r^-1/2 exp(clip(w_i.u - |u|^2/2 + o_i)) E[phi(q).phi(k)] = exp(q.k/tau)
    R = gamma R + v phi(k)^T      s = gamma s + phi(k)
    den = phi(q).s + lambda       y = (R phi(q) + lambda prior) / den

o_i is 0 but for the bounded feature map. lambda is lambda_*, or more where den would fall below
beta_floor. With ``prior`` 0 this is the seed's readout; a prior says what it shrinks to.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.numerics import add_error, exp, log
from operators.sera.layout import (
    CLIP,
    CLIPPED,
    CLIPPED_BEFORE,
    COORDINATES,
    GREEN,
    GUARDED,
    INGESTED,
    MAX_EXPONENT,
    RED,
    RESIDUAL_R,
    RESIDUAL_S,
    VECTORS,
    YELLOW,
    Floats,
    SeraArrays,
    SeraParams,
)

if TYPE_CHECKING:
    Ids = npt.NDArray[np.uint64]

HUGE = 1e300  # a squared norm beyond it may have overflowed
MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)  # all bits but the sign

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


class Reading(NamedTuple):
    """Diagnostics of a readout.

    Attributes:
        den: denominator, lambda included.
        lam: weight of the prior in it: lambda_*, or more to reach beta_floor.
        phi_l1: sum of the query's features.
        rj_gap: |y - (y1 + y2)/2| / (|y| + eps), y1 and y2 from half the features each.
        half_diff: |y1 - y2| / 2; follows the true error, where rj_gap falls faster.
        level: ``GREEN``, ``YELLOW`` or ``RED``.
        excess: half_diff relative to |y| + eps, over the yellow bound.
    """

    den: float
    lam: float
    phi_l1: float
    rj_gap: float
    half_diff: float
    level: float
    excess: float


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy")
def tree_sum(high: Floats, low: Floats, start: int, width: int) -> tuple[float, float]:
    """Compensated sum of ``high[start : start+width]``, as (sum, compensation); overwrites both.

    ``low`` holds the compensation of each term. The upper half is added to the lower until one
    number is left, so the shape of the sum depends on ``width`` alone.
    """
    while width > 1:
        kept = (width + 1) // 2
        for i in range(start, start + width - kept):
            a, b = high[i], high[i + kept]
            low[i] = (low[i] + low[i + kept]) + add_error(a, b)
            high[i] = a + b
        width = kept
    return high[start], low[start]


@njit(cache=True, nogil=True, error_model="numpy")
def dot(
    phi: Floats, total: Floats, residual: Floats, high: Floats, low: Floats
) -> tuple[float, float, float, float]:
    """Compensated dot product of ``phi`` and ``total + residual`` over each half of the features.

    Returns:
        Sum and compensation of the first half, then of the second.
    """
    r = phi.shape[0]
    for i in range(r):
        high[i] = phi[i] * total[i]
        low[i] = phi[i] * residual[i]
    first, first_low = tree_sum(high, low, 0, r // 2)
    second, second_low = tree_sum(high, low, r // 2, r // 2)
    return first, first_low, second, second_low


# The next three take arrays and are called without a condition: a branch around the fields of
# ``sera`` makes numba count references to all of its arrays, which took 0.3 us an event.


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(phi: Floats, moments: Floats, epsilon: float, weights: Floats) -> None:
    """``phi`` into ``weights``, over the keys' standard deviations where moments are kept."""
    if moments.shape[0] == 0:
        for i in range(phi.shape[0]):
            weights[i] = phi[i]
        return
    variance = moments[1]
    for i in range(phi.shape[0]):
        weights[i] = phi[i] / math.sqrt(variance[i] + epsilon)


@njit(cache=True, nogil=True, error_model="numpy")
def _follow_moments(moments: Floats, phi: Floats, gamma: float, events: float) -> None:
    """Decayed mean and variance of the features: of all events so far while they are few."""
    if moments.shape[0] == 0:
        return
    mean, variance = moments[0], moments[1]
    rate = max(1.0 - gamma, 1.0 / (events + 1.0))
    for i in range(phi.shape[0]):
        away = phi[i] - mean[i]
        mean[i] += rate * away
        variance[i] = (1.0 - rate) * (variance[i] + rate * (away * away))


@njit(cache=True, nogil=True, error_model="numpy")
def _ingest_low_rank(
    H: Floats, H_residual: Floats, U: Floats, phi: Floats, v: Floats, gamma: float
) -> float:
    """Add U^T v times phi to H; the largest residual."""
    largest = 0.0
    for k in range(U.shape[1]):
        reduced = 0.0
        for j in range(U.shape[0]):
            reduced += U[j, k] * v[j]
        largest = max(largest, _decay_and_add(H[k], H_residual[k], phi, reduced, gamma))
    return largest


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def read(sera: SeraArrays, phi: Floats, lambda_star: float) -> Reading:
    """Readout for the query features ``phi``; the three estimates are left in ``scratch.y``.

    Nothing else changes. Sums stay compensated until the one division each. Takes O(r d_v) time.
    """
    state, scratch = sera.state, sera.scratch
    _weigh(phi, state.moments, sera.params.epsilon, scratch.weights)
    t = max(state.tally[INGESTED], math.e)
    return _read(
        state.s, state.s_residual, state.R, state.R_residual, sera.prior, scratch.weights,
        scratch.high, scratch.low, scratch.y, sera.params, lambda_star, t,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def read_low_rank(sera: SeraArrays, phi: Floats, lambda_star: float) -> Reading:
    """The same from ``H``, in the basis U, into ``scratch.y_reduced``; O(r r_v) time.

    Diagnostics are those of the values' part within the basis; the prior's part is kept as well.
    """
    state, scratch = sera.state, sera.scratch
    _weigh(phi, state.moments, sera.params.epsilon, scratch.weights)
    t = max(state.tally[INGESTED], math.e)
    return _read(
        state.s, state.s_residual, state.H, state.H_residual, sera.prior_reduced, scratch.weights,
        scratch.high, scratch.low, scratch.y_reduced, sera.params, lambda_star, t,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _read(
    s: Floats,
    s_residual: Floats,
    R: Floats,
    R_residual: Floats,
    prior: Floats,
    weights: Floats,
    high: Floats,
    low: Floats,
    y: Floats,
    params: SeraParams,
    lambda_star: float,
    t: float,
) -> Reading:
    r = weights.shape[0]
    s1, s1_low, s2, s2_low = dot(weights, s, s_residual, high, low)
    mass = s1 + s2
    mass_low = add_error(s1, s2) + (s1_low + s2_low)
    known = mass + mass_low
    lam = params.beta_floor - known if known + lambda_star < params.beta_floor else lambda_star
    den = (mass + lam) + (add_error(mass, lam) + mass_low)
    half = 0.5 * lam
    den1 = (s1 + half) + (add_error(s1, half) + s1_low)
    den2 = (s2 + half) + (add_error(s2, half) + s2_low)
    gap = 0.0
    difference = 0.0
    square = 0.0
    for v in range(y.shape[1]):
        pull = lam * prior[v]
        n1, n1_low, n2, n2_low = dot(weights, R[v], R_residual[v], high, low)
        total = n1 + n2
        total_low = add_error(n1, n2) + (n1_low + n2_low)
        y[0, v] = ((total + pull) + (add_error(total, pull) + total_low)) / den
        y[1, v] = ((n1 + 0.5 * pull) + (add_error(n1, 0.5 * pull) + n1_low)) / den1
        y[2, v] = ((n2 + 0.5 * pull) + (add_error(n2, 0.5 * pull) + n2_low)) / den2
        a = y[0, v] - 0.5 * (y[1, v] + y[2, v])
        b = y[1, v] - y[2, v]
        gap += a * a
        difference += b * b
        square += y[0, v] * y[0, v]
    for i in range(r):
        high[i] = weights[i]
        low[i] = 0.0
    l1, l1_low = tree_sum(high, low, 0, r)
    size = math.sqrt(square) + params.epsilon
    half_diff = 0.5 * math.sqrt(difference)
    bound = math.sqrt(log(t / params.delta) / r)
    excess = half_diff / size / (params.c_yellow * bound)
    level = GREEN
    if half_diff / size > params.c_red * bound:
        level = RED
    elif half_diff / size > params.c_yellow * bound:
        level = YELLOW
    return Reading(den, lam, l1 + l1_low, math.sqrt(gap) / size, half_diff, level, excess)


@njit(cache=True, nogil=True, error_model="numpy")
def _decay_and_add(total: Floats, residual: Floats, phi: Floats, v: float, gamma: float) -> float:
    """``total = gamma total + v phi`` with Neumaier compensation; the largest residual."""
    top = np.int64(0)
    for i in range(phi.shape[0]):
        kept = gamma * total[i]
        added = v * phi[i]
        rest = gamma * residual[i] + add_error(kept, added)
        total[i] = kept + added
        residual[i] = rest
        top = max(top, np.float64(rest).view(np.int64) & MAGNITUDE)
    return float(np.int64(top).view(np.float64))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def ingest(sera: SeraArrays, phi: Floats, v: Floats) -> None:
    """Add one event with key features ``phi``, float64[r], and value ``v``, float64[d_v]."""
    state, gamma = sera.state, sera.params.gamma
    largest = 0.0
    for row in range(v.shape[0]):
        residual = _decay_and_add(state.R[row], state.R_residual[row], phi, v[row], gamma)
        largest = max(largest, residual)
    largest = max(largest, _ingest_low_rank(state.H, state.H_residual, sera.U, phi, v, gamma))
    _follow_moments(state.moments, phi, gamma, state.tally[INGESTED])
    state.tally[RESIDUAL_R] = largest
    state.tally[RESIDUAL_S] = _decay_and_add(state.s, state.s_residual, phi, 1.0, gamma)
    state.tally[INGESTED] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def ingest_events(sera: SeraArrays, keys: Floats, values: Floats) -> None:
    """Ingest events in turn: keys float64[n, d], values float64[n, d_v]."""
    for t in range(keys.shape[0]):
        count(sera, project(sera, keys[t], sera.scratch.phi))
        ingest(sera, sera.scratch.phi, values[t])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _write(reading: Reading, columns: Floats, t: int) -> None:
    columns[0, t] = reading.den
    columns[1, t] = reading.phi_l1
    columns[2, t] = reading.rj_gap
    columns[3, t] = reading.half_diff
    columns[4, t] = reading.level


@njit(cache=True, nogil=True, error_model="numpy")
def step_events(
    sera: SeraArrays, keys: Floats, values: Floats, lambda_star: float, y: Floats, columns: Floats
) -> None:
    """Read out for each key, then ingest it, in turn; ``y`` and ``columns`` as of queries."""
    phi = sera.scratch.phi
    for t in range(keys.shape[0]):
        count(sera, project(sera, keys[t], phi))
        _write(read(sera, phi, lambda_star), columns, t)
        for v in range(y.shape[1]):
            y[t, v] = sera.scratch.y[0, v]
        ingest(sera, phi, values[t])


@njit(cache=True, nogil=True, error_model="numpy")
def query_events(
    sera: SeraArrays,
    queries: Floats,
    lambda_star: float,
    low_rank: int,
    y: Floats,
    columns: Floats,
) -> None:
    """Read out for queries float64[n, d] into ``y``, float64[n, d_v], and ``columns``.

    The columns, float64[5, n], are den, phi_l1, rj_gap, half_diff and level.
    """
    phi, reduced = sera.scratch.phi, sera.scratch.y_reduced
    for t in range(queries.shape[0]):
        project(sera, queries[t], phi)
        if low_rank:
            reading = read_low_rank(sera, phi, lambda_star)
            for v in range(y.shape[1]):
                y[t, v] = 0.0
                for k in range(reduced.shape[1]):
                    y[t, v] += sera.U[v, k] * reduced[0, k]
        else:
            reading = read(sera, phi, lambda_star)
            for v in range(y.shape[1]):
                y[t, v] = sera.scratch.y[0, v]
        _write(reading, columns, t)
