"""What a release leaves behind: a shard's table and a snapshot of it, for later ones to read.

``python -m tests.compat.release tests/compat/state/v<n>`` writes the folder with the program as it
is. A folder that a release has left never changes::

    settings.json     the learner's settings
    secrets/          salts, seeds and keys, made for this
    events.avro       the log of one shard
    table.avro        key and value of every record of the table, as of `COMMITTED` events
    snapshot/         a snapshot as of `CHECKPOINT` events
    published.json    SHA-256 of what the shard published from there on, and of its state at the end
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
import numpy as np

from schemas.codec import Codec
from schemas.registry import load
from state.objects import ObjectStore
from state.secrets import FileSecrets
from state.snapshots.writing import write_snapshot
from state.store import ShardStore
from streams.backtest import state_digest
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import file_codecs
from streams.settings import Settings
from streams.shard.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.shard.unit import UnitOfWork

CHECKPOINT = 250
COMMITTED = 300
EVENTS = 400
UNIT = 25
TENANTS = ("acme", "globex")
ROLES = ("predictions", "audit", "audit-checkpoints")
LEARNER: dict[str, Any] = {
    "sera": {"d": 4, "r": 16, "d_v": 1, "prior": 0.5, "burn_in": 20},
    "fusion": {"stage_events": 20},
}
RECORD = {
    "type": "record",
    "name": "TableRecord",
    "fields": [{"name": "key", "type": "bytes"}, {"name": "value", "type": "bytes"}],
}


def engine_of(learner: Mapping[str, Any], secrets: Path) -> Engine:
    """Return the empty engine of the shard."""
    settings = Settings.model_validate(
        {"application_id": "compat", "learner": learner, "secrets": {"directory": secrets}}
    )
    return Engine(
        0,
        settings.learner,
        CellKeys.open(settings),
        file_codecs(),
        application_id=settings.application_id,
        source_topic="events",
        max_event_bytes=settings.stream.max_event_bytes,
        max_tenants=settings.stream.max_tenants,
    )


def step_on(engine: Engine, log: list[Record]) -> Iterable[UnitOfWork]:
    """Step units of work of `UNIT` events from where the engine stands."""
    for start in range(engine.next_offset or 0, len(log), UNIT):
        yield engine.process(log[start : start + UNIT])


def published(engine: Engine, log: list[Record], since: int) -> dict[str, str]:
    """Go on to the end of the log and hash what a shard publishes of events from an offset on."""
    hashes = {role: hashlib.sha256() for role in ROLES}
    for unit in step_on(engine, log):
        if unit.next_offset > since:
            for role, digest in hashes.items():
                for message in unit.outputs[role]:
                    digest.update(message["value"])
    found = {role: digest.hexdigest() for role, digest in hashes.items()}
    cells = sorted(engine.tenants.items())
    return found | {tenant: state_digest(cell).hex() for tenant, cell in cells}


def read_log(folder: Path) -> list[Record]:
    """Return the events of a folder, as a partition has them."""
    encode = Codec("event").encode
    with (folder / "events.avro").open("rb") as file:
        events: list[Any] = list(fastavro.reader(file))
    return [Record(at, 0, event["id"].encode(), encode(event)) for at, event in enumerate(events)]


def _events() -> list[dict[str, Any]]:
    """Observations, some repeated, some of whose labels come late."""
    random = np.random.default_rng(41)
    events, waiting = [], []
    for event in _observations(random):
        events.append(event)
        if event["label"] is None:
            waiting.append(event)
        if random.random() < 0.05:
            events.append(events[random.integers(len(events))])
        if waiting and random.random() < 0.2:
            of = waiting.pop(random.integers(len(waiting)))
            names = ("tenant", "id", "event_id", "time_us")
            label = {"kind": "LABEL", "label": float(random.integers(2))}
            events.append({name: of[name] for name in names} | label)
    return events[:EVENTS]


def _observations(random: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "kind": "OBSERVATION",
            "tenant": TENANTS[random.integers(2)],
            "id": f"id-{random.integers(30)}",
            "event_id": f"event-{number}",
            "time_us": 1_700_000_000_000_000 + 50_000 * number,
            "label": float(random.integers(2)) if random.random() < 0.8 else None,
            "features": {f"f{name}": random.normal() for name in random.integers(0, 60, 5)},
            "key": random.normal(size=4).tobytes(),
            "query": random.normal(size=4).tobytes() if random.random() < 0.5 else None,
        }
        for number in range(EVENTS)
    ]


def _write(folder: Path) -> None:
    folder.mkdir(parents=True)
    FileSecrets.initialise(folder / "secrets")
    (folder / "settings.json").write_text(json.dumps(LEARNER, indent=1) + "\n", encoding="utf-8")
    with (folder / "events.avro").open("wb") as file:
        fastavro.writer(file, load("event").parsed, _events(), codec="deflate")
    log = read_log(folder)
    engine = engine_of(LEARNER, folder / "secrets")
    with ShardStore(Path(tempfile.mkdtemp()) / "table") as table:
        for unit in step_on(engine, log[:COMMITTED]):
            if unit.next_offset in (UNIT, CHECKPOINT):
                engine.add_checkpoint(unit)
            table.write(unit.state, changelog_offset=unit.next_offset)
            if unit.next_offset == CHECKPOINT:
                with table.view() as view:
                    about = engine.about(log[CHECKPOINT].timestamp)
                    write_snapshot(ObjectStore(str(folder / "snapshot")), view, about)
        with (folder / "table.avro").open("wb") as file:
            rows = [{"key": key, "value": value} for key, value in table.items()]
            fastavro.writer(file, fastavro.parse_schema(RECORD), rows, codec="deflate")
    found = published(engine, log, COMMITTED)
    (folder / "published.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if target.exists():
        shutil.rmtree(target)
    _write(target)
