"""A cell from the outside: what it refuses, reports, and how well it predicts on real data."""

from __future__ import annotations

import math
import threading
import time
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from river import datasets

from operators.batch import EventBatch
from operators.errors import InvalidInput, OutOfCapacity, StateMismatch
from operators.fusion.cell import Cell, CellConfig, FusionConfig, Seeds
from operators.fusion.kernel_step import step_events
from operators.fusion.outputs import Action
from operators.hlm import sizing
from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm
from operators.sera.config import SeraConfig

Floats = npt.NDArray[np.float64]

SEEDS = Seeds(prf=21, prf_version=1, hash_salt=42, hash_version=1)


def plain_batch(features: Floats, label: Floats | None, d: int = 16) -> EventBatch:
    """Events of dense features with ids 1, 2, ..., and nothing else."""
    n, width = features.shape
    return EventBatch(
        indptr=np.arange(n + 1, dtype=np.int64) * width,
        ids=np.tile(np.arange(1, width + 1, dtype=np.uint64), n),
        values=features.reshape(-1).astype(np.float64),
        time_us=np.arange(n, dtype=np.int64),
        label=np.zeros(n) if label is None else label.astype(np.float64),
        has_label=np.full(n, label is not None, np.uint8),
        key=np.zeros((n, d)),
        has_key=np.zeros(n, np.uint8),
        query=np.zeros((n, d)),
        has_query=np.zeros(n, np.uint8),
        value=np.zeros((n, 1)),
        has_value=np.zeros(n, np.uint8),
        ctx_indptr=np.zeros(n + 1, np.int64),
        ctx_ids=np.zeros(0, np.uint64),
    )


def real_batch(dataset: Any) -> EventBatch:
    """A bundled binary classification stream of River."""
    indptr, ids, values, labels = [0], [], [], []
    for x, y in dataset:
        for name, value in x.items():
            digest = blake2b(str(name).encode(), digest_size=8).digest()
            ids.append(int.from_bytes(digest, "little") >> 1)  # never a reserved id
            values.append(float(value))
        indptr.append(len(ids))
        labels.append(float(y))
    blank = plain_batch(np.zeros((len(labels), 0)), np.array(labels))
    return blank._replace(
        indptr=np.array(indptr, np.int64), ids=np.array(ids, np.uint64), values=np.array(values)
    )


def error_rate(y: Floats, p: Floats) -> float:
    return float(np.mean((p >= 0.5) != (y > 0.5)))


def log_loss(y: Floats, p: Floats) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


@pytest.mark.parametrize("dataset", [datasets.Phishing, datasets.Bananas])
@pytest.mark.parametrize("lr", [0.05, 0.2])
def test_fused_prediction_is_as_good_as_the_better_half(dataset: Any, lr: float) -> None:
    """On real streams the fused error is at most 2 % above that of the better half alone."""
    batch = real_batch(dataset())
    rows = Cell(CellConfig(hlm=HlmConfig(link="logistic", lr=lr)), SEEDS).step_batch(batch)
    for measure in (error_rate, log_loss):
        fused, *halves = [measure(batch.label, rows[y]) for y in ("y_hat", "y_hlm", "y_sera")]
        assert fused <= 1.02 * min(halves), f"{measure.__name__}: {fused:.4f} against {halves}"


def test_linear_half_is_hlm_alone() -> None:
    """What the cell calls y_hlm is what Hlm predicts when it is trained without the rest."""
    batch = real_batch(datasets.Phishing())
    config = CellConfig()
    rows = Cell(config, SEEDS).step_batch(batch)
    alone = Hlm(config.hlm, SEEDS.hash_salt)
    predicted = alone.step_batch(batch.indptr, batch.ids, batch.values, batch.label)
    assert rows["y_hlm"].tobytes() == predicted.tobytes()


