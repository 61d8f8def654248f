"""A step is what the plain-Python definition says, however events are cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fusion.cell import Cell, CellConfig, FusionConfig
from operators.fusion.outputs import STEP_DTYPE, Action, Status
from operators.hlm.config import HlmConfig
from operators.hlm.layout import RELOCATED
from operators.sera.config import SeraConfig
from tests.property.operators.fusion.events import (
    SEEDS,
    D,
    Event,
    batch_of,
    configs,
    events,
    spoilt,
    unstable,
)
from tests.property.operators.fusion.reference import Reference

Rows = npt.NDArray[Any]
Arrays = dict[str, npt.NDArray[Any]]

thorough = settings(deadline=None, max_examples=100)

# What a table costs and how full it is has no counterpart in a dictionary; Hlm's tests hold it, and
# tests/unit/operators/fusion/test_scenario.py what the controller asks of it.
TABLE_ACTIONS = Action.REBUILD_REQUESTED | Action.CAPACITY_RAISED
TABLE_FIELDS = {
    "status", "c_lookup", "c_insert", "ring_occupancy", "stash_occupancy", "emergency_used",
    "delta_load", "rebuilds", "ver_base", "ver_delta",
}  # fmt: skip


def step_all(config: CellConfig, stream: list[Event]) -> tuple[Rows, Cell]:
    cell = Cell(config, SEEDS)
    return cell.step_batch(batch_of(stream, d_v=config.sera.d_v)), cell


def untabled(rows: Rows) -> Rows:
    """The rows without what the controller asked of Hlm's table."""
    rows = rows.copy()
    rows["actions"] = rows["actions"].astype(np.int64) & ~int(TABLE_ACTIONS)
    return rows


def crowded(row: Any) -> bool:
    return bool(Action(int(row["actions"])) & Action.HLM_PRESSURE)


def saved(cell: Cell) -> Arrays:
    return {name: array.copy() for name, array in cell.to_state().items()}


def assert_same_state(a: Cell, b: Cell) -> None:
    left, right = a.to_state(), b.to_state()
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].tobytes() == right[name].tobytes(), name


@thorough
@given(config=configs(), stream=events())
def test_step_is_the_definition_bit_for_bit(config: CellConfig, stream: list[Event]) -> None:
    """Predictions, diagnostics, controls and weights can be recomputed in plain Python exactly."""
    rows, cell = step_all(config, stream)
    rows = untabled(rows)
    reference = Reference(config, SEEDS)
    for t, event in enumerate(stream):
        wanted = reference.step(event, crowded=crowded(rows[t]))
        assert set(wanted) == set(STEP_DTYPE.names or ()) - TABLE_FIELDS
        for name, value in wanted.items():
            got = rows[name][t]
            assert np.float64(got).tobytes() == np.float64(value).tobytes(), (t, name, got, value)
    ids, weights = cell.hlm.items()
    assert dict(zip(ids.tolist(), weights.tolist(), strict=True)) == reference.weights


@thorough
@given(config=configs(d_v=2), stream=events(d_v=2))
def test_step_with_value_vectors_is_the_definition(config: CellConfig, stream: list[Event]) -> None:
    """The same holds where values are vectors, and labels alone are not ingested."""
    rows = untabled(step_all(config, stream)[0])
    reference = Reference(config, SEEDS)
    for t, event in enumerate(stream):
        wanted = reference.step(event, crowded=crowded(rows[t]))
        got = {name: float(rows[name][t]) for name in wanted}
        np.testing.assert_equal(got, wanted)


