"""The margin's alarm: rare as promised where the null holds, quick where it does not."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from operators.sera import margin
from operators.sera.margin import EPOCH, MARGIN, SEEN, MarginArrays

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
STREAMS = 500
STEPS = 2000


@njit(error_model="numpy")
def first_alarm(arrays: MarginArrays, y: Floats, p: Floats) -> int:
    """Event of the first alarm, or -1."""
    for t in range(y.shape[0]):
        if margin.observe(arrays, y[t], p[t]).alarm:
            return t
    return -1


def chance_of_at_least(count: int, trials: int, p: float) -> float:
    """P(X >= count) for a binomial X; above 5 % iff the Clopper-Pearson lower bound is below p."""
    below = sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(count))
    return 1.0 - below


def false_alarms(logistic: bool, draw: str) -> int:
    rng = np.random.default_rng(11)
    count = 0
    for _ in range(STREAMS):
        arrays = margin.allocate(ALPHA, 50, logistic=logistic)
        if draw == "bernoulli":
            p = rng.beta(0.5, 0.5, size=STEPS)  # scores near 0 and 1 as well as between
            y = (rng.random(STEPS) < p).astype(np.float64)
        else:
            p = np.zeros(STEPS)
            y = {
                "normal": rng.normal(size=STEPS),
                "t3": rng.standard_t(3, size=STEPS),
                "lognormal": rng.lognormal(size=STEPS),
            }[draw]
        count += first_alarm(arrays, y, p) >= 0
    return count


@pytest.mark.parametrize(
    ("logistic", "draw"),
    [(True, "bernoulli"), (False, "normal"), (False, "t3"), (False, "lognormal")],
)
def test_false_alarms_are_as_rare_as_promised(logistic: bool, draw: str) -> None:
    """Of streams on which nothing is wrong, no more than alpha ever raise an alarm."""
    count = false_alarms(logistic, draw)
    assert chance_of_at_least(count, STREAMS, ALPHA) > 0.05, f"{count} of {STREAMS} streams"


def test_wrong_probabilities_raise_an_alarm_soon() -> None:
    """Predictions that are 20 points too low are found out within a few hundred events."""
    rng = np.random.default_rng(2)
    delays = []
    for _ in range(50):
        arrays = margin.allocate(ALPHA, 50, logistic=True)
        y = (rng.random(STEPS) < 0.6).astype(np.float64)
        delays.append(first_alarm(arrays, y, np.full(STEPS, 0.4)))
    assert min(delays) >= 50, "nothing is bet during the burn-in"
    assert np.median(delays) < 250


def test_shifted_residuals_raise_an_alarm_soon() -> None:
    """A shift of the residuals by one standard deviation is found out within 200 events."""
    rng = np.random.default_rng(3)
    delays = []
    for _ in range(50):
        arrays = margin.allocate(ALPHA, 50, logistic=False)
        y = np.concatenate([rng.normal(size=500), 1.0 + rng.normal(size=500)])
        delays.append(first_alarm(arrays, y, np.zeros(1000)) - 500)
    assert min(delays) > 0
    assert np.median(delays) < 200


def test_after_an_alarm_less_is_spent_and_all_of_it_sums_to_alpha() -> None:
    """Each alarm starts a new epoch with a burn-in and a smaller share of alpha."""
    arrays = margin.allocate(ALPHA, 3, logistic=True)
    capitals = []
    for epoch in range(3):
        assert arrays.tally[EPOCH] == epoch
        assert (arrays.log_wealth == 0.0).all()
        capitals.append(arrays.tally[MARGIN])
        while not (verdict := margin.observe(arrays, 1.0, 0.01)).alarm:
            assert verdict.margin >= 0.0
        assert verdict.margin < 0.0
        assert arrays.tally[SEEN] == 0.0
    shares = np.exp(-np.array(capitals))
    np.testing.assert_allclose(shares, ALPHA * 6 / math.pi**2 / np.array([1.0, 4.0, 9.0]))


def test_margin_is_the_capital_less_what_the_bets_have_won() -> None:
    """m_t = log(1/alpha_k) - log E_mix after every event, so that an auditor can recompute it."""
    arrays = margin.allocate(ALPHA, 0, logistic=True)
    wealth = np.ones(len(margin.BETS))
    for y, p in ((1.0, 0.2), (0.0, 0.9), (1.0, 0.7)):
        verdict = margin.observe(arrays, y, p)
        wealth *= 1.0 + np.array(margin.BETS) * (y - p)
        assert verdict.log_e == pytest.approx(math.log(wealth.mean()), abs=1e-12)
        assert verdict.margin == pytest.approx(
            math.log(math.pi**2 / 6 / ALPHA) - math.log(wealth.mean()), abs=1e-12
        )