def test_real_labels_of_any_scale_are_predicted_alike() -> None:
    """Regression on labels a million times larger gives predictions a million times larger."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(400, 5))
    labels = features @ rng.normal(size=5) + 0.1 * rng.normal(size=400)
    config = CellConfig(hlm=HlmConfig(link="identity", lr=0.02), sera=SeraConfig())
    small = Cell(config, SEEDS).step_batch(plain_batch(features, labels))
    large = Cell(config, SEEDS).step_batch(plain_batch(features, labels * 2.0**20))
    np.testing.assert_allclose(large["y_hat"], small["y_hat"] * 2.0**20, rtol=1e-6)
    late = slice(200, None)
    assert np.abs(small["error"][late]).mean() < 0.5 * np.abs(labels[late]).mean()


def test_linear_model_that_diverges_does_not_take_the_cell_along() -> None:
    """Features beyond all scale make Hlm diverge: rows say so, predictions stay near the labels."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(300, 4)) * 1e40
    labels = rng.normal(size=300) + 3.0
    config = CellConfig(hlm=HlmConfig(link="identity", lr=0.5), sera=SeraConfig())
    cell = Cell(config, SEEDS)
    rows = cell.step_batch(plain_batch(features, labels))
    assert (rows["status"] == 0).all()
    diverged = (rows["actions"].astype(int) & Action.HLM_DIVERGED) != 0
    assert diverged[10:].all()
    assert np.abs(rows["y_hlm"]).max() > 1e30
    assert np.abs(rows["y_hat"]).max() < 20.0
    assert np.abs(rows["error"][50:]).mean() < 3.0
    state = cell.to_state()
    assert all(np.isfinite(a).all() for name, a in state.items() if name.startswith("fusion"))


def test_alarm_pulls_the_gate_down_from_the_next_event_on() -> None:
    """Labels that turn against the prediction raise an alarm; Sera's weight is then at most 0.4."""
    rng = np.random.default_rng(6)
    n = 1500
    features = rng.normal(size=(n, 3))
    labels = (rng.random(n) < np.where(np.arange(n) < 1000, 0.1, 0.95)).astype(np.float64)
    config = CellConfig(
        hlm=HlmConfig(link="logistic", lr=0.001), fusion=FusionConfig(output="gate")
    )
    rows = Cell(config, SEEDS).step_batch(plain_batch(features, labels))
    actions = rows["actions"].astype(int)
    (alarms,) = np.nonzero(actions & Action.MARGIN_ALARM)
    assert alarms.size
    first = alarms[0]
    assert first >= 1000
    assert rows["margin"][first] < 0.0
    assert rows["gate"][first] > 0.4
    assert rows["gate"][first + 1 : first + 100].max() <= 0.4
    assert (actions[first + 1 : first + 100] & Action.GATE_CLAMPED).all()


def test_context_teaches_the_gate_where_sera_is_right() -> None:
    """The gate learns, by context key, which half to trust; its weights are Hlm's own."""
    rng = np.random.default_rng(8)
    n = 3000
    label = (rng.random(n) < 0.5).astype(np.float64)
    linear = np.arange(n) % 2 == 0  # here the feature tells the label, there the key does
    batch = plain_batch(np.where(linear, 2 * label - 1, 0.0)[:, np.newaxis], label, d=4)
    key = np.where(linear, 0.0, 2 * label - 1)[:, np.newaxis] * np.array([[1.0, 0, 0, 0]])
    batch = batch._replace(
        key=key * 1.4,
        has_key=np.ones(n, np.uint8),
        ctx_indptr=np.arange(n + 1, dtype=np.int64),
        ctx_ids=np.where(linear, 7, 9).astype(np.uint64),
    )
    config = CellConfig(
        hlm=HlmConfig(link="logistic", lr=0.2),
        sera=SeraConfig(d=4, prior=0.5, norm_radius=2.0),
        # Attention as a feature would make the linear half right everywhere.
        fusion=FusionConfig(rollout="all", output="gate", gate_lr=0.5, feature_lr=0.0),
    )
    cell = Cell(config, SEEDS)
    gate = cell.step_batch(batch)["gate"][-500:]
    assert gate[~linear[-500:]].mean() > gate[linear[-500:]].mean() + 0.3