@pytest.mark.parametrize(("d_v", "lowrank"), [(1, False), (2, True)])
def test_larger_sera_takes_over_where_the_definition_says(d_v: int, lowrank: bool) -> None:
    """Features double, then the temperature rises, each at the event that was fixed before."""
    config, stream = unstable(d_v, lowrank=lowrank)
    rows, _ = step_all(config, stream)
    reference = Reference(config, SEEDS)
    for t, event in enumerate(stream):
        for name, value in reference.step(event).items():
            assert np.float64(rows[name][t]).tobytes() == np.float64(value).tobytes(), (t, name)
    actions = rows["actions"].astype(int)
    (proposed,), (succeeded,) = (
        np.nonzero(actions & bit) for bit in (Action.SERA_PROPOSED, Action.SERA_SUCCEEDED)
    )
    assert sorted(set(rows["r"])) == [8.0, 16.0, 24.0]
    assert len(set(rows["tau"])) >= 2
    ingested = rows["ver_sera"][1:]  # right after each event
    assert set(ingested[succeeded] - ingested[proposed[: len(succeeded)]]) == {10.0}, (
        "one window of ingested events"
    )
    assert (np.diff(rows["ver_sera"]) >= 0).all()


@pytest.mark.parametrize(("d_v", "lowrank"), [(1, False), (2, True)])
def test_a_succession_survives_restarts_and_batches(d_v: int, lowrank: bool) -> None:
    """Saved at any event, as changed blocks over the copy before it, the cell goes on the same."""
    config, stream = unstable(d_v, lowrank=lowrank)
    whole, cell = step_all(config, stream)
    running = Cell(config, SEEDS)
    copy: dict[str, bytes] = {}
    for t, event in enumerate(stream):
        assert running.step(batch_of([event], d_v=d_v)).tobytes() == whole[t].tobytes()
        if t % 2:
            continue
        state = saved(running)
        copy = {
            name: patched(copy.get(name, b""), state[name], running.block_bytes(name), blocks)
            for name, blocks in running.take_dirty().items()
        }
        arrays = {name: np.frombuffer(copy[name], state[name].dtype) for name in state}
        restored = Cell.from_state(config, SEEDS, arrays)
        assert_same_state(restored, running)
        running = restored
    assert_same_state(running, cell)


def test_records_that_move_within_an_event_are_still_learnt_right() -> None:
    """Ids that a crowded table moves to make room for an event's new ids keep their weights."""
    rng = np.random.default_rng(1)
    config = CellConfig(
        hlm=HlmConfig(link="logistic", capacity=2048, tau_low=0.94, tau_high=0.95),
        sera=SeraConfig(d=D, r=8, prior=0.5),
        fusion=FusionConfig(rollout="all", tau_low_alert=0.94),
    )
    stream: list[Event] = [
        {
            "features": [(int(key), 1.0) for key in rng.integers(1, 1200, size=20)],
            "label": float(rng.integers(2)),
            "key": None,
            "query": None,
            "value": None,
            "context": [int(key) for key in rng.integers(0, 2**63, size=4)],
        }
        for _ in range(180)
    ]
    rows, cell = step_all(config, stream)
    reference = Reference(config, SEEDS)
    for t, event in enumerate(stream):
        reference.step(event, crowded=crowded(rows[t]))
    assert cell.hlm.arrays.meta[RELOCATED] > 100
    ids, weights = cell.hlm.items()
    assert dict(zip(ids.tolist(), weights.tolist(), strict=True)) == reference.weights


@thorough
@given(config=configs(), stream=events(), data=st.data())
def test_batches_change_nothing(
    config: CellConfig, stream: list[Event], data: st.DataObject
) -> None:
    """However a stream is cut into batches, rows and state are the same bytes."""
    whole, cell = step_all(config, stream)
    cut = data.draw(st.integers(0, len(stream)))
    halved = Cell(config, SEEDS)
    parts = [halved.step_batch(batch_of(part)) for part in (stream[:cut], stream[cut:])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert_same_state(halved, cell)
    single = Cell(config, SEEDS)
    for t, event in enumerate(stream):
        assert single.step(batch_of([event])).tobytes() == whole[t].tobytes()
    assert_same_state(single, cell)


@thorough
@given(config=configs(), stream=events(), data=st.data())
def test_restored_cell_goes_on_as_if_nothing_had_happened(
    config: CellConfig, stream: list[Event], data: st.DataObject
) -> None:
    """A cell saved in the middle, whole or as changed blocks over an older copy, loses no bit."""
    whole, cell = step_all(config, stream)
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(stream))] * 2)))
    running = Cell(config, SEEDS)
    running.step_batch(batch_of(stream[:first]))
    copy = {name: array.tobytes() for name, array in saved(running).items()}
    running.take_dirty()
    running.step_batch(batch_of(stream[first:second]))
    state = saved(running)
    for name, blocks in running.take_dirty().items():
        copy[name] = patched(copy.get(name, b""), state[name], running.block_bytes(name), blocks)
    brought = {name: np.frombuffer(copy[name], state[name].dtype) for name in state}

    for arrays in (state, brought):
        restored = Cell.from_state(config, SEEDS, arrays)
        assert not any(blocks.size for blocks in restored.take_dirty().values())
        rest = restored.step_batch(batch_of(stream[second:]))
        assert rest.tobytes() == whole[second:].tobytes()
        assert_same_state(restored, cell)


