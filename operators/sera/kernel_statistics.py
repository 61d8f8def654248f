"""Ingestion: what an event adds to the statistics.

    R = gamma R + v phi(k)^T      H = gamma H + U^T v phi(k)^T      s = gamma s + phi(k)

Sums are compensated (Neumaier, 1974): beside each stands what rounding has left out of it, which
decays as the sum does. Every loop runs over features, so that LLVM vectorises it.
"""

from __future__ import annotations

import numpy as np

from operators.compiled import inlined, kernel
from operators.numerics import add_error
from operators.sera.layout import (
    INGESTED,
    MAGNITUDE,
    RESIDUAL_ALARMS,
    RESIDUAL_R,
    RESIDUAL_S,
    RESIDUAL_SHARE,
    Floats,
    SeraArrays,
)

NOTHING = 1e-290
"""Terms below it come of sums that decay towards subnormal numbers, whose roundings say nothing."""


@kernel
def _decay_and_add(
    total: Floats, residual: Floats, phi: Floats, v: float, gamma: float
) -> tuple[float, float]:
    """``total = gamma total + v phi`` with Neumaier compensation; largest residual and sum."""
    top = np.int64(0)
    largest = np.int64(0)
    for i in range(phi.shape[0]):
        kept = gamma * total[i]
        added = v * phi[i]
        rest = gamma * residual[i] + add_error(kept, added)
        now = kept + added
        total[i] = now
        residual[i] = rest
        top = max(top, np.float64(rest).view(np.int64) & MAGNITUDE)
        largest = max(largest, np.float64(now).view(np.int64) & MAGNITUDE)
    return float(np.int64(top).view(np.float64)), float(np.int64(largest).view(np.float64))


@kernel
def _ingest_values(
    R: Floats, R_residual: Floats, phi: Floats, v: Floats, gamma: float
) -> tuple[float, float]:
    """Add v times phi to R, if R is kept; the largest residual and sum."""
    largest = 0.0
    size = 0.0
    for row in range(R.shape[0]):
        residual, total = _decay_and_add(R[row], R_residual[row], phi, v[row], gamma)
        largest = max(largest, residual)
        size = max(size, total)
    return largest, size


@kernel
def _ingest_low_rank(
    H: Floats, H_residual: Floats, U: Floats, phi: Floats, v: Floats, gamma: float
) -> tuple[float, float]:
    """Add U^T v times phi to H; the largest residual and sum."""
    largest = 0.0
    size = 0.0
    for k in range(U.shape[1]):
        reduced = 0.0
        for j in range(U.shape[0]):
            reduced += U[j, k] * v[j]
        residual, total = _decay_and_add(H[k], H_residual[k], phi, reduced, gamma)
        largest = max(largest, residual)
        size = max(size, total)
    return largest, size


@kernel
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


@inlined
def _share(residual: float, size: float) -> float:
    """A compensation term over its sum, at most 1; 0 where both have decayed to next to nothing."""
    if residual <= NOTHING:
        return 0.0
    return residual / size if size > residual else 1.0


@inlined
def ingest(sera: SeraArrays, phi: Floats, v: Floats) -> int:
    """Add one event with key features ``phi``, float64[r], and value ``v``, float64[d_v].

    Returns:
        1 if a compensation term exceeds its limit: rounding then takes more of the sums than they
        can spare. Else 0.
    """
    state, params = sera.state, sera.params
    tally, gamma = state.tally, params.gamma
    r_residual, r_size = _ingest_values(state.R, state.R_residual, phi, v, gamma)
    h_residual, h_size = _ingest_low_rank(state.H, state.H_residual, sera.U, phi, v, gamma)
    s_residual, s_size = _decay_and_add(state.s, state.s_residual, phi, 1.0, gamma)
    _follow_moments(state.moments, phi, gamma, tally[INGESTED])
    tally[RESIDUAL_R] = max(r_residual, h_residual)
    tally[RESIDUAL_S] = s_residual
    share = max(_share(r_residual, r_size), _share(h_residual, h_size))
    share = max(share, _share(s_residual, s_size))
    alarm = 1 if share > params.residual_limit else 0
    tally[RESIDUAL_SHARE] = share
    tally[RESIDUAL_ALARMS] += float(alarm)
    tally[INGESTED] += 1.0
    return alarm
