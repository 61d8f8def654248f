"""Readout and diagnostics: what the statistics answer to a query's features.

Sums over features are taken as a tree of fixed shape, compensated up to the one division, so that
none depends on the width of the machine's vectors. With phi the query's features:

    den = phi.s + lambda       y = (R phi + lambda prior) / den

lambda is lambda_*, or more where den would fall below beta_floor. With ``prior`` 0 this is the
seed's readout; a prior says what it shrinks to.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from operators.compiled import inlined, kernel
from operators.numerics import add_error, log
from operators.sera.layout import (
    GREEN,
    INGESTED,
    RED,
    YELLOW,
    Floats,
    SeraArrays,
    SeraParams,
)


class Reading(NamedTuple):
    """Diagnostics of a readout.

    Attributes:
        den: denominator, lambda included.
        lam: weight of the prior in it: lambda_*, or more to reach beta_floor.
        phi_l1: sum of the query's features.
        rj_gap: |y - (y1 + y2)/2| / (|y| + eps), y1 and y2 from half the features each.
        half_diff: |y1 - y2| / 2; follows the true error, where rj_gap falls faster.
        level: ``GREEN``, ``YELLOW`` or ``RED``.
        excess: what the policy reads, relative to |y| + eps, over the yellow bound.
    """

    den: float
    lam: float
    phi_l1: float
    rj_gap: float
    half_diff: float
    level: float
    excess: float


@kernel
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


@kernel
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


@kernel
def _weigh(phi: Floats, moments: Floats, epsilon: float, weights: Floats) -> None:
    """``phi`` into ``weights``, over the keys' standard deviations where moments are kept."""
    if moments.shape[0] == 0:
        for i in range(phi.shape[0]):
            weights[i] = phi[i]
        return
    variance = moments[1]
    for i in range(phi.shape[0]):
        weights[i] = phi[i] / math.sqrt(variance[i] + epsilon)


@inlined
def read(sera: SeraArrays, phi: Floats, lambda_star: float, beta_floor: float) -> Reading:
    """Readout for the query features ``phi``; the three estimates are left in ``scratch.y``.

    Nothing else changes. Sums stay compensated until the one division each. Takes O(r d_v) time.
    """
    state, scratch = sera.state, sera.scratch
    _weigh(phi, state.moments, sera.params.epsilon, scratch.weights)
    t = max(state.tally[INGESTED], math.e)
    return _read(
        state.s, state.s_residual, state.R, state.R_residual, sera.prior, scratch.weights,
        scratch.high, scratch.low, scratch.y, sera.params, lambda_star, beta_floor, t,
    )  # fmt: skip


@inlined
def read_low_rank(sera: SeraArrays, phi: Floats, lambda_star: float, beta_floor: float) -> Reading:
    """The same from ``H``: ``scratch.y[0]`` is U times the first row of ``scratch.y_reduced``.

    Takes O((r + d_v) r_v) time. Diagnostics are those of the values' part within the basis; of the
    prior too that part is kept.
    """
    state, scratch = sera.state, sera.scratch
    _weigh(phi, state.moments, sera.params.epsilon, scratch.weights)
    t = max(state.tally[INGESTED], math.e)
    reading = _read(
        state.s, state.s_residual, state.H, state.H_residual, sera.prior_reduced, scratch.weights,
        scratch.high, scratch.low, scratch.y_reduced, sera.params, lambda_star, beta_floor, t,
    )  # fmt: skip
    lift(sera.U, scratch.y_reduced, scratch.y)
    return reading


@inlined
def read_kept(sera: SeraArrays, phi: Floats, lambda_star: float, beta_floor: float) -> Reading:
    """The readout from all that is kept: from ``R``, or from ``H`` where that is all there is."""
    if sera.state.R.shape[0] == 0:
        return read_low_rank(sera, phi, lambda_star, beta_floor)
    return read(sera, phi, lambda_star, beta_floor)


@inlined
def read_first(sera: SeraArrays, phi: Floats, lambda_star: float, beta_floor: float) -> Reading:
    """Denominator and first component as ``read_kept`` has them, to the bit; O(r) of full rank.

    The other diagnostics are of that component alone, or of low rank.
    """
    if sera.state.R.shape[0] == 0:
        return read_low_rank(sera, phi, lambda_star, beta_floor)
    state, scratch = sera.state, sera.scratch
    _weigh(phi, state.moments, sera.params.epsilon, scratch.weights)
    return _read(
        state.s, state.s_residual, state.R[:1], state.R_residual[:1], sera.prior, scratch.weights,
        scratch.high, scratch.low, scratch.y, sera.params, lambda_star, beta_floor, math.e,
    )  # fmt: skip


@kernel
def lift(U: Floats, reduced: Floats, y: Floats) -> None:
    """U times the first row of ``reduced`` into the first row of ``y``."""
    for v in range(U.shape[0]):
        y[0, v] = 0.0
        for k in range(U.shape[1]):
            y[0, v] += U[v, k] * reduced[0, k]


@kernel
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
    beta_floor: float,
    t: float,
) -> Reading:
    r = weights.shape[0]
    s1, s1_low, s2, s2_low = dot(weights, s, s_residual, high, low)
    mass = s1 + s2
    mass_low = add_error(s1, s2) + (s1_low + s2_low)
    known = mass + mass_low
    lam = beta_floor - known if known + lambda_star < beta_floor else lambda_star
    den = (mass + lam) + (add_error(mass, lam) + mass_low)
    half = 0.5 * lam
    den1 = (s1 + half) + (add_error(s1, half) + s1_low)
    den2 = (s2 + half) + (add_error(s2, half) + s2_low)
    gap = 0.0
    difference = 0.0
    square = 0.0
    for v in range(R.shape[0]):
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
    measured = math.sqrt(gap) / size if params.by_gap else half_diff / size
    excess = measured / (params.c_yellow * bound)
    level = GREEN
    if measured > params.c_red * bound:
        level = RED
    elif measured > params.c_yellow * bound:
        level = YELLOW
    return Reading(den, lam, l1 + l1_low, math.sqrt(gap) / size, half_diff, level, excess)
