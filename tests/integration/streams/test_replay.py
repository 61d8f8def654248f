"""Snapshots, replays and rewinds of a real stream: the same bytes again, wherever one begins."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.codec import Codec
from streams.cli.main import app
from streams.kafka.clients import client_config
from tests.integration.streams.under_test import SHARDS, Stream, make_events, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

    from deploy.broker.handle import CrashableBroker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = CliRunner()
TENANTS = ("acme", "globex")


def weir(stream: Stream, *arguments: str, code: int = 0) -> Result:
    """Run a command with the stream's settings."""
    result = RUN.invoke(app, list(arguments), env=stream.environment)
    assert result.exit_code == code, result.output + result.stderr
    return result


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@contextmanager
def snapshotted(broker: CrashableBroker, folder: Path) -> Iterator[Stream]:
    """Two tenants whose shards were snapshotted between two parts of the log."""
    with open_stream(broker, folder) as stream:
        stream.environment["WEIR_SNAPSHOTS__URL"] = str(stream.folder / "snapshots")
        stream.produce(make_events(900, tenants=TENANTS))
        worker = stream.start()
        stream.wait_committed()
        os.kill(worker.process.pid, signal.SIGUSR2)
        stream.until(
            lambda: worker.metric("weir_snapshots_total") == SHARDS, "snapshot of each shard"
        )
        stream.until(lambda: worker.text().count("snapshot taken") == SHARDS, "log of it")
        stream.produce(make_events(700, start=900, tenants=TENANTS))
        stream.wait_committed()
        assert worker.terminate() == 0
        yield stream


@pytest.fixture(scope="module")
def run(broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream that the tests only read."""
    with snapshotted(broker, tmp_path_factory.mktemp("replay")) as stream:
        yield stream


@pytest.fixture
def own(broker: CrashableBroker, tmp_path: Path) -> Iterator[Stream]:
    """A stream that a test sets back."""
    with snapshotted(broker, tmp_path) as stream:
        yield stream


def test_a_snapshot_holds_and_is_marked_in_the_trail(run: Stream) -> None:
    """Checksums, tables and audit chain agree on what was snapshotted, and the trail verifies."""
    listed = objects(weir(run, "snapshot", "list", "--json"))
    assert len(listed) == SHARDS
    for one in listed:
        checked = objects(weir(run, "snapshot", "check", one["id"], "--trail", "--json"))
        assert [cell["marked"] for cell in checked] == [True] * len(TENANTS)
        assert all(cell["holds"] for cell in checked)
    reports = objects(weir(run, "verify", "--json"))
    assert {report["outcome"] for report in reports} == {"OK"}
    assert sum(report["records"] for report in reports) == 1_600 + SHARDS * len(TENANTS)


@pytest.mark.parametrize("start", ["beginning", "snapshot:latest", "150", "2020-01-01"])
def test_a_replay_gives_what_was_published(run: Stream, start: str) -> None:
    """Every prediction, audit record and root, byte for byte, wherever the replay begins."""
    replayed = objects(weir(run, "replay", "--from", start, "--verify", "--json"))
    assert [one["equal"] for one in replayed] == [True] * SHARDS
    predictions = sum(one["predictions"] for one in replayed)
    if start in {"beginning", "2020-01-01"}:
        assert predictions == 1_600
        assert sum(one["audit_records"] for one in replayed) == 1_600 + SHARDS * len(TENANTS)
    elif start == "150":
        assert predictions == sum(one["to"] - 150 for one in replayed)
        assert all(one["silent"] for one in replayed)
    else:
        assert predictions == 700
        assert all(one["snapshot"] for one in replayed)
    assert all(root["signed"] for one in replayed for root in one["roots"])


def test_a_replay_into_other_topics_writes_the_same_bytes(run: Stream) -> None:
    """Shadow topics carry what the original published; their trail verifies under its own name."""
    prefix = f"{run.settings.application_id}.shadow."
    weir(run, "replay", "--into", prefix)
    for role in ("predictions", "audit"):
        for shard, original in enumerate(run.values(role)):
            shadow = [r.value for r in run.read(prefix + role, shard)]
            assert len(shadow) == len(original)
            assert set(shadow) == set(original)
            if role == "predictions":
                assert shadow == original
    again = weir(run, "replay", "--into", prefix, code=78)
    assert "already" in again.stderr
    own = weir(run, "replay", "--into", run.settings.topics.prefix, code=78)
    assert "application's own" in own.stderr


def test_the_first_difference_is_told_with_its_offset(broker: CrashableBroker, run: Stream) -> None:
    """A prediction that was changed on its topic is named, with the event that it came of."""
    with open_stream(broker, run.folder / "forged") as other:
        other.environment["WEIR_SECRETS__DIRECTORY"] = run.environment["WEIR_SECRETS__DIRECTORY"]
        producer = Producer(client_config(run.settings.broker))
        codec = Codec("prediction")
        for role in ("events", "predictions", "audit", "audit-checkpoints"):
            for shard, part in enumerate(run.records(role)):
                for number, record in enumerate(part):
                    value = record.value
                    if (role, shard, number) == ("predictions", 1, 40):
                        assert value is not None
                        value = codec.encode(codec.decode(value) | {"y_hat": 0.25})
                    producer.produce(other.topic(role), value, key=record.key, partition=shard)
        assert producer.flush(60) == 0
        env = run.environment | {
            "WEIR_TOPICS__PREFIX": other.environment["WEIR_TOPICS__PREFIX"],
        }
        result = RUN.invoke(app, ["replay", "--verify", "--to", "90000", "--json"], env=env)
        assert result.exit_code == 4, result.output
        told = [one["difference"] for one in objects(result)]
        assert told[0] is None
        assert told[2] is None
        assert f"{other.topic('predictions')}[1]@40" in told[1]
        assert "of the event at 40" in told[1]
        assert "y_hat was published as 0.25" in told[1]


def test_a_rewind_goes_back_and_gives_the_same_again(own: Stream) -> None:
    """Back to a snapshot and before it, on again: the same weights, a chain that names its past."""
    before = {place: found[3] for place, found in own.cells().items()}
    worker = own.start("w1")
    own.wait_ready(worker)
    refused = weir(own, "rewind", "--shift-by", "-100", "--yes", code=78)
    assert "active members" in refused.stderr
    assert worker.terminate() == 0

    committed = own.committed()
    planned = objects(weir(own, "rewind", "--shift-by", "-60", "--dry-run", "--json"))
    assert [one["target"] for one in planned] == [offset - 60 for offset in committed]
    assert own.committed() == committed
    weir(own, "rewind", "--shift-by", "-60", "--yes")
    assert own.committed() == [offset - 60 for offset in committed]
    own.start("w1")
    own.wait_committed()
    assert own.workers[-1].terminate() == 0
    assert {place: found[3] for place, found in own.cells().items()} == before

    weir(own, "rewind", "--to-snapshot", "latest", "--shards", "0,2", "--yes")
    own.start("w0")  # its table is from before both
    own.wait_committed()
    assert own.workers[-1].terminate() == 0
    assert {place: found[3] for place, found in own.cells().items()} == before

    reports = objects(weir(own, "verify", "--json"))
    assert {report["outcome"] for report in reports} == {"OK"}
    replayed = objects(weir(own, "replay", "--verify", "--json"))
    assert [one["equal"] for one in replayed] == [True] * SHARDS
    assert sum(one["predictions"] for one in replayed) == sum(
        len(part) for part in own.values("predictions")
    )
    refused = weir(own, "replay", "--from", "150", "--verify", code=78)
    assert "--from beginning" in refused.stderr
