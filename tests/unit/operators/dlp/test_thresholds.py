"""How predictions of what analysts will say move a policy's probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from operators.dlp.policy import Audience, Decision, Evidence, Policy, Rule
from operators.dlp.thresholds import Steering, Thresholds, shifted

STEERING = Steering(target=0.6, rate=0.05, limit=2.0, least_labels=3)


def taught() -> Thresholds:
    known = Thresholds()
    for said in (1.0, 0.0, 1.0):
        known.labelled(said)
    return known


def test_nothing_moves_before_analysts_have_spoken() -> None:
    """What a learner says that nobody taught is no reason to hold less."""
    known = Thresholds(labels=2)
    for _ in range(100):
        known.predicted(0.0, STEERING)
    assert known.shift == 0.0
    assert (taught().labels, taught().confirmed) == (3, 2)


def test_the_share_that_is_confirmed_comes_to_the_target() -> None:
    """Where more is held as the policy gets stricter, the shift settles where the target is met."""
    rng = np.random.default_rng(1)
    known, late = taught(), []
    for step in range(20_000):
        # Stricter means that more harmless messages are held: fewer of them are confirmed.
        chance = 1 / (1 + math.exp(known.shift))
        known.predicted(float(rng.beta(5 * chance, 5 * (1 - chance))), STEERING)
        if step > 2_000:
            late.append(chance)
    assert np.mean(late) == pytest.approx(0.6, abs=0.01)


def test_the_shift_is_bounded_and_odd_predictions_do_no_harm() -> None:
    """A linear learner leaves [0, 1]; NaN is no prediction."""
    known = taught()
    for chance in (math.nan, 50.0, *[1.0] * 500):
        known.predicted(chance, STEERING)
    assert known.shift == 2.0
    known = taught()
    known.predicted(50.0, STEERING)
    assert known.shift == pytest.approx(0.05 * 0.4)


def test_a_shift_moves_probabilities_in_logits() -> None:
    """And leaves certainty alone, and everything where it is 0."""
    assert shifted(0.5, math.log(3)) == pytest.approx(0.75)
    assert shifted(shifted(0.9, 1.3), -1.3) == pytest.approx(0.9)
    assert [shifted(edge, 5.0) for edge in (0.0, 1.0)] == [0.0, 1.0]
    assert shifted(0.123456789, 0.0) == 0.123456789


def test_rules_that_name_no_probability_stand_whatever_was_learnt() -> None:
    """A confirmed card is held however lenient the analysts are."""
    hard = Rule("card", Decision.BLOCK, "a card", frozenset({"PAN"}), count=1)
    soft = Rule("leak", Decision.REVIEW, "a leak", above={"sensitivity": 0.9})
    odd = Rule("odd", Decision.ALLOW_WITH_WARNING, "odd", below={"context": 0.2})
    unsure = Rule("name", Decision.REVIEW, "a name", frozenset({"NAME"}), 1, confidence=0.8)
    scores = {"sensitivity": 0.85, "exposure": 0.0, "context": 0.25, "obfuscation": 0.0}

    def decide(rule: Rule, shift: float) -> Decision:
        spans = [("PAN", 0.4, True), ("NAME", 0.7, False)]
        evidence = Evidence(scores, spans, Audience.UNKNOWN, shift)
        return Policy("1", (rule,)).decide(evidence)[0]

    assert [decide(hard, shift) for shift in (-2.0, 0.0, 2.0)] == [Decision.BLOCK] * 3
    for rule in (soft, odd, unsure):
        assert decide(rule, -2.0) is Decision.ALLOW
        assert decide(rule, 0.0) is Decision.ALLOW
        assert decide(rule, 2.0) is rule.decision
