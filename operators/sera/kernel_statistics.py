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
    RESIDUAL_R,
    RESIDUAL_S,
    Floats,
    SeraArrays,
)


@kernel
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


@kernel
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