def test_new_and_restored_cells_report_what_a_checkpoint_needs() -> None:
    """All of a new cell is to be saved; after that only what an event touched."""
    cell = Cell(CellConfig(hlm=HlmConfig(link="logistic", capacity=4096)), SEEDS)
    state, dirty = cell.to_state(), cell.take_dirty()
    assert dirty.keys() == state.keys()
    for name, blocks in dirty.items():
        assert len(blocks) == -(-state[name].nbytes // cell.block_bytes(name)), name
    assert not any(blocks.size for blocks in cell.take_dirty().values())

    cell.predict_batch(plain_batch(np.ones((3, 2)), None))
    assert not any(blocks.size for blocks in cell.take_dirty().values())

    cell.step_batch(plain_batch(np.ones((1, 2)), None))
    touched = {name for name, blocks in cell.take_dirty().items() if blocks.size}
    assert "sera.tally" in touched
    assert not touched & {"sera.R", "sera.s", "hlm.delta0"}, "nothing was learnt"

    cell.step_batch(plain_batch(np.ones((1, 2)), np.ones(1)))
    dirty = cell.take_dirty()
    assert {"sera.R", "sera.s", "fusion.tally", "margin.tally"} <= {
        n for n in dirty if dirty[n].size
    }
    assert 0 < len(dirty["hlm.delta0"]) <= 5, "two features and three ids of the fusion's own"


def test_unknown_arrays_have_no_blocks() -> None:
    """Asking for the blocks of an array that a cell does not have is an error."""
    cell = Cell(CellConfig(), SEEDS)
    for name in ("hlm.nothing", "nothing"):
        with pytest.raises(InvalidInput, match="nothing"):
            cell.block_bytes(name)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"key": np.zeros((2, 3))}, r"column 'key' is float64\[2, 3\]: must be float64\[2, 16\]"),
        ({"ids": np.zeros(4, np.int64)}, "column 'ids' is int64"),
        ({"indptr": np.array([0, 3, 2], np.int64)}, "'indptr' must rise from 0 to 4"),
        ({"indptr": np.array([0, 2, 9], np.int64)}, "'indptr' must rise from 0 to 4"),
        ({"ctx_indptr": np.array([1, 1, 0], np.int64)}, "'ctx_indptr' must rise from 0 to 0"),
        ({"values": np.zeros(3)}, "column 'ids'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, Any], complaint: str) -> None:
    """A batch whose columns would make the kernel read past them is refused, untouched."""
    cell = Cell(CellConfig(), SEEDS)
    batch = plain_batch(np.ones((2, 2)), np.ones(2))._replace(**change)
    with pytest.raises(InvalidInput, match=complaint):
        cell.step_batch(batch)
    assert cell.steps == 0


def test_a_step_takes_one_event() -> None:
    """Two events are not a step."""
    with pytest.raises(InvalidInput, match="one event, not 2"):
        Cell(CellConfig(), SEEDS).step(plain_batch(np.ones((2, 2)), None))


def test_empty_batch_and_event_without_anything_are_fine() -> None:
    """No events give no rows; an event with neither features nor label still is predicted."""
    cell = Cell(CellConfig(), SEEDS)
    assert len(cell.step_batch(EventBatch.empty(16, 1))) == 0
    row = cell.step(plain_batch(np.zeros((1, 0)), None))
    assert row["y_hat"] == 0.5
    assert math.isnan(row["error"])
    assert cell.steps == 1


def test_read_only_columns_are_taken() -> None:
    """Columns straight from a message's bytes, which cannot be written, step alike."""
    batch = plain_batch(np.ones((4, 2)), np.ones(4))
    columns = {
        name: np.frombuffer(column.tobytes(), column.dtype).reshape(column.shape)
        for name, column in batch._asdict().items()
    }
    frozen = EventBatch(**columns)
    rows = Cell(CellConfig(), SEEDS).step_batch(frozen)
    assert rows.tobytes() == Cell(CellConfig(), SEEDS).step_batch(batch).tobytes()


def test_state_that_does_not_fit_is_refused() -> None:
    """Missing, unknown or resized arrays are named."""
    saved = Cell(CellConfig(), SEEDS).to_state()
    less = {name: array for name, array in saved.items() if name != "fusion.tally"}
    with pytest.raises(StateMismatch, match=r"lacks \['fusion.tally'\]"):
        Cell.from_state(CellConfig(), SEEDS, less)
    with pytest.raises(StateMismatch, match=r"unknown \['x'\]"):
        Cell.from_state(CellConfig(), SEEDS, saved | {"x": np.zeros(1)})
    with pytest.raises(StateMismatch, match=r"'margin.tally' was saved as float64\[1\]"):
        Cell.from_state(CellConfig(), SEEDS, saved | {"margin.tally": np.zeros(1)})


def test_gauges_tell_the_cells_health() -> None:
    """Metrics show the last step and what rolls, and after a restore what is part of the state."""
    cell = Cell(CellConfig(), SEEDS)
    assert math.isnan(cell.describe()["gate"])
    rows = cell.step_batch(plain_batch(np.ones((5, 2)), np.ones(5)))
    gauges = cell.describe()
    for name in ("gate", "rj_gap", "half_diff", "delta_load"):
        assert gauges[name] == rows[name][-1]
    assert gauges["steps"] == 5.0
    assert gauges["rolling_error"] == pytest.approx(np.abs(rows["error"]).mean())
    restored = Cell.from_state(CellConfig(), SEEDS, cell.to_state()).describe()
    assert restored.keys() == gauges.keys()
    assert restored["margin"] == gauges["margin"]


def test_cell_keeps_what_it_learnt_before_an_oversized_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When one event has more new ids than Hlm may take at once, those before are learnt."""
    monkeypatch.setattr(sizing, "MAX_CAPACITY", 32)
    config = CellConfig(hlm=HlmConfig(link="logistic", capacity=32))
    cell = Cell(config, SEEDS)
    wide = plain_batch(np.ones((1, 60)), np.ones(1))
    cell.step_batch(plain_batch(np.ones((3, 2)), np.ones(3)))
    with pytest.raises(OutOfCapacity, match="new ids in one event"):
        cell.step_batch(wide)
    assert cell.steps == 3


def test_integers_in_settings_are_as_good_as_floats() -> None:
    """A configuration file that says 1 instead of 1.0 gives the same bits, compiled once."""
    batch = plain_batch(np.ones((4, 2)), np.ones(4))
    whole = CellConfig(
        sera=SeraConfig(prior=1, clip=3, norm_radius=1, lambda_star=1, beta_floor=1, c_red=2),
        fusion=FusionConfig(gate_trust=8, g_min=0, g_max=1, lambda_step=1, lambda_max=2),
    )
    real = CellConfig(
        sera=SeraConfig(
            prior=1.0, clip=3.0, norm_radius=1.0, lambda_star=1.0, beta_floor=1.0, c_red=2.0
        ),
        fusion=FusionConfig(gate_trust=8.0, g_min=0.0, g_max=1.0, lambda_step=1.0, lambda_max=2.0),
    )
    rows = Cell(real, SEEDS).step_batch(batch)
    dispatcher: Any = step_events
    compiled = len(dispatcher.signatures)
    assert Cell(whole, SEEDS).step_batch(batch).tobytes() == rows.tobytes()
    assert len(dispatcher.signatures) == compiled


def test_other_threads_run_while_a_batch_is_stepped() -> None:
    """Stepping a batch does not hold the interpreter: heartbeats go on meanwhile."""
    cell = Cell(CellConfig(), SEEDS)
    batch = plain_batch(np.ones((30_000, 8)), np.ones(30_000))
    cell.step_batch(batch)
    spent = []

    def work() -> None:
        start = time.perf_counter()
        cell.step_batch(batch)
        spent.append(time.perf_counter() - start)

    thread = threading.Thread(target=work)
    thread.start()
    longest, last = 0.0, time.perf_counter()
    while thread.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < 0.7 * spent[0]
