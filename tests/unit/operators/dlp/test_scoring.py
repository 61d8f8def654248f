"""Figures of merit on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from operators.dlp.calibration import calibration_error, fit
from operators.dlp.scoring import SpanTally, alarms_at_recall, average_precision, precision_at
from operators.dlp.tags import TypedSpan


def test_average_precision_of_a_perfect_and_a_useless_score() -> None:
    """One for a score that ranks every positive first, the share of positives for a constant."""
    labels = np.array([True, False] * 50)
    assert average_precision(labels.astype(float), labels) == 1.0
    assert average_precision(np.zeros(100), labels) == pytest.approx(0.5, abs=0.05)


def test_span_tally_counts_half_overlaps() -> None:
    """A span that is off by one is wrong exactly and right by overlap."""
    tally = SpanTally()
    tally.add([TypedSpan(0, 10, "NAME")], [TypedSpan(1, 10, "NAME")])
    row = tally.figures()["NAME"]
    assert (row["exact_f1"], row["overlap_f1"]) == (0.0, 1.0)


def test_macro_f1_is_over_the_types_that_are_there() -> None:
    """A type that nobody asked for does not count, though its false spans are told."""
    tally = SpanTally()
    tally.add([TypedSpan(0, 10, "NAME")], [TypedSpan(0, 10, "NAME"), TypedSpan(20, 30, "PAN")])
    summary = tally.summary()
    assert summary["macro_exact_f1"] == 1.0
    assert summary["spans"]["PAN"]["false"] == 1


def test_alarms_at_recall_counts_negatives_above_the_positives() -> None:
    """With every positive above half of the negatives, half of them are alarms."""
    scores = np.array([0.5] * 10 + [0.9] * 5 + [0.1] * 5)
    labels = np.array([True] * 10 + [False] * 10)
    assert alarms_at_recall(scores, labels) == 0.5


def test_precision_at_takes_the_surest() -> None:
    """Of three spans the two surest count."""
    assert precision_at([0.9, 0.1, 0.8], [True, True, False], 2) == 0.5


def test_temperature_undoes_a_scale() -> None:
    """Logits that are three times too large get a temperature near three, and then fit."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, 6_000)
    labels = rng.random(6_000) < 1 / (1 + np.exp(-logits))
    temperature, shift = fit(3 * logits, labels)
    assert temperature == pytest.approx(3, rel=0.1)
    assert shift == pytest.approx(0, abs=0.2)
    chances = 1 / (1 + np.exp(-(3 * logits - shift) / temperature))
    assert calibration_error(chances, labels) < 0.02
