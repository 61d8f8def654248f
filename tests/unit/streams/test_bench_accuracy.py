"""What ``weir bench accuracy`` compares is scored right, and the fused learner keeps its word."""

from __future__ import annotations

import math

import numpy as np
import pytest

from operators.fusion.cell import CellConfig
from operators.sera.config import SeraConfig
from streams.bench.accuracy import (
    ATTENTION_ALONE,
    LINEAR_ALONE,
    METRICS,
    attention_alone,
    ours,
    run_accuracy,
    scored,
)
from streams.bench.accuracy_peers import PEERS
from streams.bench.accuracy_streams import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    Stream,
    as_events,
    streams,
)

TINY = Stream(
    name="tiny",
    task=BINARY,
    rows=[{"a": 1.0}, {"b": -1.0}, {}, {"a": 0.5}],
    labels=np.array([1.0, 0, 0, 1]),
    classes=2,
)


@pytest.fixture(scope="module")
def real() -> dict[str, Stream]:
    """The real streams by name."""
    return {stream.name: stream for stream in streams()}


def test_probabilities_of_two_classes_are_scored() -> None:
    """Log loss of the right class, and the share of wrong ones."""
    scores = scored(TINY, np.array([[0.5], [0.25], [0.75], [1.0]]))
    wanted = -(math.log(0.5) + math.log(0.75) + math.log(0.25) + math.log(1.0 - 1e-6)) / 4
    assert scores.loss == pytest.approx(wanted)
    assert scores.error == 0.5, "one half rounds to class 0, and 0.75 is wrong too"


def test_weights_of_classes_are_made_shares() -> None:
    """One against the rest gives weights that need not add up to 1."""
    stream = TINY._replace(task=MULTICLASS, labels=np.array([0.0, 1.0]), classes=2)
    scores = scored(stream, np.array([[0.2, 0.2], [0.9, 0.1]]))
    assert scores.loss == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)
    assert scores.error == 0.5


def test_values_are_scored_by_squares_and_by_sizes() -> None:
    """Root mean squared and mean absolute error."""
    stream = TINY._replace(task=REGRESSION, labels=np.array([1.0, 5.0]), classes=0)
    loss, error = scored(stream, np.array([[1.0], [2.0]]))
    assert loss == pytest.approx(math.sqrt(4.5))
    assert error == 1.5


def test_events_hold_the_rows() -> None:
    """Sparse features and keys are the same numbers, missing ones 0 in the key."""
    batch = as_events(TINY, TINY.labels)
    assert batch.indptr.tolist() == [0, 1, 2, 2, 3]
    assert batch.values.tolist() == [1.0, -1.0, 0.5]
    assert (batch.key * 2**0.25).round(12).tolist() == [[1, 0], [0, -1], [0, 0], [0.5, 0]]


def test_attention_alone_stays_a_probability() -> None:
    """Where labels are 0 and 1, what a readout has beyond them is cut off."""
    config = CellConfig(sera=SeraConfig(d=2, r=16, prior=7.0))
    p = attention_alone(config, as_events(TINY, TINY.labels))
    assert p[0] == 1.0 - 1e-6


@pytest.mark.parametrize("name", ["Phishing", "Bananas", "ImageSegments", "TrumpApproval"])
def test_fused_learner_is_never_much_worse_than_its_better_half(
    name: str, real: dict[str, Stream]
) -> None:
    """On four real streams its loss is at most 2 % above that of the better half, trained alone."""
    scores = ours(real[name])
    better = min(scores[LINEAR_ALONE].loss, scores[ATTENTION_ALONE].loss)
    assert scores["fused"].loss <= 1.02 * better


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_peers_predict_every_event_before_they_learn_it(task: str) -> None:
    """Each contender gives a finite prediction an event, and begins anew with each stream."""
    labels = {BINARY: [1.0, 0, 0, 1], MULTICLASS: [0.0, 1, 2, 0], REGRESSION: [1.0, 5, 2, 2]}[task]
    stream = TINY._replace(task=task, labels=np.array(labels), classes=3)
    for name, peer in PEERS[task].items():
        first, again = peer(stream), peer(stream)
        assert first.shape[0] == 4, name
        assert np.isfinite(first).all(), name
        np.testing.assert_array_equal(first, again, err_msg=name)


def test_every_score_is_compared_with_every_contender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves and peers, two scores each; a ratio above 1 is better for us."""
    monkeypatch.setattr("streams.bench.accuracy.streams", lambda: iter([TINY]))
    said: list[str] = []
    lines = list(run_accuracy(said.append))
    assert said == ["tiny"]
    contenders = {LINEAR_ALONE, ATTENTION_ALONE, *PEERS[BINARY]}
    assert {line.against for line in lines} == contenders
    assert len(lines) == 2 * len(contenders)
    assert {line.metric for line in lines} == {name for name, _ in METRICS[BINARY]}
    for line in lines:
        assert line.against_value is not None
        assert line.ratio == pytest.approx(line.against_value / line.value, rel=1e-3)