def patched(old: bytes, new: npt.NDArray[Any], size: int, blocks: npt.NDArray[np.int64]) -> bytes:
    """``old`` at the length of ``new``, with only the named blocks taken from ``new``."""
    result = bytearray(old[: new.nbytes].ljust(new.nbytes, b"\xee"))
    for block in blocks.tolist():
        result[block * size : (block + 1) * size] = new.tobytes()[block * size : (block + 1) * size]
    return bytes(result)


@thorough
@given(config=configs(), stream=events(), asked=events())
def test_predicting_changes_nothing_and_is_what_a_step_predicts(
    config: CellConfig, stream: list[Event], asked: list[Event]
) -> None:
    """A prediction is the one that the next step makes, and asking for it leaves no trace."""
    _, cell = step_all(config, stream)
    before = saved(cell)
    predicted = cell.predict_batch(batch_of(asked))
    after = cell.to_state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    stepped = cell.step(batch_of(asked[:1]))
    for name in ("step", "y_hat", "y_hlm", "y_sera", "y_meta", "y_feature", "gate", "error", "den"):
        assert predicted[name][0].tobytes() == stepped[name].tobytes(), name


@thorough
@given(
    config=configs(),
    stream=events(),
    how=st.sampled_from([status.name for status in Status if status is not Status.OK]),
    data=st.data(),
)
def test_refused_event_leaves_no_trace(
    config: CellConfig, stream: list[Event], how: str, data: st.DataObject
) -> None:
    """NaN, infinity, huge numbers or a reserved id anywhere: the row says why, nothing changes."""
    if how == "LABEL_OUT_OF_RANGE" and not config.logistic:
        how = "NON_FINITE_LABEL"
    where = data.draw(st.integers(0, len(stream)))
    victim = data.draw(st.sampled_from(stream)) | {"value": None}
    mixed = [*stream[:where], spoilt(victim, how), *stream[where:]]
    clean, cell = step_all(config, stream)
    rows, other = step_all(config, mixed)
    assert rows["status"][where] == Status[how]
    assert np.isnan(rows["y_hat"][where])
    assert np.delete(rows, where).tobytes() == clean.tobytes()
    assert_same_state(other, cell)


@thorough
@given(config=configs(), stream=events(), label=st.floats(0.0, 1.0))
def test_controls_never_see_the_label_they_are_used_with(
    config: CellConfig, stream: list[Event], label: float
) -> None:
    """Changing an event's label changes no prediction and no control up to that event."""
    last = stream[-1]
    rows, _ = step_all(config, [*stream[:-1], last | {"label": 1.0}])
    others, _ = step_all(config, [*stream[:-1], last | {"label": label}])
    fields = ["y_hat", "y_hlm", "y_sera", "y_gate", "y_meta", "y_feature", "gate", "den", "phi_l1"]
    fields += ["lambda_star", "beta_floor", "g_max", "lr", "tau_low", "stage"]
    fields += ["rj_gap", "half_diff", "rj_level", "ver_sera", "ver_base", "ver_delta"]
    fields += ["r", "tau", "clip"]
    for name in fields:
        assert rows[name].tobytes() == others[name].tobytes(), name
