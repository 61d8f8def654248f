from __future__ import annotations

import pytest

from streams.demo.tally import SAMPLE_EVENTS, Tally, better_half
from tests.unit.streams.demo.demo_cases import learnt, prediction


def test_learners_are_scored_side_by_side() -> None:
    """Each prediction is one answer of each learner, and counts for its problem."""
    tally = Tally(["phishing"], set())
    tally.judge(prediction(0, fused=0.9, linear=0.2, attention=0.8, label=1.0))
    tally.judge(prediction(1, fused=0.1, linear=0.3, attention=0.7, label=0.0))
    scores = tally.problems["phishing"].scores.scores
    assert scores["fused"].accuracy == 1.0
    assert scores["linear"].accuracy == 0.5
    assert scores["attention"].accuracy == 0.5
    assert scores["fused"].rmse == pytest.approx(0.1)


def test_rows_new_to_the_learner_are_scored_apart() -> None:
    """What was never sent before has a score of its own: nothing was remembered there."""
    tally = learnt(100)
    problem = tally.problems["phishing"]
    assert problem.scores.labels == 100
    assert problem.first_time.labels == 50


def test_curves_have_a_point_every_so_often() -> None:
    """The curves grow with the stream, with accuracy and gate of the time."""
    problem = learnt(3 * SAMPLE_EVENTS).problems["phishing"]
    assert [sample.events for sample in problem.samples] == [25, 50, 75]
    assert problem.samples[-1].accuracy["fused"] == 1.0
    assert problem.samples[-1].gate == pytest.approx(0.25)


def test_repeated_predictions_show() -> None:
    """An event that is predicted twice is counted twice."""
    tally = learnt(10)
    tally.judge(prediction(3, fused=0.9, linear=0.9, attention=0.9, label=1.0))
    assert tally.seen["phishing", "3#1"] == 2
    assert tally.seen.total() == 11


def test_the_better_half_has_the_smaller_squared_error() -> None:
    """Comparisons are made with whichever half was better on the data."""
    for linear, attention, better in ((0.6, 0.7, "attention"), (0.8, 0.7, "linear")):
        tally = learnt(10, linear=linear, attention=attention)
        assert better_half(tally.problems["phishing"].scores) == better
