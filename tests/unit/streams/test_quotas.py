"""Quotas: excess is quarantined, counted, and judged alike by replays and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from operators.fusion.cell import Cell
from schemas.codec import Codec
from state.audit.leaf import FORMAT, LATE_LABEL, REPEAT
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.settings import LabelSettings, QuotaLimits, QuotaSettings
from streams.shard import restore
from tests.property.streams import test_labels as labelled
from tests.property.streams.test_engine import make_engine, run, standing
from tests.property.streams.test_labels import kinds, late, observation, records_of

if TYPE_CHECKING:
    from pathlib import Path

    from streams.shard.engine import Engine
    from streams.shard.unit import UnitOfWork

EVENTS = 400
RATE = QuotaSettings(tenants={"acme": QuotaLimits(events_per_s=20, burst_s=0.5)})
IDS = QuotaSettings(tenants={"acme": QuotaLimits(ids=60)})
BOTH = QuotaSettings(tenants={"acme": QuotaLimits(events_per_s=20, burst_s=0.5, ids=60)})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> CellKeys:
    return CellKeys(FileSecrets.initialise(tmp_path_factory.mktemp("secrets") / "keys"), "test")


def log(count: int = EVENTS, named: str = "") -> list[Record]:
    """Return events of two tenants, 50 a second of event time each, with ids of a long tail."""
    rng = np.random.default_rng(3)
    encode = Codec("event").encode
    records = []
    for number in range(count):
        event: dict[str, Any] = {
            "kind": "OBSERVATION",
            "tenant": ("acme", "globex")[number % 2],
            "id": f"id-{number % 7}",
            "event_id": f"{named}{number}",
            "time_us": 1_700_000_000_000_000 + number * 10_000,
            "label": None if number % 9 == 0 else float(rng.integers(2)),
            "feature_ids": rng.zipf(1.5, 4).clip(0, 2**20).astype("<u8").tobytes(),
            "feature_values": rng.normal(size=4).tobytes(),
            "context": {"channel": f"c{rng.integers(3)}"} if number % 5 == 0 else None,
        }
        records.append(Record(number, 0, b"k", encode(event)))
    return records


def made(keys: CellKeys, quotas: QuotaSettings | None) -> Engine:
    return make_engine(keys, quotas=quotas)


def reasons(units: list[UnitOfWork]) -> dict[str, int]:
    found: dict[str, int] = {}
    for unit in units:
        for reason, count in unit.quarantined.items():
            found[reason] = found.get(reason, 0) + count
    return found


def test_the_rate_is_bounded_in_event_time(keys: CellKeys) -> None:
    """Of 50 events a second 20 pass, after a burst; the other tenant is left alone."""
    engine = made(keys, RATE)
    outputs, units = run(engine, log(), [])
    over = sum(units[0].over_quota.values())
    assert dict(units[0].over_quota) == {("acme", "QUOTA_RATE"): over}
    assert 200 - over == pytest.approx(10 + 20 * 4, abs=2)
    assert engine.tenants["globex"].steps == 200
    told = [one for one in outputs["quarantine"] if one["reason"] == "QUOTA_RATE"]
    assert len(told) == over
    assert all(one["value"] for one in told)
    assert len(outputs["predictions"]) == EVENTS - over


def test_ids_are_bounded_and_what_is_known_goes_on(keys: CellKeys) -> None:
    """The model never holds more than the bound and the fusion's own; known ids still learn."""
    engine = made(keys, IDS)
    _, units = run(engine, log(), [])
    free = made(keys, None)
    run(free, log(), [])
    assert free.tenants["acme"].hlm.known > 100
    assert engine.tenants["acme"].hlm.known <= 60 + 15
    over = units[0].over_quota["acme", "QUOTA_IDS"]
    assert 0 < over < 150
    assert engine.tenants["globex"].hlm.known == free.tenants["globex"].hlm.known
    again = [record._replace(offset=record.offset + 1_000) for record in log(named="again")[-50:]]
    assert engine.process(again).steps > 25


@pytest.mark.parametrize("quotas", [RATE, IDS, BOTH], ids=["rate", "ids", "both"])
@pytest.mark.parametrize("seed", range(6))
def test_the_cut_into_units_changes_nothing(
    keys: CellKeys, quotas: QuotaSettings, seed: int
) -> None:
    """Not which events pass, nor one byte of what they teach; down to single events."""
    whole, cut = made(keys, quotas), made(keys, quotas)
    cuts = np.random.default_rng(seed).integers(0, EVENTS, [0, 2, 5, 20, 100, EVENTS * 9][seed])
    expected, _ = run(whole, log(), [])
    got, units = run(cut, log(), cuts.tolist())
    assert seed < 5 or len(units) > EVENTS * 0.9
    assert got == expected
    assert standing(whole) == standing(cut)


