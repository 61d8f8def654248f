"""Margin: how much evidence against an unchanged world is still affordable.

**Null hypothesis** of an epoch: given the events up to the end of a burn-in, the labelled events
after it, up to the next burn-in, are exchangeable.

After a burn-in of labelled events, Sera's statistics are copied; the readout f from this copy is
the epoch's reference and does not learn. An event's score is y - f(q), a fixed function of the
event, so that exchangeable events give exchangeable scores however the learner goes on learning.
(With the live prediction in the place of f the false alarms of a learner that starts cold came to
1.0 at alpha = 0.05 on independent data: its residuals shrink while it learns.) The bet on scores is
``operators.sera.conformal``; centre and spread of its bins are those of the burn-in's residuals.

    m_t = log(1/alpha_k) - log E_mix(t)        m_t < 0 is the alarm

After an alarm a new epoch starts: burn-in, a new reference, capital 1 against alpha_k =
alpha 6/(pi^2 k^2), k = 1, 2, ..., whose sum is alpha, so that the chance of any false alarm in all
epochs is at most alpha. Where another Sera takes over (``operators.sera.succession``) the epoch
goes on after a burn-in, with a new reference and new ranks. All that enters the bet on an event is
from the events before it; ties are broken by a counter-based random number.

Events count in the order of their labels. A label that comes late is bet on with the reference of
the epoch that it comes in, for a reference of another epoch would be another score. One whose
event had a value that the reference knows is not bet on: f has learnt from that event, and the
scores of those after it are of another law.

Sources: Ville (1939); Vovk (2021), "Testing randomness online", Statistical Science 36(4).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from operators.compiled import inlined, kernel
from operators.numerics import log
from operators.philox import philox4x32, uniform
from operators.sera import conformal
from operators.sera.layout import INGESTED, STREAM_TIES, Floats, SeraArrays

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

# Words of ``tally``.
EPOCH = 0  # alarms so far
SEEN = 1  # labelled events of this epoch, burn-in included
CENTRE = 2  # running median of the burn-in's residuals
SPREAD = 3  # running mean of |residual - centre|
MARGIN = 4  # m_t after the last labelled event, restart included
LOG_E = 5  # log E_mix after it
BETTED = 6  # events bet on in all epochs: counter of the tie-breakers
REFERRED = 7  # events that Sera had ingested when the reference was taken; -1: it is not yet
TALLY_WORDS = 8


class MarginArrays(NamedTuple):
    """All that a kernel needs of a margin.

    Attributes:
        wealth: float64[len(BETS)], share of each bet in E_mix.
        counts: float64[BINS], scores of this epoch in each bin.
        reference: float64[2 r], first row of R and then s, as at the end of the burn-in.
        tally: float64[TALLY_WORDS].
        burn_in: labelled events of an epoch on which nothing is bet.
        log_alpha: logarithm of the first epoch's alpha_1 = alpha 6/pi^2.
        lam: weight of the prior in the reference.
        tie_key: uint64, key of the tie-breakers. Never stored, never shown.
    """

    wealth: Floats
    counts: Floats
    reference: Floats
    tally: Floats
    burn_in: float
    log_alpha: float
    lam: float
    tie_key: np.uint64

    def __repr__(self) -> str:
        return f"MarginArrays(epoch={self.tally[EPOCH]:.0f}, margin={self.tally[MARGIN]})"


class Verdict(NamedTuple):
    """Margin and log E_mix right after an event; ``alarm`` is 1 if the margin went below zero."""

    margin: float
    log_e: float
    alarm: int


def allocate(config: SeraConfig, seed: int) -> MarginArrays:
    """A margin that has seen nothing, with all of its capital; O(r) memory.

    Args:
        config: the Sera's settings.
        seed: 64-bit seed of the Sera.
    """
    log_alpha = float(log(config.alpha * 6.0 / math.pi**2))
    tie_key, _ = philox4x32(np.uint64(seed), STREAM_TIES, np.uint64(0))
    margin = MarginArrays(
        wealth=np.zeros(len(conformal.BETS)),
        counts=np.zeros(conformal.BINS),
        reference=np.zeros(2 * config.r),
        tally=np.zeros(TALLY_WORDS),
        burn_in=float(config.burn_in),
        log_alpha=log_alpha,
        lam=float(config.lambda_star),
        tie_key=np.uint64(tie_key),
    )
    conformal.start(margin.wealth, margin.counts)
    margin.tally[MARGIN] = -log_alpha
    margin.tally[REFERRED] = -1.0
    return margin


def refer_anew(margin: MarginArrays, config: SeraConfig) -> MarginArrays:
    """The margin with a burn-in before it, for a Sera whose features are others.

    Evidence, epoch and capital stay what they were, nothing is bet meanwhile, and the scores after
    the burn-in are ranked among themselves. So E_mix stays a martingale under a null hypothesis
    that is weaker: exchangeable are the events between one burn-in and the next.

    Args:
        margin: the margin that watched the Sera before; not to be used any more.
        config: settings of the Sera from now on.
    """
    for word in (SEEN, CENTRE, SPREAD):
        margin.tally[word] = 0.0
    margin.tally[REFERRED] = -1.0
    margin.counts[:] = 0.0
    return margin._replace(reference=np.zeros(2 * config.r))


@inlined
def capital(margin: MarginArrays) -> float:
    """log(1/alpha_k) of the present epoch: the margin of a bettor who has won nothing."""
    spent: float = log(margin.tally[EPOCH] + 1.0)
    return 2.0 * spent - margin.log_alpha


@inlined
def _track_centre(tally: Floats, residual: float) -> None:
    """Recursive median: a step of 2 * spread / n towards the side of the n-th residual."""
    n = tally[SEEN]
    if n == 1.0:
        tally[CENTRE] = residual
        tally[SPREAD] = 0.0
        return
    away = residual - tally[CENTRE]
    tally[SPREAD] += (abs(away) - tally[SPREAD]) / n
    step = 2.0 * tally[SPREAD] / n
    if away > 0.0:
        tally[CENTRE] += step
    elif away < 0.0:
        tally[CENTRE] -= step


@kernel
def _tree_sum(terms: Floats, width: int) -> float:
    """Sum of ``terms[:width]`` as a tree of fixed shape; overwrites them."""
    while width > 1:
        kept = (width + 1) // 2
        for i in range(width - kept):
            terms[i] += terms[i + kept]
        width = kept
    return float(terms[0])


@kernel
def reference_of(margin: MarginArrays, sera: SeraArrays) -> float:
    """The reference's readout for the query whose features are in ``sera.scratch.phi``."""
    phi, terms, frozen = sera.scratch.phi, sera.scratch.high, margin.reference
    r = phi.shape[0]
    for i in range(r):
        terms[i] = phi[i] * frozen[i]
    readout = _tree_sum(terms, r)
    for i in range(r):
        terms[i] = phi[i] * frozen[r + i]
    return (readout + margin.lam * sera.params.prior) / (_tree_sum(terms, r) + margin.lam)


