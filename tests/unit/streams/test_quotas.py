"""Quotas: excess is quarantined, counted, and judged alike by replays and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.codec import Codec
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.settings import QuotaLimits, QuotaSettings
from streams.shard import restore
from tests.property.streams.test_engine import make_engine, run, standing

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


def log(count: int = EVENTS) -> list[Record]:
    """Return events of two tenants, 50 a second of event time each, with ids of a long tail."""
    rng = np.random.default_rng(3)
    encode = Codec("event").encode
    records = []
    for number in range(count):
        event: dict[str, Any] = {
            "kind": "OBSERVATION",
            "tenant": ("acme", "globex")[number % 2],
            "id": f"id-{number % 7}",
            "event_id": str(number),
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
    tail = [r for r in log() if b"acme" in (r.value or b"")][-50:]
    assert engine.process([Record(r.offset + 1_000, 0, r.key, r.value) for r in tail]).steps > 0


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


def test_no_quotas_leave_no_trace(keys: CellKeys) -> None:
    """State without quotas is what it was before there were any."""
    engine = made(keys, None)
    unit = engine.process(log())
    engine.add_checkpoint(unit)
    assert engine.quotas.to_bytes() is None
    assert not [key for key in unit.state if key.startswith(b"\x0b") or b"quota" in key]