@pytest.mark.parametrize("crash", [45, 130, 260])
def test_a_restart_judges_on(keys: CellKeys, tmp_path: Path, crash: int) -> None:
    """The bucket is part of the state: a re-step and what follows judge as if undisturbed."""
    records = log()
    undisturbed = made(keys, BOTH)
    expected, _ = run(undisturbed, records, [])
    first = made(keys, BOTH)
    with ShardStore(tmp_path / "table") as table:
        unit = first.process(records[:40])
        first.add_checkpoint(unit)
        table.write(unit.state, changelog_offset=1)
        table.write(first.process(records[40:crash]).state, changelog_offset=2)
        again = made(keys, BOTH)
        restore.load_engine(again, table)
    again.process(records[40:crash], emit=False)
    assert standing(again) == standing(first)
    rest, _ = run(again, records[crash:], [])
    assert rest["predictions"] == expected["predictions"][-len(rest["predictions"]) :]
    assert standing(again) == standing(undisturbed)


def test_changed_bounds_count_from_an_offset_that_the_state_knows(
    keys: CellKeys, tmp_path: Path
) -> None:
    """A replay that is told the schedule gives the same, whatever its own settings are."""
    records = log()
    engine = made(keys, None)
    with ShardStore(tmp_path / "table") as table:
        for number, (quotas, start, stop) in enumerate(
            ((None, 0, 100), (RATE, 100, 200), (IDS, 200, 300), (None, 300, EVENTS))
        ):
            if number:
                engine = made(keys, quotas)
                restore.load_engine(engine, table)
                assert engine.unsettled
                settled = engine.settle()
                engine.add_checkpoint(settled)
                table.write(settled.state, changelog_offset=10 * number)
            unit = engine.process(records[start:stop])
            engine.add_checkpoint(unit)
            table.write(unit.state, changelog_offset=10 * number + 1)
    schedule = engine.quotas.to_bytes()
    assert schedule is not None
    replay = made(keys, BOTH)
    replay.quotas.follow(schedule)
    replay.process(records)
    assert not replay.unsettled
    assert standing(replay) == standing(engine)
    never = made(keys, None)
    never.process(records)
    assert standing(never) != standing(engine)


def test_a_shard_that_was_set_back_judges_its_past_as_before(keys: CellKeys) -> None:
    """New bounds count from behind what was reached; the same events get the same verdicts."""
    records = log()
    engine = made(keys, RATE)
    engine.process(records[:200])
    back = made(keys, IDS)
    back.quotas.follow(engine.quotas.to_bytes())
    back.quotas.set_back_from(200)
    later = made(keys, IDS)
    later.quotas.restore(back.quotas.to_bytes())
    later.next_offset = 0
    later.quotas.change(0)
    later.process(records[:200])
    assert standing(later) == standing(engine)
    later.process(records[200:])
    assert later.process([records[-1]]).over_quota.keys() <= {("acme", "QUOTA_IDS")}


def test_first_quotas_after_a_rewind_leave_the_past_alone(keys: CellKeys) -> None:
    """What was published without quotas is replayed without, though the shard was set back."""
    records = log()
    free = made(keys, None)
    free.process(records[:200])
    back = made(keys, None)
    back.quotas.set_back_from(200)
    later = made(keys, RATE)
    later.quotas.restore(back.quotas.to_bytes())
    later.next_offset = 0
    later.quotas.change(0)
    later.process(records[:200])
    assert standing(later) == standing(free)
    assert later.process(records[200:]).over_quota["acme", "QUOTA_RATE"] > 0


# -- what counts, and what is remembered ----------------------------------------------------------


def acme(**limits: Any) -> QuotaSettings:
    return QuotaSettings(tenants={"acme": QuotaLimits(**limits)})


def remembering(keys: CellKeys, quotas: QuotaSettings | None = None) -> Engine:
    return labelled.make_engine(keys, LabelSettings(), quotas=quotas)


def bringing(number: int, label: float | None = None) -> dict[str, Any]:
    """An event with three ids that no other has."""
    ids = np.arange(3 * number, 3 * number + 3, dtype="<u8")
    return observation(number, label, feature_ids=ids.tobytes(), context=None)


def ids_after(keys: CellKeys, *events: dict[str, Any]) -> int:
    """Return how many ids a model holds after some events."""
    free = remembering(keys)
    free.process(records_of(*events))
    return free.tenants["acme"].hlm.known