@inlined
def _first_row(sera: SeraArrays, i: int) -> float:
    """Statistic ``i`` of the values' first component, from H where R is not kept."""
    state = sera.state
    if state.R.shape[0] > 0:
        return float(state.R[0, i])
    total = 0.0
    for k in range(state.H.shape[0]):
        total += sera.U[0, k] * state.H[k, i]
    return total


@inlined
def _refer(margin: MarginArrays, sera: SeraArrays) -> None:
    """Take the epoch's reference."""
    r = sera.scratch.phi.shape[0]
    for i in range(r):
        margin.reference[i] = _first_row(sera, i)
        margin.reference[r + i] = sera.state.s[i]
    margin.tally[REFERRED] = sera.state.tally[INGESTED]


@inlined
def observe(
    margin: MarginArrays, sera: SeraArrays, y: float, live: float, own: float = 0.0
) -> Verdict:
    """Settle the bets on a labelled event, before Sera has ingested its label.

    On an alarm the verdict has the negative margin, and the state is that of the next epoch.

    Args:
        margin: the margin.
        sera: its Sera, with the features of the event's query in ``scratch.phi``.
        y: the label.
        live: Sera's readout; only the burn-in reads it.
        own: number of the event's value among those that Sera has ingested; 0 if it has not.
    """
    tally = margin.tally
    tally[SEEN] += 1.0
    if tally[SEEN] <= margin.burn_in:
        _track_centre(tally, y - live)
        return Verdict(tally[MARGIN], tally[LOG_E], 0)
    if tally[REFERRED] < 0.0:
        _refer(margin, sera)
    if 0.0 < own <= tally[REFERRED]:
        tally[SEEN] -= 1.0
        return Verdict(tally[MARGIN], tally[LOG_E], 0)
    return _bet(margin, y - reference_of(margin, sera), tally[SEEN] - margin.burn_in)


@inlined
def _bet(margin: MarginArrays, score: float, n: float) -> Verdict:
    """Settle the bets on the ``n``-th score of the epoch."""
    tally = margin.tally
    u = uniform(margin.tie_key, STREAM_TIES, np.uint64(tally[BETTED]))
    tally[BETTED] += 1.0
    b = conformal.bin_of(score - tally[CENTRE], tally[SPREAD])
    p = conformal.rank(margin.counts, b, n, u)
    log_e = tally[LOG_E] + conformal.settle(margin.wealth, p, n)
    left = capital(margin) - log_e
    tally[LOG_E] = log_e
    tally[MARGIN] = left
    if left >= 0.0:
        return Verdict(left, log_e, 0)
    tally[EPOCH] += 1.0
    tally[SEEN] = 0.0
    tally[REFERRED] = -1.0
    tally[CENTRE] = 0.0
    tally[SPREAD] = 0.0
    tally[LOG_E] = 0.0
    tally[MARGIN] = capital(margin)
    conformal.start(margin.wealth, margin.counts)
    return Verdict(left, log_e, 1)
