from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from vowpalwabbit import Workspace

from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm

RATE = 0.02
OPTIONS = (
    f"--quiet --noconstant --sgd --power_t 0 -l {RATE} --loss_function classic "
    "--min_prediction -1e9 --max_prediction 1e9"
)
EVENTS, FEATURES = 3_000, 25


class Peer(NamedTuple):
    """What Vowpal Wabbit read of the events, and what it predicted before learning each."""

    rows: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    predictions: npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Events as text, with more ids than a table of 2^12 has places, and a linear truth."""
    rng = np.random.default_rng(5)
    truth = rng.standard_normal(20_000)
    events = []
    for _ in range(EVENTS):
        ids = rng.choice(20_000, FEATURES, replace=False)
        values = rng.standard_normal(FEATURES).round(3)
        label = float(truth[ids] @ values) + rng.standard_normal()
        text = " ".join(f"{i}:{x}" for i, x in zip(ids, values, strict=True))
        events.append(f"{label:.6f} | {text}")
    return events


def run_peer(lines: list[str], bits: int) -> Peer:
    """Learn all lines one by one, with tables of 2^bits places."""
    peer = Workspace(f"{OPTIONS} -b {bits}")
    rows, ids, values, labels, predictions = [0], [], [], [], []
    for line in lines:
        example: Any = peer.parse(line)
        features = range(example.num_features_in(0))
        ids += [example.feature(0, i) for i in features]
        values += [example.feature_weight(0, i) for i in features]
        rows.append(len(ids))
        labels.append(example.get_simplelabel_label())
        predictions.append(peer.predict(example))
        peer.learn(example)
        peer.finish_example(example)
    peer.finish()
    return Peer(
        np.array(rows),
        np.array(ids, np.uint64),
        np.array(values),
        np.array(labels),
        np.array(predictions),
    )


def run_ours(peer: Peer) -> npt.NDArray[np.float64]:
    """The same events as the peer read them, in its arithmetic; its loss has gradient 2(p - y)."""
    rate = float(np.float32(2.0) * np.float32(RATE))
    config = HlmConfig(arithmetic="single", lr=rate, intercept=False, rebuild_events=100)
    hlm = Hlm(config, salt=3)
    predictions = hlm.step_batch(peer.rows, peer.ids, peer.values, peer.labels)
    assert hlm.ack.ver_base >= 1
    return predictions


def test_equals_vowpal_wabbit_bit_for_bit(lines: list[str]) -> None:
    """With room enough for no collision, Vowpal Wabbit predicts the same 32 bits at every event."""
    peer = run_peer(lines, bits=24)

    ours = run_ours(peer)

    assert ours.astype(np.float32).tobytes() == peer.predictions.astype(np.float32).tobytes()
    assert np.abs(peer.predictions[-100:]).max() > 0.1


def test_vowpal_wabbit_with_collisions_differs(lines: list[str]) -> None:
    """The control: in 2^12 places ids share weights, which this model never does."""
    exact = run_peer(lines, bits=24)

    colliding = run_peer(lines, bits=12)

    ours = run_ours(exact)
    assert np.mean(ours.astype(np.float32) != colliding.predictions.astype(np.float32)) > 0.9
