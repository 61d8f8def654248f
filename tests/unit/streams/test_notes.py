"""Notes stand in the audit trail where the log has them, however the log is cut into units."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from schemas.codec import Codec
from state.audit.cell_verifier import CellVerifier, RecordBlock
from state.audit.checkpoint import CheckpointNote
from state.audit.leaf import FORMAT, NOTE
from state.audit.report import Locator
from streams.kafka.reader import Record
from streams.replay.compare import read_audit, read_prediction
from streams.warmup import warm_up
from tests.unit.streams.test_shard_life import CONFIG, Lab, event, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.shard.engine import Engine

EVENTS = 60
TENANTS = ("acme", "globex")
PLACE = Locator("audit", 0, 0)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile the kernels before anybody waits for a unit."""
    warm_up(CONFIG)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty Kafka and an empty folder."""
    made = Lab(tmp_path)
    yield made
    made.executor.shutdown()


def note(offset: int, tenant: str, **fields: Any) -> Record:
    """Return a note at an offset."""
    record = {
        "kind": "NOTE",
        "tenant": tenant,
        "id": "case-7",
        "event_id": f"note-{offset}",
        "time_us": 1_000 * offset,
        "context": {"entry": f'{{"n":{offset}}}'},
    }
    return Record(offset, 0, b"case-7", Codec("event").encode(record | fields))


def log(seed: int) -> list[Record]:
    """Return a log of events and notes of two tenants, with a broken event here and there."""
    rng = random.Random(seed)
    records = []
    for offset in range(EVENTS):
        kind = rng.random()
        tenant = rng.choice(TENANTS)
        if kind < 0.3:
            records.append(note(offset, tenant))
        else:
            decoded = Codec("event").decode(event(offset).value)
            decoded["tenant"] = tenant
            if kind > 0.9:
                decoded["label"] = 2.0  # refused: not a probability
            records.append(Record(offset, 0, b"k", Codec("event").encode(decoded)))
    return records


def run(engine: Engine, records: list[Record], cuts: list[int]) -> dict[str, list[bytes]]:
    """Process a log in portions; return predictions and audit records."""
    found: dict[str, list[bytes]] = {"predictions": [], "audit": []}
    bounds = [0, *cuts, len(records)]
    for start, stop in pairwise(bounds):
        if start < stop:
            unit = engine.process(records[start:stop])
            for role, values in found.items():
                values += [message["value"] for message in unit.outputs[role]]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_how_the_log_is_cut_changes_no_byte(lab: Lab, seed: int) -> None:
    """Event by event, all at once, or anyhow: the same outputs in the same order."""
    records = log(seed)
    rng = random.Random(-seed)
    one = run(lab.shard("a").engine, records, list(range(1, EVENTS)))
    for name, cuts in (("b", []), ("c", sorted(rng.sample(range(1, EVENTS), 7)))):
        other = run(lab.shard(name).engine, records, cuts)
        assert other["predictions"] == one["predictions"]
        assert other["audit"] == one["audit"]


def test_a_note_is_a_mark_with_the_digest_of_its_event(lab: Lab) -> None:
    """Its leaf stands between those of the steps around it, and holds time and digest alone."""
    records = [event(0), note(1, "acme"), note(2, "acme"), event(3)]
    outputs = run(lab.shard().engine, records, [])
    leaves = [read_audit(value) for value in outputs["audit"]]
    assert [leaf["format"] for leaf in leaves] == [FORMAT, NOTE, NOTE, FORMAT]
    assert [leaf["step"] for leaf in leaves] == [1, 1, 1, 2]
    for record, leaf in zip(records, leaves, strict=True):
        assert record.value is not None
        assert leaf["event_digest"] == hashlib.sha256(record.value).digest()
    assert leaves[1]["time_us"] == 1_000
    assert leaves[1]["y_hat"] == 0.0
    predictions = [read_prediction(value) for value in outputs["predictions"]]
    assert [one["event_id"] for one in predictions] == ["0", "3"]
    assert [one["leaf"] for one in predictions] == [leaves[0]["curr"], leaves[3]["curr"]]


def test_a_note_changes_nothing_that_is_learnt(lab: Lab) -> None:
    """Whatever fields it has beside its entry: predictions are those of the log without it."""
    events = [event(offset) for offset in range(20)]
    noted: list[Record] = []
    for one in events:
        noted += [
            one,
            note(
                one.offset,
                "acme",
                label=9.0,
                features={"a": float("inf")},
                feature_ids=b"broken",
                key=b"short",
            ),
        ]
    plain, other = lab.shard("a").engine, lab.shard("b").engine
    expected, found = run(plain, events, []), run(other, noted, [])
    steps = [read_prediction(value) for value in expected["predictions"]]
    again = [read_prediction(value) for value in found["predictions"]]
    for before, after in zip(steps, again, strict=True):
        assert before | {"leaf": b""} == after | {"leaf": b""}
    assert plain.tenants["acme"].steps == other.tenants["acme"].steps == 20


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_trail_verifies_with_notes_in_it(lab: Lab, tenant: str) -> None:
    """To a verifier they are marks; one that is taken out is missed."""
    engine = lab.shard().engine
    records, checkpoints = [], []
    for start in range(0, EVENTS, 13):
        unit = engine.process(log(3)[start : start + 13])
        key = tenant.encode()
        records += [one["value"] for one in unit.outputs["audit"] if one["key"] == key]
        checkpoints += [
            CheckpointNote.of_record(Codec("audit_checkpoint").decode(one["value"]))
            for one in unit.outputs["audit-checkpoints"]
            if one["key"] == key
        ]
    notes = [place for place, one in enumerate(records) if read_audit(one)["format"] == NOTE]
    assert notes
    for dropped in (None, notes[0]):
        verifier = CellVerifier(engine.chain(tenant).origin, [lab.keys.signer.verifier])
        for checkpoint in checkpoints:
            verifier.expect(PLACE, checkpoint)
        kept = [one for place, one in enumerate(records) if place != dropped]
        verifier.feed(RecordBlock(b"".join(kept), lambda _: PLACE))
        report = verifier.finish()
        assert (report.failures == ()) == (dropped is None), report.failures


async def test_a_restarted_shard_finds_its_notes_again(lab: Lab) -> None:
    """Notes are in the log, so the silent re-step puts them where they were."""
    shard = lab.opened()
    for offset, record in enumerate(log(1)):
        if b"globex" not in (record.value or b""):
            lab.kafka.source[offset] = record
    lab.kafka.end = EVENTS
    await shard.offer(lab.kafka.fetch(0))
    await settle(shard)
    expected = shard.engine.chain("acme").to_bytes()
    again = lab.shard("other")
    again.open()
    assert again.engine.chain("acme").to_bytes() == expected
    assert lab.watching.stepped[-1] > 0
