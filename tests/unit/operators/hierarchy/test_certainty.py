"""Probabilities of partial verdicts, by how much has been read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from operators.dlp.tags import SCORES
from operators.hierarchy.certainty import AFTER, READ, Certainty, range_of


def certainty() -> Certainty:
    """Ranges that differ."""
    scores = np.stack(
        [np.tile([1.0 + number, 0.5 * number], (len(SCORES), 1)) for number in range(len(READ))]
    )
    spans = np.array([[1.0 + number, 0.1] for number in range(len(AFTER))])
    return Certainty(scores, spans, 0.4)


def test_what_is_written_is_read() -> None:
    """Through JSON, number by number."""
    made = certainty()
    again = Certainty.from_json(json.loads(json.dumps(made.to_json())))
    assert np.array_equal(again.scores, made.scores)
    assert np.array_equal(again.spans, made.spans)
    assert again.turn == made.turn


@pytest.mark.parametrize(("read", "number"), [(0, 0), (63, 0), (64, 1), (511, 2), (9_999, 3)])
def test_ranges_go_from_their_start(read: int, number: int) -> None:
    """A score is judged by the range that its count of tokens is in."""
    assert range_of(READ, read) == number
    chances = certainty().chances(np.full(4, 2.0), read)
    assert chances == pytest.approx(1 / (1 + np.exp(-(2 - 0.5 * number) / (1 + number))))


def test_confidences_stay_probabilities_in_order() -> None:
    """Whatever the network says, nothing and everything included."""
    for after in (0, 3, 100):
        found = [certainty().confidence(sure, after) for sure in (0.0, 0.2, 0.7, 0.999, 1.0)]
        assert found == sorted(found)
        assert 0 < found[0] < found[-1] < 1
