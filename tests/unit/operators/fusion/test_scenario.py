"""The seed's worked scenario (section 15), each of its statements: what the health signals do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from operators.fusion.cell import Cell
from operators.fusion.outputs import Action
from streams.bench.drift import first
from streams.bench.fuse import part_of
from streams.bench.scenario import CONFIG, NOVELTY, SEEDS, STABLE, STEADY, make_events, run

Rows = npt.NDArray[Any]

SETTLED = slice(STEADY.stop - 500, STEADY.stop)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return run()


def has(rows: Rows, action: Action) -> npt.NDArray[np.bool_]:
    """At which events something was shown or decided."""
    bits: npt.NDArray[np.bool_] = (rows["actions"].astype(np.int64) & int(action)) != 0
    return bits


def test_steady_attention_dominates_and_hlm_is_at_ease(rows: Rows) -> None:
    """Phase 1: margins high, half difference low, gate about 0.8, ring empty, rebuilds rare."""
    settled = rows[SETTLED]
    capital = rows["margin"][0]
    assert settled["margin"].min() > 0.5 * capital
    assert (settled["rj_level"] == 0).mean() > 0.9
    assert settled["gate"].mean() == pytest.approx(0.8, abs=0.05)
    assert settled["ring_occupancy"].max() == 0
    assert settled["rebuilds"].max() == 0
    assert (settled["tau_low"] == 0.6).all()
    assert (
        np.abs(settled["error"]).mean()
        < 0.6 * np.abs(settled["error"] + settled["y_hat"] - settled["y_hlm"]).mean()
    ), "attention is what makes the prediction good"


def test_novelty_is_met_by_every_control(rows: Rows) -> None:
    """Phase 2: red 6 of 10, thin margins, weak denominators; all that the seed lists follows."""
    spike = rows[NOVELTY]
    assert spike["den"].min() < 0.5 * rows[SETTLED]["den"].min()
    assert has(spike, Action.RED_PERSISTED).any()
    assert has(spike, Action.MARGIN_ALARM).any()
    clamp = first(rows, Action.GATE_STEPPED_DOWN)
    assert clamp < NOVELTY.start + 60
    assert rows["gate"][clamp + 1 : NOVELTY.stop].max() <= 0.4
    assert rows["beta_floor"][clamp + 1] > CONFIG.sera.beta_floor
    assert rows["lambda_star"][clamp + 1] > CONFIG.sera.lambda_star
    assert rows["lr"][clamp + 1] == 0.5 * CONFIG.hlm.lr
    assert rows["tau_low"][clamp + 1] == 0.5


def test_rebuild_begins_early_and_inserts_stay_bounded(rows: Rows) -> None:
    """Phase 2: the rebuild begins at a load of 0.5, not 0.6, and no insert exceeds its bound."""
    early = first(rows, Action.REBUILD_REQUESTED)
    assert early < NOVELTY.stop
    assert 0.5 <= rows["delta_load"][early] < 0.6
    assert rows["rebuilds"][early + 1] == 1
    assert rows["c_insert"].max() <= CONFIG.hlm.insert_bound
    assert rows["c_lookup"].max() <= CONFIG.hlm.lookup_bound
    assert rows["emergency_used"].max() == 0


def test_stabilisation_releases_the_clamp_and_takes_lambda_back(rows: Rows) -> None:
    """Phase 3: a base is published, the ring is empty, margins and gate are as before."""
    stable = rows[STABLE]
    assert stable["ver_base"][-1] == 1
    assert stable["ring_occupancy"][-1] == 0
    assert (stable["rj_level"][-500:] == 0).mean() > 0.9
    assert stable["margin"][-500:].min() > 0.5 * rows["margin"][0]
    rising = stable["g_max"]
    assert ((rising[1:] >= rising[:-1]) | has(stable[:-1], Action.GATE_STEPPED_DOWN)).all()
    assert np.unique(rising).size > 20, "the clamp is released by degrees"
    last = stable[-1]
    assert (last["g_max"], last["lambda_star"]) == (0.8, CONFIG.sera.lambda_star)
    assert (last["beta_floor"], last["tau_low"]) == (CONFIG.sera.beta_floor, 0.6)
    assert last["lr"] == CONFIG.hlm.lr
    assert stable["gate"][-500:].mean() == pytest.approx(0.8, abs=0.05)


def test_same_log_gives_the_same_bytes_from_a_snapshot_too(rows: Rows) -> None:
    """Restored in the middle of the spike, a cell gives what the undisturbed one gave."""
    events = make_events()
    middle = NOVELTY.start + 150
    cell = Cell(CONFIG, SEEDS)
    head = cell.step_batch(part_of(events, slice(0, middle)))
    saved = {name: array.copy() for name, array in cell.to_state().items()}
    tail = Cell.from_state(CONFIG, SEEDS, saved).step_batch(
        part_of(events, slice(middle, events.events))
    )
    assert np.concatenate([head, tail]).tobytes() == rows.tobytes()