SLOW = acme(events_per_s=1, burst_s=2)
"""Two at once, and then one in 25 of the events below."""


def test_what_costs_a_look_counts_and_a_late_label_does_not(keys: CellKeys) -> None:
    """Observations, new or repeated, of use or not, and notes; labels come in bulk."""
    for second in (
        observation(1),
        observation(1, float("nan")),
        observation(0),
        observation(1) | {"kind": "NOTE"},
    ):
        engine = remembering(keys, SLOW)
        third, note = observation(2), observation(2) | {"kind": "NOTE"}
        unit = engine.process(records_of(observation(0), second, third, note, late(0)))
        assert dict(unit.over_quota) == {("acme", "QUOTA_RATE"): 2}
        assert unit.late_labels == 1
        assert engine.process(records_of(observation(100))).quarantined == {}


def test_what_was_refused_for_its_rate_is_no_repetition_later(keys: CellKeys) -> None:
    """Nor is it an observation that waits for a label."""
    engine = remembering(keys, SLOW)
    unit = engine.process(records_of(observation(0), observation(1), observation(2), late(2)))
    assert labelled.reasons([unit]) == ["QUOTA_RATE", "LATE_LABEL_UNMATCHED"]
    unit = engine.process(records_of(observation(100), observation(2), late(2)))
    assert kinds([unit]) == [FORMAT, FORMAT, LATE_LABEL]


def test_what_was_refused_for_its_ids_is_no_repetition_later(keys: CellKeys) -> None:
    """It is learnt when the bound is raised."""
    most = ids_after(keys, bringing(0, 1.0)) + 2
    engine = remembering(keys, acme(ids=most))
    unit = engine.process(records_of(*(bringing(n, 1.0) for n in range(3)), late(2)))
    assert labelled.reasons([unit]) == ["QUOTA_IDS", "QUOTA_IDS", "LATE_LABEL_UNMATCHED"]
    engine.quotas.follow(None)
    unit = engine.process(records_of(bringing(2, 1.0), bringing(2, 1.0)))
    assert kinds([unit]) == [FORMAT, REPEAT]


def test_a_repetition_beyond_the_rate_leaves_the_first_known(keys: CellKeys) -> None:
    """An event that was learnt is not learnt again because its copy was refused."""
    engine = remembering(keys, SLOW)
    unit = engine.process(records_of(observation(0), observation(1), observation(0)))
    assert labelled.reasons([unit]) == ["QUOTA_RATE"]
    unit = engine.process(records_of(observation(100), observation(0)))
    assert kinds([unit]) == [FORMAT, REPEAT]


def test_a_label_that_brings_too_many_ids_leaves_its_observation_waiting(keys: CellKeys) -> None:
    """Observations without label pass; their labels are bounded as labels at once are."""
    first = [*(bringing(n) for n in range(3)), late(0)]
    engine = remembering(keys, acme(ids=ids_after(keys, *first) + 2))
    unit = engine.process(records_of(*first, late(1)))
    assert kinds([unit]) == [FORMAT] * 3 + [LATE_LABEL]
    assert dict(unit.over_quota) == {("acme", "QUOTA_IDS"): 1}
    unit = engine.process(records_of(late(1), late(1), late(0)))
    assert labelled.reasons([unit]) == ["QUOTA_IDS", "QUOTA_IDS", "LATE_LABEL_REPEATED"]
    engine.quotas.follow(None)
    unit = engine.process(records_of(late(1), late(1)))
    assert kinds([unit]) == [LATE_LABEL]
    assert labelled.reasons([unit]) == ["LATE_LABEL_REPEATED"]


def test_without_quotas_a_batch_is_one_call(keys: CellKeys, monkeypatch: Any) -> None:
    """And with a rate alone, one call for those that pass."""
    calls: list[int] = []
    step_batch = Cell.step_batch

    def counted(cell: Cell, batch: Any, *more: Any) -> Any:
        calls.append(batch.events)
        return step_batch(cell, batch, *more)

    monkeypatch.setattr(Cell, "step_batch", counted)
    events = records_of(*(observation(n) for n in range(50)))
    remembering(keys).process(events)
    remembering(keys, acme(events_per_s=1, burst_s=20)).process(events)
    assert calls == [50, 21]


def test_no_quotas_leave_no_trace(keys: CellKeys) -> None:
    """State without quotas is what it was before there were any."""
    engine = made(keys, None)
    unit = engine.process(log())
    engine.add_checkpoint(unit)
    assert engine.quotas.to_bytes() is None
    assert not [key for key in unit.state if key.startswith(b"\x0b") or b"quota" in key]
