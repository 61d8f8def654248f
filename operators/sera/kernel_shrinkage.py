"""lambda_*: how much the prior weighs in a readout, as a predictable average over a small grid.

A grid of candidates stands around empirical quantiles of the denominators: lambda_j = c_j Q_j, with
Q_j the running 10 %, 50 % or 90 % quantile of den = phi.s. Each is projected into (-1/b', 1/b'),
with 1/b' a running lower envelope of the denominators, so that 1 + lambda_j / den stays positive,
as the stake of a bet keeps its capital positive; none is negative, as the seed asks. What each
candidate would have answered is scored when a label comes:

    L_j = gamma L_j + min((y_j - label)^2 / V, 16)        V the rolling squared error of the readout

    lambda_*(t+1) = sum_j w_j lambda_j,    w_j ~ exp(-L_j / 2)

exp(-L_j / 2) is the likelihood of a normal law of variance V, so this is the average over the
posterior of a uniform prior on the grid, with Sera's own forgetting. All of it is known before
the event that lambda_* is used at. Source: seed section 9.2; for the weights Vovk (1990),
"Aggregating strategies", COLT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined, kernel
from operators.numerics import exp

if TYPE_CHECKING:
    from operators.sera.kernel_readout import Reading
    from operators.sera.layout import Floats, SeraArrays, SeraParams

PROBABILITIES = (0.1, 0.5, 0.9)
"""Of the quantiles that are followed."""

QUANTILE_OF = (0, 0, 0, 1, 1, 2)
SHARES = (0.0, 1.0 / 64.0, 1.0 / 16.0, 0.125, 0.25, 0.5)
"""The grid: which quantile each candidate is a share of, and which share."""

WITHIN = 0.5
"""Candidates stay below this share of 1/b': the interval is open."""

MOST = 16.0
"""A miss of four standard deviations and more counts as one of four."""

# Words of ``SeraState.shrinkage``.
QUANTILES = 0  # one for each of PROBABILITIES
ENVELOPE = QUANTILES + len(PROBABILITIES)  # lower envelope of the denominators, 1/b'
SQUARE = ENVELOPE + 1  # rolling squared error of the readout
READS = SQUARE + 1  # labelled readouts with a denominator
NOW = READS + 1  # lambda_* in force
LOSSES = NOW + 1  # one for each candidate
SHRINKAGE_WORDS = LOSSES + len(SHARES)


@inlined
def lambda_of(sera: SeraArrays) -> float:
    """lambda_* in force at the next event, in events at kernel value 1."""
    return float(sera.state.shrinkage[NOW])


@inlined
def _candidate(shrinkage: Floats, j: int) -> float:
    return float(
        min(SHARES[j] * shrinkage[QUANTILES + QUANTILE_OF[j]], WITHIN * shrinkage[ENVELOPE])
    )


@inlined
def follow(sera: SeraArrays, reading: Reading, target: float) -> None:
    """Score the candidates at an event, before it is ingested, and set lambda_* for the next.

    Args:
        sera: the Sera, with the readout of the event's query in ``scratch.y``.
        reading: its diagnostics.
        target: what the readout's first component should have been: the label.
    """
    if sera.params.average:
        readout = sera.scratch.y[0, 0]
        _follow(sera.state.shrinkage, sera.params, reading.den, reading.lam, readout, target)


@kernel
def _follow(
    shrinkage: Floats, params: SeraParams, den: float, lam: float, readout: float, target: float
) -> None:
    mass = den - lam
    if not mass > 0.0:  # nothing is ingested yet
        return
    rate = 1.0 - params.gamma
    numerator = readout * den - lam * params.prior
    variance = shrinkage[SQUARE]
    for j in range(len(SHARES)):
        weight = max(_candidate(shrinkage, j), params.beta_floor - mass)
        miss = (numerator + weight * params.prior) / (mass + weight) - target
        loss = min(miss * miss / variance, MOST) if variance > 0.0 else 0.0
        shrinkage[LOSSES + j] = params.gamma * shrinkage[LOSSES + j] + loss
    first = shrinkage[READS] == 0.0
    shrinkage[READS] += 1.0
    pace = max(rate, 1.0 / shrinkage[READS])
    miss = readout - target
    shrinkage[SQUARE] += pace * (miss * miss - variance)
    for k in range(len(PROBABILITIES)):
        below = 1.0 if mass < shrinkage[QUANTILES + k] else 0.0
        shrinkage[QUANTILES + k] *= 1.0 + pace * (PROBABILITIES[k] - below)
        if first:
            shrinkage[QUANTILES + k] = mass
    raised = shrinkage[ENVELOPE] * (1.0 + rate)
    shrinkage[ENVELOPE] = mass if first else min(mass, raised)
    least = shrinkage[LOSSES]
    for j in range(len(SHARES)):
        least = min(least, shrinkage[LOSSES + j])
    total = 0.0
    average = 0.0
    for j in range(len(SHARES)):
        share = exp(0.5 * (least - shrinkage[LOSSES + j]))
        total += share
        average += share * _candidate(shrinkage, j)
    shrinkage[NOW] = average / total
