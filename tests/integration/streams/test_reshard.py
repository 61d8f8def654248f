"""Another number of shards: the copy, killed and not, the refusals, and the cut-over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.codec import Codec
from streams.backtest import run_backtest
from streams.cli import reshard
from streams.cli.main import app
from streams.feed import FedEvent
from streams.kafka.clients import client_config
from streams.kafka.reader import PartitionReader, Record
from streams.quarantine import HEADER
from streams.reshard.merged import MergedLog
from streams.reshard.plan import PLACE_HEADER
from streams.settings import load_settings
from tests.integration.streams.under_test import Stream, make_events, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from deploy.broker.handle import CrashableBroker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = CliRunner()
CRASHING = Path(__file__).with_name("crashing_reshard.py")
TENANTS = ("acme", "globex")
OLD, NEW = 2, 3
EVENTS, REFUSED = 1_500, 60
GARBAGE = FedEvent(b"entity-1", b"garbage")


def weir(stream: Stream, *arguments: str, code: int = 0) -> Result:
    """Run a command with the stream's settings."""
    result = RUN.invoke(app, list(arguments), env=stream.environment)
    assert result.exit_code == code, result.output + result.stderr
    return result


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def asked(name: str, *options: str) -> tuple[str, ...]:
    return ("reshard", "--application", name, "--shards", str(NEW), "--yes", "--json", *options)


def successor(old: Stream, name: str) -> Stream:
    """Return the new application as a stream of its own."""
    environment = old.environment | {
        "WEIR_APPLICATION_ID": name,
        "WEIR_TOPICS__PREFIX": f"{name}.",
        "WEIR_TOPICS__PARTITIONS": str(NEW),
    }
    topics = old.settings.topics.model_copy(update={"prefix": f"{name}.", "partitions": NEW})
    settings = old.settings.model_copy(update={"application_id": name, "topics": topics})
    return replace(
        old, settings=settings, environment=environment, shards=NEW, sent=[], workers=[]
    )


def log_of(stream: Stream) -> list[list[Record]]:
    """Return the records of the events, by partition, with their headers."""
    reader = PartitionReader(stream.settings.broker, headers=True)
    topic = stream.topic("events")
    found = [
        [
            record
            for batch in reader.read(topic, p, None, reader.bounds(topic, p)[1])
            for record in batch
        ]
        for p in range(stream.shards)
    ]
    reader.close()
    return found


def contents(log: list[list[Record]]) -> list[list[Any]]:
    """Return what records are but for their offsets, which aborted transactions shift."""
    return [[record._replace(offset=0) for record in part] for part in log]


def event_ids(records: list[Record]) -> dict[bytes, list[str]]:
    """Return the ids of events by their key, in order."""
    decode = Codec("event").decode
    found: dict[bytes, list[str]] = {}
    for record in records:
        assert record.key is not None
        assert record.value is not None
        if record.value != GARBAGE.value:
            found.setdefault(record.key, []).append(decode(record.value)["event_id"])
    return found


@pytest.fixture(scope="module")
def old(broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """Two shards, where one tenant's first events were refused and two of them sent again."""
    with open_stream(broker, tmp_path_factory.mktemp("reshard"), OLD) as stream:
        stream.environment["WEIR_DATA_DIR"] = str(stream.folder / "data")
        stream.produce([*make_events(REFUSED), GARBAGE])
        stream.produce(make_events(REFUSED, start=REFUSED, tenants=("globex",)))
        worker = stream.start(WEIR_STREAM__MAX_TENANTS="1")
        stream.wait_committed()
        assert worker.terminate() == 0
        waiting = objects(weir(stream, "quarantine", "list", "--reason", "UNKNOWN_TENANT", "--json"))
        places = [one["place"] for one in waiting[:2]]
        done = objects(weir(stream, "quarantine", "redrive", *places, "--yes", "--json"))
        assert done == [{"sent": 2, "already": 0, "gone": []}]
        stream.produce(make_events(EVENTS - 2 * REFUSED, start=2 * REFUSED, tenants=TENANTS))
        yield stream


@pytest.fixture(scope="module")
def worker_of_old(old: Stream) -> None:
    """Let the old application process what it has, and end."""
    worker = old.start()
    reader = PartitionReader(old.settings.broker)
    ends = [reader.bounds(old.topic("events"), p)[1] for p in range(OLD)]
    reader.close()
    # A partition that ends in the marker of a transaction is never committed to its very end.
    old.until(
        lambda: all(end - at <= 1 for at, end in zip(old.committed(), ends, strict=True)),
        f"committed offsets {ends}",
    )
    assert worker.terminate() == 0


def test_a_merge_does_not_depend_on_fetches(old: Stream) -> None:
    """Oldest record first, ties to the lower partition, also where partitions must be paused."""
    parts = log_of(old)
    merged = []
    for buffer_bytes in (20_000, 1 << 26):
        log = MergedLog(
            old.settings.broker, old.topic("events"), {0: 0, 1: 0}, buffer_bytes=buffer_bytes
        )
        taken = []
        while portion := log.take(70):
            taken += portion
        log.close()
        merged.append(taken)
    assert merged[0] == merged[1]
    assert [[r for p, r in merged[0] if p == part] for part in range(OLD)] == parts
    heads = [0] * OLD
    for partition, record in merged[0]:
        waiting = [(parts[p][at].timestamp, p) for p, at in enumerate(heads) if at < len(parts[p])]
        assert (record.timestamp, partition) == min(waiting)
        heads[partition] += 1


def test_a_copy_is_killed_and_loses_and_repeats_nothing(old: Stream) -> None:
    """Kill -9 in each stage of a transaction; the log is that of a copy that nobody killed."""
    name = f"{old.settings.application_id}-killed"
    new = successor(old, name)
    for number, stage in enumerate(("open", "offsets", "committed"), start=1):
        died = subprocess.run(
            [sys.executable, str(CRASHING), stage, str(number), *asked(name)[1:]],
            env=old.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr
    planned = objects(weir(old, *asked(name, "--dry-run")))
    assert 0 < sum(row["position"] for row in planned) < sum(row["end"] for row in planned)
    copied = objects(weir(old, *asked(name)))[-1]
    assert copied["records"] == EVENTS + 1
    assert copied["left_out"] == 2
    whole = successor(old, f"{old.settings.application_id}-whole")
    weir(old, *asked(whole.settings.application_id))
    assert contents(log_of(new)) == contents(log_of(whole))
