"""The margin: what is bet, against what reference, and what becomes of the capital."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from operators.sera import allocation, conformal, margin
from operators.sera.config import SeraConfig
from operators.sera.layout import INGESTED
from operators.sera.margin import BETTED, EPOCH, MARGIN, REFERRED, SEEN, MarginArrays
from tests.unit.operators.sera.null_streams import (
    SMALL,
    Floats,
    forget,
    keys_of,
    learn,
    new,
    noise,
    target,
)

ALPHA = 0.05
LEVEL = math.log(math.pi**2 / 6 / ALPHA)
NEVER = 1e9


def ranked(scores: Floats) -> Floats:
    """P-values of scores, ties broken at random."""
    counts = np.zeros(conformal.BINS)
    u = np.random.default_rng(1).random(len(scores))
    return np.array(
        [
            conformal.rank(counts, conformal.bin_of(x, 1.0), t + 1.0, u[t])
            for t, x in enumerate(scores)
        ]
    )


@pytest.mark.parametrize("values", [[-1e99, 0.0, 0.0, 3.0], [0.5], [math.inf, -2.0]])
def test_p_values_of_tied_scores_are_uniform(values: list[float]) -> None:
    """However few values the scores take, p-values are uniform: no bin gives a bettor an edge."""
    rng = np.random.default_rng(2)
    p = np.sort(ranked(rng.choice(np.nan_to_num(values), size=4000)))
    distance = np.abs(p - (np.arange(4000) + 0.5) / 4000).max()
    assert distance < 1.63 / math.sqrt(4000), "Kolmogorov-Smirnov at 1 %"


def test_larger_scores_have_smaller_p_values() -> None:
    """Bins keep the order of the scores, and the p-value is the share that is at least as large."""
    scores = np.array([0.0, 1.0, -1.0, 5.0, 0.3])
    p = ranked(scores)
    assert p[3] < 0.25, "the largest of four"
    assert 0.4 < p[4] < 0.6, "the third of five"
    bins = [conformal.bin_of(x, 1.0) for x in (-1e308, -2.0, -0.1, 0.0, 0.1, 2.0, 1e308)]
    assert bins == sorted(set(bins))
    assert bins[0] == 0
    assert bins[-1] == conformal.BINS - 1
    assert conformal.bin_of(0.0, 0.0) == conformal.BINS // 2, "no spread yet"


def test_no_stake_can_lose_more_than_the_capital() -> None:
    """Whatever is drawn, wealth stays positive and shares add up to one."""
    wealth, counts = np.empty(len(conformal.BETS)), np.empty(conformal.BINS)
    conformal.start(wealth, counts)
    for n, p in enumerate((0.0, 1.0, 0.0, 0.5, 1.0, 1.0), start=1):
        conformal.settle(wealth, p, float(n))
        assert (wealth > 0.0).all()
        assert wealth.sum() == pytest.approx(1.0, abs=1e-12)


def test_bets_have_no_edge_whatever_was_drawn_before() -> None:
    """The mean growth of E over a uniform p-value is 1: what makes it a martingale."""
    wealth, counts = np.empty(len(conformal.BETS)), np.empty(conformal.BINS)
    conformal.start(wealth, counts)
    grid = (np.arange(2000) + 0.5) / 2000
    for n, p in enumerate((0.1, 0.02, 0.9, 0.3, 0.05), start=1):
        growth = [math.exp(conformal.settle(wealth.copy(), each, float(n))) for each in grid]
        assert np.mean(growth) == pytest.approx(1.0, abs=1e-6)
        conformal.settle(wealth, p, float(n))


def test_margin_is_the_capital_less_what_the_bets_have_won() -> None:
    """m_t = log(1/alpha_k) - log E_mix after every event, so that an auditor can recompute it."""
    arrays, sera = new(SeraConfig(d=2, r=8, burn_in=5))
    highest = -math.inf
    for y in np.random.default_rng(1).normal(size=200):
        verdict = margin.observe(arrays, sera, y, 0.0)
        assert verdict.margin == pytest.approx(LEVEL - verdict.log_e, abs=1e-12)
        highest = max(highest, verdict.log_e)
    assert highest != 0.0


def run(arrays: MarginArrays, kind: str, change: float, at: int, rng: np.random.Generator) -> float:
    """Event of the first alarm at ALPHA, else -1, of a Sera that learns; y changes at ``at``."""
    n = at + 1000
    keys = keys_of(rng, n)
    y = target(keys) + 0.3 * noise(kind, rng, (n,))
    y[at:] += change
    _, sera = new()
    forget(arrays, sera)
    outcome = learn(arrays, sera, keys, y, LEVEL)
    return -outcome - 1.0 if outcome < 0.0 else -1.0


@pytest.mark.parametrize("kind", ["normal", "t3", "lognormal"])
def test_learner_that_starts_cold_raises_no_alarm_on_an_unchanging_stream(kind: str) -> None:
    """A Sera that still learns does not look like a world that changes."""
    rng = np.random.default_rng(11)
    arrays, _ = new()
    alarms = sum(run(arrays, kind, 0.0, 2000, rng) >= 0 for _ in range(150))
    assert alarms <= 12, "the 95 % bound of a rate of 5 % in 150"


def test_changed_target_raises_an_alarm_soon() -> None:
    """A shift by a third of the target's spread is found out within 200 events."""
    rng = np.random.default_rng(3)
    arrays, _ = new()
    delays = np.array([run(arrays, "normal", 0.6, 1000, rng) for _ in range(60)]) - 1000
    assert (delays > 0).all(), "no alarm before, none missed"
    assert np.median(delays) < 200


