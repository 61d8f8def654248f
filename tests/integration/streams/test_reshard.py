"""Another number of shards: the copy, killed and not, the refusals, and the cut-over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import chain
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
from streams.kafka.topics import create_source
from streams.quarantine import HEADER
from streams.reshard.merged import MergedLog
from streams.reshard.plan import PLACE_HEADER
from streams.reshard.processed import check_quiet
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
EVENTS, REFUSED, LATE = 1_500, 60, 40
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
        "WEIR_LABELS__TOPIC": f"{name}.{old.topic('labels')}",
    }
    topics = old.settings.topics.model_copy(update={"prefix": f"{name}.", "partitions": NEW})
    settings = old.settings.model_copy(update={"application_id": name, "topics": topics})
    return replace(old, settings=settings, environment=environment, shards=NEW, sent=[], workers=[])


def late(count: int, start: int) -> tuple[list[FedEvent], list[FedEvent]]:
    """Return observations without labels, and the labels that come later."""
    codec = Codec("event")
    observations, labels = [], []
    for event in make_events(count, start=start):
        read = codec.decode(event.value)
        named = {name: read[name] for name in ("tenant", "id", "event_id", "time_us", "label")}
        labels.append(FedEvent(event.key, codec.encode(named | {"kind": "LABEL"})))
        observations.append(FedEvent(event.key, codec.encode(read | {"label": None})))
    return observations, labels


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
    with open_stream(broker, tmp_path_factory.mktemp("reshard"), shards=OLD) as stream:
        stream.environment["WEIR_DATA_DIR"] = str(stream.folder / "data")
        stream.environment["WEIR_LABELS__TOPIC"] = stream.topic("labels")
        stream.produce([*make_events(REFUSED), GARBAGE])
        stream.produce(make_events(REFUSED, start=REFUSED, tenants=("globex",)))
        worker = stream.start(WEIR_STREAM__MAX_TENANTS="1")
        stream.wait_committed()
        assert worker.terminate() == 0
        waiting = objects(
            weir(stream, "quarantine", "list", "--reason", "UNKNOWN_TENANT", "--json")
        )
        places = [one["place"] for one in waiting[:2]]
        done = objects(weir(stream, "quarantine", "redrive", *places, "--yes", "--json"))
        assert done == [{"sent": 2, "already": 0, "gone": []}]
        stream.produce(make_events(EVENTS - 2 * REFUSED, start=2 * REFUSED, tenants=TENANTS))
        yield stream


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


def killed_copy(old: Stream) -> Stream:
    """Begin a copy that is killed in each stage of a transaction; return the new application."""
    made = successor(old, f"{old.settings.application_id}-new")
    name = made.settings.application_id
    for number, stage in enumerate(("open", "offsets", "committed"), start=1):
        died = subprocess.run(
            [sys.executable, str(CRASHING), stage, str(number), *asked(name)[1:]],
            env=old.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr
        if number == 1:
            made.start("new")  # follows the copy from here on
    return made


def finish_and_compare(old: Stream, new: Stream) -> None:
    """Finish the copy; the log is that of a copy that nobody killed."""
    name = new.settings.application_id
    planned = objects(weir(old, *asked(name, "--dry-run")))
    assert 0 < sum(row["position"] for row in planned) < sum(row["end"] for row in planned)
    copied = objects(weir(old, *asked(name)))[-1]
    assert (copied["phase"], copied["records"], copied["left_out"]) == ("copied", EVENTS + 1, 2)
    again = objects(weir(old, *asked(name)))[-1]
    assert again["records"] == EVENTS + 1
    whole = successor(old, f"{old.settings.application_id}-whole")
    weir(old, *asked(whole.settings.application_id))
    log = log_of(new)
    assert contents(log) == contents(log_of(whole))

    sources = {(p, record.offset): record for p, part in enumerate(log_of(old)) for record in part}
    for record in (record for part in log for record in part):
        *others, (place_name, place) = record.headers
        assert place_name == PLACE_HEADER
        partition, _, offset = (place or b"").decode().rpartition("/")[2].partition("@")
        source = sources.pop((int(partition), int(offset)))
        assert source._replace(offset=0, headers=()) == record._replace(offset=0, headers=())
        assert source.headers == tuple(others)
    assert len(sources) == 2, "what was sent again is there once, where it was learnt"
    assert not any(name == HEADER for record in sources.values() for name, _ in record.headers)

    before, after = (event_ids(list(chain(*one))) for one in (log_of(old), log))
    assert before.keys() == after.keys()
    for key, ids in after.items():
        twice = {one for one in ids if before[key].count(one) > 1}
        assert [one for one in ids if one not in twice] == [
            one for one in before[key] if one not in twice
        ]


def test_what_does_not_fit_is_refused(old: Stream) -> None:
    """Names of its own, the same number of partitions, and nobody else in the new log."""
    own = old.settings.application_id
    assert "name of its own" in weir(old, *asked(own, "--prefix", "x."), code=78).stderr
    prefix = old.settings.topics.prefix
    shared = weir(old, *asked("other", "--prefix", prefix), code=78)
    assert "these are the topics of" in shared.stderr
    both = weir(old, *asked("other", "--follow", "--cut-over"), code=78)
    assert "give one of them" in both.stderr

    strange = successor(old, f"{own}-strange")
    strange_name = strange.settings.application_id
    weir(old, *asked(strange_name))
    other = weir(old, "reshard", "--application", strange_name, "--shards", "5", code=78)
    assert "has 3 partitions" in other.stderr
    strange.produce(make_events(1, start=9_000_000))
    found = weir(old, *asked(strange_name), code=4)
    assert "was not copied from" in found.stderr

    taken = successor(old, f"{own}-taken")
    create_source(taken.settings)
    taken.produce(make_events(1))
    assert (
        "no offsets of a copy" in weir(old, *asked(taken.settings.application_id), code=78).stderr
    )


def follow_and_interrupt(old: Stream, new: Stream) -> None:
    """What comes is copied, and after the interrupt another call goes on."""
    name = new.settings.application_id
    weir_itself = str(Path(sys.executable).with_name("weir"))
    following = subprocess.Popen(
        [weir_itself, *asked(name, "--follow")], env=old.environment, stdout=subprocess.DEVNULL
    )
    try:
        old.produce(late(LATE, 4_000_000)[0])

        def copied() -> int:
            rows = objects(weir(old, *asked(name, "--dry-run")))
            return sum(row["end"] - row["position"] for row in rows)

        new.until(lambda: copied() <= OLD, "copy of what came")
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 130
    finally:
        following.kill()
        following.wait()


def be_refused(old: Stream, new: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses while the old log grows or events are unprocessed, and says who and what."""
    name = new.settings.application_id

    def produce_and_look(*arguments: Any) -> None:
        old.produce(make_events(5, start=7_000_000))
        check_quiet(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("streams.cli.reshard.check_quiet", produce_and_look)
        growing = weir(old, *asked(name, "--cut-over"), code=78)
    assert "still grows" in growing.stderr
    monkeypatch.setattr(reshard, "PATIENCE_S", 2.0)
    monkeypatch.setattr(reshard, "QUIET_S", 0.2)
    waiting = weir(old, *asked(name, "--cut-over"), code=78)
    assert f"has not processed all ({old.topic('events')}[0]" in waiting.stderr
    assert "no worker serves it" in waiting.stderr
    assert f"application_id = '{old.settings.application_id}'" in waiting.stderr
    producer = Producer(client_config(old.settings.broker, partitioner="murmur2"))
    for label in late(LATE, 4_000_000)[1]:
        producer.produce(old.topic("labels"), label.value, key=label.key)
    assert producer.flush(60) == 0
    waiting = weir(old, *asked(name, "--cut-over"), code=78)
    assert f"has not processed all ({old.topic('labels')}[0]" in waiting.stderr


def cut_over(old: Stream, new: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers and producers that go on where it says see each event once; all of it verifies."""
    name = new.settings.application_id
    monkeypatch.setattr(reshard, "QUIET_S", 0.2)
    monkeypatch.setattr(reshard, "PATIENCE_S", 60.0)
    worker = old.start()
    said = objects(weir(old, *asked(name, "--cut-over", "--verify-replay")))
    assert worker.terminate() == 0
    assert [one["equal"] for one in said if "roots" in one] == [True] * NEW
    done = said[-1]
    assert done["phase"] == "cut-over"

    log = log_of(new)
    copies = sum(len(part) for part in log)
    assert copies == done["copied"]["records"]
    assert sum(one["events"] for one in done["to"]["partitions"]) == copies
    assert {one["outcome"] for one in done["to"]["audit"]} == {"OK"}
    assert sum(one["others"] for one in done["to"]["partitions"]) == LATE, "late labels"
    assert len(done["from"]["audit"]) == OLD * len(TENANTS)

    settings = load_settings(**new.settings.model_dump())
    fed = [FedEvent(r.key or b"", r.value or b"") for part in log for r in part]
    report = run_backtest(settings, fed, new.folder / "backtest")
    expected = {
        (c.tenant, c.shard): (c.steps, c.audit_root, c.chain_head, c.state_digest)
        for c in report.cells
    }
    assert new.cells() == expected

    new.produce(make_events(200, start=5_000_000, tenants=TENANTS))
    follower = new.workers[0]
    consumers = done["consumers"]["predictions"]
    decode = Codec("prediction").decode

    def seen() -> list[str]:
        found = []
        for stream, starts in ((new, consumers["from"]), (old, [0] * OLD)):
            for partition, start in enumerate(starts):
                found += [
                    decode(record.value)["event_id"]
                    for record in stream.read(stream.topic("predictions"), partition)
                    if record.value and record.offset >= start
                ]
        return found

    pending = objects(weir(old, "quarantine", "list", "--pending", "--json"))
    refused = {one["event"]["event_id"] for one in pending if one["event"]}
    assert len(refused) == REFUSED - 2
    sent = {
        Codec("event").decode(event.value)["event_id"]
        for event in (*old.sent, *new.sent)
        if event != GARBAGE
    }
    new.until(lambda: len(seen()) >= len(sent - refused), "predictions of all events")
    assert follower.terminate() == 0
    assert sorted(seen()) == sorted(sent - refused)
    reports = objects(weir(new, "verify", "--json"))
    assert {one["outcome"] for one in reports} == {"OK"}

    again = objects(weir(old, *asked(name)))
    assert again[-1]["sha256"] == done["sha256"]
    old.produce(make_events(3, start=6_000_000))
    assert "still grows" in weir(old, *asked(name), code=78).stderr
    file = Path(done["file"])
    file.write_text(file.read_text().replace('"records"', '"record"'), encoding="utf-8")
    assert "is damaged" in weir(old, *asked(name), code=73).stderr


def test_from_two_shards_to_three(old: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is killed, followed and interrupted, while workers learn; and the cut-over."""
    new = killed_copy(old)
    finish_and_compare(old, new)
    follow_and_interrupt(old, new)
    be_refused(old, new, monkeypatch)
    cut_over(old, new, monkeypatch)
