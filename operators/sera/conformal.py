"""A bet against exchangeability in constant memory: a conformal test martingale over fixed bins.

**Null hypothesis**: the scores are exchangeable; every order of them was equally likely.

A score is ranked among all scores so far, by the bin that it falls into, ties broken at random:

    p_n = (#{i <= n: b_i > b_n} + u_n #{i <= n: b_i = b_n}) / n

Under the null p_1, p_2, ... are independent and uniform on [0, 1], exactly, whatever the bins
(Vovk, Gammerman and Shafer, 2005, chapter 8), so nothing is assumed about tails or moments. Two
coordinates with |Z| <= 1 and mean 0 are bet on, Z = 1 - 2p (scores have moved) and
Z = 2|1 - 2p| - 1 (they lie farther out, or closer), at the stakes lambda_j of ``BETS``:

    E_n = sum over paths j_1 .. j_n of  P(path) prod (1 + lambda_{j_i} Z_{j_i, i})

A path sleeps (bets nothing), wakes to one of the bets at time n with chance ``WAKING / (SETTLING +
n)``, and falls asleep again with chance ``TIRING``. The chances are fixed in advance, so the sum is
a mixture with fixed weights of betting martingales, and by Ville's inequality
P(sup_n E_n >= 1/alpha) <= alpha. Without sleep the capital is gone when a change comes: of a bet of
0.25 at most e^-100 is left after 10^4 steps.

Sources: Vovk (2021), "Testing randomness online", Statistical Science 36(4); Herbster and Warmuth
(1998), "Tracking the best expert", Machine Learning 32, for mixing over paths in constant time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined
from operators.numerics import log

if TYPE_CHECKING:
    from operators.sera.layout import Floats

BINS = 64
"""Bins of the scores; with 16 the delay for a doubled spread is 5 % longer, with 256 1 % less."""

BETS = (0.0, 0.25, -0.25, 0.5, -0.5, 0.9, -0.9, 0.25, -0.25, 0.5, -0.5, 0.9, -0.9)
"""Stakes: asleep, then those on the first coordinate, then those on the second."""

FIRST_ON_SPREAD = 7
"""The first stake on the second coordinate."""

WAKING, SETTLING = 0.3, 100.0
"""Over 10^4 events a quarter of the sleeping capital is left, and each has a fair share of it."""

TIRING = 0.001
"""Chance that a bet is ended; a bet that goes well is kept for some thousand events."""


@inlined
def start(wealth: Floats, counts: Floats) -> None:
    """All capital asleep, nothing ranked: wealth float64[len(BETS)], counts float64[BINS]."""
    wealth[:] = 0.0
    wealth[0] = 1.0
    counts[:] = 0.0


@inlined
def bin_of(away: float, spread: float) -> int:
    """Bin of a score at ``away`` from the centre, at a scale of ``spread`` >= 0; monotone."""
    width = spread + abs(away)
    squashed = away / width if width > 0.0 else 0.0
    return min(int((squashed + 1.0) * (0.5 * BINS)), BINS - 1)


@inlined
def rank(counts: Floats, b: int, n: float, u: float) -> float:
    """P-value of the ``n``-th score, in bin ``b``, with tie-breaker ``u``; counts it as well."""
    counts[b] += 1.0
    above = 0.0
    for i in range(b + 1, BINS):
        above += counts[i]
    return float((above + u * counts[b]) / n)


@inlined
def settle(wealth: Floats, p: float, n: float) -> float:
    """Settle the bets on the ``n``-th p-value; logarithm of the factor that E grew by.

    ``wealth`` holds the share of each bet in E, before and after. Takes O(len(BETS)) time.
    """
    moved = 1.0 - 2.0 * p
    spread = 2.0 * abs(moved) - 1.0
    total = 0.0
    for j in range(len(BETS)):
        wealth[j] *= 1.0 + BETS[j] * (spread if j >= FIRST_ON_SPREAD else moved)
        total += wealth[j]
    waking = wealth[0] / total * (WAKING / (SETTLING + n))
    asleep = wealth[0] / total - waking
    for j in range(1, len(BETS)):
        share = wealth[j] / total
        asleep += share * TIRING
        wealth[j] = share * (1.0 - TIRING) + waking / (len(BETS) - 1.0)
    wealth[0] = asleep
    return float(log(total))