def test_reference_does_not_learn() -> None:
    """Once the burn-in is over, what Sera learns changes no score: the bets see the world alone."""
    rng = np.random.default_rng(4)
    keys, y = keys_of(rng, 600), rng.normal(size=600)
    learning, forgetful = new(), new()
    for arrays, sera in (learning, forgetful):
        learn(arrays, sera, keys[:300], y[:300], NEVER)
    frozen = learning[0].reference.copy()
    assert frozen.any(), "the burn-in is over"
    forgetful[1].state.R[:] = 7.0
    for arrays, sera in (learning, forgetful):
        learn(arrays, sera, keys[300:], y[300:], NEVER)
        assert arrays.tally[SEEN] == 600.0
        assert arrays.reference.tobytes() == frozen.tobytes()
    assert learning[0].tally.tobytes() == forgetful[0].tally.tobytes()


def test_nothing_is_bet_during_the_burn_in() -> None:
    """The first ``burn_in`` labelled events of an epoch leave the capital alone."""
    arrays, sera = new(SeraConfig(d=2, r=8, burn_in=50))
    for y in range(50):
        assert margin.observe(arrays, sera, float(y), 0.0) == (LEVEL, 0.0, 0)
    # The first rank tells nothing, and the bets that it wakes are as many on either side.
    margin.observe(arrays, sera, 0.0, 0.0)
    margin.observe(arrays, sera, 1e8, 0.0)
    assert margin.observe(arrays, sera, 1e9, 0.0).log_e != 0.0


def test_an_event_that_the_reference_learnt_from_is_not_bet_on() -> None:
    """Its score is not of the law of those after it; the first that comes later is bet on."""
    arrays, sera = new(SeraConfig(d=2, r=8, burn_in=5))
    for y in range(5):
        margin.observe(arrays, sera, float(y), 0.0, y + 1.0)
    sera.state.tally[INGESTED] = 40.0
    before = arrays.wealth.tobytes(), arrays.counts.tobytes()
    for own in (1.0, 39.0, 40.0):
        assert margin.observe(arrays, sera, 1e9, 0.0, own) == (LEVEL, 0.0, 0)
        sera.state.tally[INGESTED] += 10.0
    assert (arrays.wealth.tobytes(), arrays.counts.tobytes()) == before
    assert arrays.tally[[SEEN, BETTED, REFERRED]].tolist() == [5.0, 0.0, 40.0]
    margin.observe(arrays, sera, 1e9, 0.0, 41.0)
    margin.observe(arrays, sera, 1e9, 0.0)
    assert arrays.tally[[SEEN, BETTED, REFERRED]].tolist() == [7.0, 2.0, 40.0]


def test_after_an_alarm_less_is_spent_and_all_of_it_sums_to_alpha() -> None:
    """Each alarm starts a new epoch with a burn-in, a new reference and less of alpha."""
    arrays, sera = new(SeraConfig(d=2, r=8, burn_in=3))
    capitals = []
    for epoch in range(3):
        assert arrays.tally[EPOCH] == epoch
        assert arrays.wealth[0] == 1.0
        assert arrays.counts.sum() == 0.0
        capitals.append(arrays.tally[MARGIN])
        for y in range(1000):  # ever larger residuals: the alarm comes within some thirty events
            verdict = margin.observe(arrays, sera, float(y), 0.0)
            assert (verdict.margin < 0.0) == verdict.alarm
            if verdict.alarm:
                break
        assert arrays.tally[SEEN] == 0.0
    shares = np.exp(-np.array(capitals))
    np.testing.assert_allclose(shares, ALPHA * 6 / math.pi**2 / np.array([1.0, 4.0, 9.0]))


def test_another_sera_is_referred_to_anew_and_keeps_the_evidence() -> None:
    """After a handover nothing is bet for a burn-in; what was won, epoch and capital stay."""
    rng = np.random.default_rng(8)
    arrays, sera = new()
    keys = keys_of(rng, 600)
    learn(arrays, sera, keys, target(keys) + noise("normal", rng, (600,)), NEVER)
    before, wealth = arrays.tally.copy(), arrays.wealth.copy()
    assert before[margin.LOG_E] != 0.0
    larger = replace(SMALL, r=16)
    anew = margin.refer_anew(arrays, larger)
    successor = allocation.allocate(larger, 5)
    assert anew.reference.shape == (32,)
    keys = keys_of(rng, SMALL.burn_in + 1)
    y = target(keys)
    learn(anew, successor, keys[:-1], y[:-1], NEVER)
    kept = [margin.EPOCH, margin.LOG_E, margin.MARGIN, margin.BETTED]
    assert anew.tally[kept].tolist() == before[kept].tolist()
    assert anew.wealth.tolist() == wealth.tolist()
    learn(anew, successor, keys[-1:], y[-1:], NEVER)
    assert anew.counts.sum() == 1.0, "scores of another reference are not ranked with these"
    assert (anew.reference != 0.0).any()
    assert anew.tally[margin.BETTED] == before[margin.BETTED] + 1


def test_representation_shows_no_key() -> None:
    """The key that breaks ties follows from the secret seed and is not printed."""
    arrays, _ = new(SMALL)
    assert str(arrays.tie_key) not in repr(arrays)
