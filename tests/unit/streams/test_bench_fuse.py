"""What ``weir bench fuse`` and ``weir bench drift`` measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.fusion.cell import Cell
from operators.fusion.outputs import Action
from streams.bench import fuse, scenario
from streams.bench.drift import first, run_drift
from streams.bench.fuse import RiverPipeline, config_of, make_events, part_of, river_rows

if TYPE_CHECKING:
    from pathlib import Path


def test_events_have_thirty_ids_each_and_labels_that_can_be_learnt() -> None:
    """Ids of an event differ, so that all contenders have as many features to work on."""
    events = make_events(4, 1, 300)
    ids = events.ids.reshape(300, fuse.FEATURES)
    assert all(len(set(row.tolist())) == fuse.FEATURES for row in ids)
    rows = Cell(config_of(4, 64, 1), fuse.SEEDS).step_batch(events)
    assert (rows["status"] == 0).all()
    assert (rows["stage"] == 2).all()


def test_parts_of_a_batch_are_its_events() -> None:
    """Cut in two, a batch gives the same rows."""
    events = make_events(4, 1, 20)
    whole = Cell(config_of(4, 16, 1), fuse.SEEDS).step_batch(events)
    cell = Cell(config_of(4, 16, 1), fuse.SEEDS)
    parts = [cell.step_batch(part_of(events, rows)) for rows in (slice(0, 7), slice(7, 20))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("window", [None, 50])
def test_river_gets_the_same_events(window: int | None) -> None:
    """Features by id, key by place; what it predicts is a probability."""
    events = make_events(4, 1, 60)
    rows = river_rows(events, 60)
    assert len(rows[3].features) == fuse.FEATURES
    assert list(rows[3].key.values()) == events.key[3].tolist()
    peer = RiverPipeline(window)
    predicted = [peer.step(row) for row in rows]
    assert all(0.0 <= p <= 1.0 for p in predicted)
    assert len(set(predicted[10:])) > 10


def test_figures_are_of_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time and spread of each size, then River twice."""
    monkeypatch.setattr(fuse, "SIZES", ((4, 16, 1), (4, 16, 2)))
    monkeypatch.setattr(fuse, "TIMED_S", 0.001)
    monkeypatch.setattr(fuse, "SINGLES", 20)
    monkeypatch.setattr(fuse, "WARM_UP", 1)
    monkeypatch.setattr(fuse, "BATCH", 30)
    monkeypatch.setattr(fuse, "RIVER_EVENTS", 10)
    monkeypatch.setattr("streams.bench.machine.pin", lambda: 2)
    lines = list(fuse.run_fuse(1, lambda _: None))
    assert [line.metric for line in lines] == ["ns_per_event", "p99_over_p50"] * 2 + [
        "events_per_s"
    ] * 2
    assert [line.against for line in lines[4:]] == ["river_pipeline", "river_pipeline_same_window"]


def test_scenario_is_drawn_and_told(tmp_path: Path) -> None:
    """Three phases, what each control did and when, and a picture with something on it."""
    picture = tmp_path / "drift.png"
    lines = {
        (line.metric, line.params.get("phase")): line.value
        for line in run_drift(picture, lambda _: None)
    }
    assert lines["gate", "steady"] > 0.7
    assert lines["gate", "novelty"] < 0.1
    assert 0 < lines["events_to_clamp", None] < 60
    assert lines["events_to_early_rebuild", None] < scenario.NOVELTY.stop
    assert picture.stat().st_size > 20_000


def test_what_was_never_decided_is_at_the_end() -> None:
    """An action that no event shows is placed behind the last one."""
    rows = scenario.run()[:10]
    assert first(rows, Action.MARGIN_ALARM, 0) == 10
