"""The commands on a real broker: events in, and predictions, offsets and verdicts out."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.codec import Codec
from state.audit.chain import Chain
from state.audit.checkpoint import origin_of
from streams.cli.main import app
from streams.feed import murmur2_partition
from streams.kafka.clients import client_config
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, create_topics, partition_counts
from streams.keys import CellKeys
from tests.integration.streams.under_test import SHARDS, Stream, make_events, open_stream
from tests.unit.state.audit.conftest import honest_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from deploy.broker.handle import CrashableBroker

pytestmark = pytest.mark.integration

RUN = CliRunner()
ROWS = 600
COLUMNS = ("--id", "card", "--label", "fraud", "--tenant", "acme")


def weir(stream: Stream, *arguments: str, **environment: str) -> Result:
    """Run a command with the stream's settings."""
    return RUN.invoke(app, list(arguments), env=stream.environment | environment)


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def cards(folder: Path, rows: int = ROWS) -> Path:
    """A file of good rows and one that is none."""
    path = folder / "cards.csv"
    lines = [f"card-{n % 40},{n % 9},{int(n % 9 > 4)}" for n in range(rows)]
    path.write_text("\n".join(["card,amount,fraud", *lines, "short"]) + "\n", encoding="utf-8")
    return path


def records(stream: Stream, role: str) -> list[tuple[int, bytes | None, bytes | None]]:
    """Partition, key and value of everything on a topic."""
    reader = PartitionReader(stream.settings.broker)
    topic = stream.topic(role)
    found = []
    for partition in range(SHARDS):
        _, end = reader.bounds(topic, partition)
        for batch in reader.read(topic, partition, None, end):
            found += [(partition, record.key, record.value) for record in batch]
    reader.close()
    return found


@pytest.fixture(scope="module")
def served(
    broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stream, Result]]:
    """A stream to which a file was sent, and a worker that has processed it and runs on."""
    folder = tmp_path_factory.mktemp("served")
    with open_stream(broker, folder) as stream:
        sent = weir(stream, "produce", str(cards(folder)), *COLUMNS, "--json")
        producer = Producer(client_config(stream.settings.broker))
        producer.produce(stream.topic("events"), b"junk", key=b"card-1", partition=1)
        assert producer.flush(30) == 0
        worker = stream.start()
        stream.until(lambda: worker.metric("weir_events_total") == ROWS + 1, "all events processed")
        yield stream, sent


@pytest.fixture
def stream_of(served: tuple[Stream, Result]) -> Stream:
    return served[0]


def test_produce_accounts_for_every_row(served: tuple[Stream, Result]) -> None:
    """Delivered events and rejected rows add up to the file; a lost row makes the exit code 1."""
    _, sent = served
    assert sent.exit_code == 1
    [summary] = objects(sent)
    assert (summary["sent"], summary["delivered"], summary["failed"]) == (ROWS, ROWS, {})
    assert sum(summary["rejected"].values()) == 1


def test_events_lie_where_java_producers_would_put_them(stream_of: Stream) -> None:
    """An entity's events meet the same shard whoever sends them, in the order of the file."""
    codec = Codec("event")
    order: dict[bytes, list[int]] = {}
    for partition, key, value in records(stream_of, "events"):
        if value == b"junk":
            continue
        assert key is not None
        assert partition == murmur2_partition(key, SHARDS)
        order.setdefault(key, []).append(int(codec.decode(value)["event_id"].partition("-")[0]))
    assert len(order) == 40
    assert all(lines == sorted(lines) for lines in order.values())


def test_tail_shows_what_was_committed(stream_of: Stream) -> None:
    """Every event has a prediction, as a line of JSON or of text."""
    command = ("tail", "--from", "beginning", "--limit", str(ROWS))
    rows = objects(weir(stream_of, *command, "--json"))
    assert len({(row["id"], row["event_id"]) for row in rows}) == ROWS
    assert {row["tenant"] for row in rows} == {"acme"}
    text = weir(stream_of, *command).stdout.splitlines()
    assert text[0].split("\t")[:3] == ["time", "tenant", "id"]
    assert len(text) == ROWS + 1


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        ("audit", {"step", "y_hat", "prev", "curr"}),
        ("audit-checkpoints", {"origin", "tree_size", "note"}),
        ("quarantine", {"reason", "offset", "value"}),
    ],
)
def test_tail_reads_the_other_outputs(stream_of: Stream, topic: str, fields: set[str]) -> None:
    """Audit records, checkpoints and quarantined messages can be followed too."""
    command = ("tail", "--topic", topic, "--from", "beginning", "--limit", "1")
    [row] = objects(weir(stream_of, *command, "--json"))
    assert fields <= set(row)
    assert weir(stream_of, *command).exit_code == 0


def test_tail_from_the_end_shows_what_comes(stream: Stream, tmp_path: Path) -> None:
    """Without --from only new predictions are shown, as they are committed."""
    path = tmp_path / "more.csv"
    stream.produce(make_events(200))
    worker = stream.start()
    stream.until(lambda: worker.metric("weir_events_total") == 200, "the events before")
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("weir")), "tail", "--limit", "5", "--json"],
        env=stream.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as tail:
        sends = 0
        # The tail does not say when it listens: rows are sent until it has seen five.
        while tail.poll() is None:
            # A row that was sent before would be recognised, and not be predicted again.
            path.write_text(f"card,amount\nnew-card-{sends},1\n", encoding="utf-8")
            assert weir(stream, "produce", str(path), "--id", "card").exit_code == 0
            sends += 1
            assert sends < 500
        assert tail.stdout is not None
        rows = [json.loads(line) for line in tail.stdout]
    assert [row["id"].rstrip("0123456789") for row in rows] == ["new-card-"] * 5


def test_tail_refuses_topics_that_it_does_not_know(stream_of: Stream) -> None:
    """A wrong topic is answered with those that there are."""
    result = weir(stream_of, "tail", "--topic", "predicitons")
    assert result.exit_code == 78
    assert "predictions, audit" in result.stderr


def test_inspect_tells_where_everything_stands(stream_of: Stream) -> None:
    """Offsets, lag, who serves which shard, and the height of every chain."""

    def report_of_all() -> Any:
        [report] = objects(weir(stream_of, "inspect", "--json"))
        return report

    def height(report: Any) -> int:
        return sum(cell["size"] for cell in report["cells"] if cell["tenant"] == "acme")

    # The broker answers a commit when its end is certain, and marks the partitions then.
    stream_of.until(lambda: height(report_of_all()) == ROWS, "all checkpoints to be readable")
    report = report_of_all()
    assert report["group_state"] == "Stable"
    assert [shard["lag"] for shard in report["shards"]] == [0] * SHARDS
    assert all(shard["worker"] for shard in report["shards"])
    assert {cell["tenant"] for cell in report["cells"]} >= {"acme"}
    assert {topic["role"] for topic in report["topics"]} >= {"events", "audit", "changelog"}
    assert report["searched_all"]
    text = weir(stream_of, "inspect").stdout
    assert "Topics" in text
    assert "acme" in text


def test_inspect_reads_the_state_that_a_worker_holds(stream_of: Stream) -> None:
    """A running worker's state is shown and left alone; other folders have none."""
    held = weir(stream_of, "inspect", "--json", WEIR_DATA_DIR=str(stream_of.folder / "w0"))
    [report] = objects(held)
    assert [shard["unreadable"] for shard in report["shards"]] == [None] * SHARDS
    for shard in report["shards"]:
        assert shard["local"]["source_offset"] == shard["committed"]
        assert "acme" in shard["local"]["tenants"]
    assert stream_of.workers[0].process.poll() is None
    [elsewhere] = objects(weir(stream_of, "inspect", "--json", WEIR_DATA_DIR="nowhere"))
    assert all(shard["local"] is None for shard in elsewhere["shards"])
    assert all(shard["unreadable"] is None for shard in elsewhere["shards"])


def test_trail_on_the_topics_verifies(stream_of: Stream) -> None:
    """The audit trail that a worker writes holds, cell by cell."""
    result = weir(stream_of, "verify", "--tenant", "acme", "--json")
    assert result.exit_code == 0, result.output
    reports = objects(result)
    assert sum(one["records"] for one in reports) == ROWS
    assert {one["outcome"] for one in reports} == {"OK"}
    one_shard = objects(weir(stream_of, "verify", "--tenant", "acme", "--shard", "1", "--json"))
    assert [one["origin"] for one in one_shard] == [reports[1]["origin"]]
    assert weir(stream_of, "verify", "--shard", "3").exit_code == 78
    assert weir(stream_of, "verify", "--tenant", "nobody").exit_code == 5


def test_trail_verifies_while_it_grows(stream: Stream) -> None:
    """Verifying a live stream over and over never finds a fault in an honest trail."""
    worker = stream.start()
    stream.wait_ready(worker)
    events = make_events(2_000, tenants=("acme", "globex"))
    stream.produce(events[:100])
    stream.until(lambda: worker.metric("weir_events_total") >= 100, "the first events")
    producer = Producer(client_config(stream.settings.broker, partitioner="murmur2"))

    def send() -> None:
        for event in events[100:]:
            producer.produce(stream.topic("events"), event.value, key=event.key)
            producer.poll(0.005)  # some 200 a second: a unit of work or two for each verification

    sending = threading.Thread(target=send)
    sending.start()
    heights = []
    while sending.is_alive():
        result = weir(stream, "verify", "--json")
        assert result.exit_code == 0, result.output
        heights.append(sum(one["records"] for one in objects(result)))
    sending.join()
    assert producer.flush(30) == 0
    assert heights == sorted(heights)
    assert heights[-1] > heights[0]


def trail(stream: Stream) -> list[tuple[str, bytes]]:
    """Topic and value of an honest trail of one cell on shard 0."""
    signer = CellKeys.open(stream.settings).signer
    chain = Chain(origin_of(stream.settings.application_id, "acme", 0))
    values = [(stream.topic("audit"), value) for value in chain.append(honest_rows(5))]
    note = Codec("audit_checkpoint").encode(chain.checkpoint(signer).record("acme", 0))
    return [*values, (stream.topic("audit-checkpoints"), note)]


def publish(stream: Stream, messages: list[tuple[str, bytes]]) -> None:
    producer = Producer(client_config(stream.settings.broker))
    for topic, value in messages:
        producer.produce(topic, value, key=b"acme", partition=0)
    assert producer.flush(30) == 0


@pytest.mark.parametrize(
    ("tampered", "code"),
    [(lambda trail: trail, 0), (lambda trail: trail[1:], 4), (lambda trail: trail[:-1], 5)],
    ids=["honest", "a record is missing", "the checkpoint is missing"],
)
def test_verdict_is_the_exit_code(stream: Stream, tampered: Any, code: int) -> None:
    """A script can tell an honest trail from one that was changed or cut."""
    publish(stream, tampered(trail(stream)))
    assert weir(stream, "verify").exit_code == code


def test_produce_keeps_to_its_rate_and_limit(stream: Stream, tmp_path: Path) -> None:
    """A rate limit holds over the run, and the limit counts events."""
    command = ("produce", str(cards(tmp_path)), *COLUMNS, "--rate", "200", "--limit", "100")
    result = weir(stream, *command, "--json")
    assert result.exit_code == 0
    [summary] = objects(result)
    assert summary["delivered"] == 100
    assert summary["seconds"] >= 0.45
    assert len(records(stream, "events")) == 100


def test_produce_can_repeat_a_file(stream: Stream, tmp_path: Path) -> None:
    """Going through a file twice sends two streams' worth of different events."""
    path = tmp_path / "bad.jsonl"
    command = ("produce", str(cards(tmp_path, 50)), *COLUMNS, "--loop", "2")
    assert weir(stream, *command, "--rejects", str(path)).exit_code == 0
    decode = Codec("event").decode
    ids = [decode(value)["event_id"] for _, _, value in records(stream, "events")]
    assert len(set(ids)) == 100
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_event_that_the_broker_refuses_is_counted(stream: Stream, tmp_path: Path) -> None:
    """A message too large for the topic fails by itself, is named, and the others arrive."""
    prefix = f"{stream.settings.application_id}.small."
    small = {f"{prefix}events": (SHARDS, 1, {"max.message.bytes": "2000"})}
    client = admin(stream.settings.broker)
    create_topics(client, small)
    stream.until(
        lambda: set(small) <= set(partition_counts(client, None)), "the new topic to be known"
    )
    path = tmp_path / "large.csv"
    path.write_text(f"card,text\nc1,a\nc2,{'x' * 5_000}\nc3,b\n", encoding="utf-8")
    command = ("produce", str(path), "--id", "card", "--json")
    result = weir(stream, *command, WEIR_TOPICS__PREFIX=prefix)
    assert result.exit_code == 69, result.output
    [summary] = objects(result)
    assert (summary["sent"], summary["delivered"]) == (3, 2)
    assert "too large" in result.stderr


def test_produce_tells_what_is_not_there(stream: Stream, tmp_path: Path) -> None:
    """A missing topic, a foreign topic and an unreachable broker each have their own message."""
    path = str(cards(tmp_path))
    missing = weir(stream, "produce", path, WEIR_TOPICS__PREFIX="other.")
    assert missing.exit_code == 78
    assert "other.events" in missing.stderr
    foreign = weir(stream, "produce", path, WEIR_MAPPING="clicks.yaml")
    assert foreign.exit_code == 78
    assert "clicks.yaml" in foreign.stderr
    gone = weir(stream, "produce", path, "--bootstrap", "127.0.0.1:1")
    assert gone.exit_code == 69
    assert "127.0.0.1:1" in gone.stderr


def test_mapping_is_tried_on_the_latest_messages(stream: Stream, tmp_path: Path) -> None:
    """A mapping can be checked against a topic before a worker reads it."""
    mapping = tmp_path / "cards.yaml"
    mapping.write_text(
        "tenant: {constant: acme}\nid: card\ntime: {field: at, unit: s}\n"
        "features: {numbers: [amount]}\n",
        encoding="utf-8",
    )
    producer = Producer(client_config(stream.settings.broker))
    for n in range(50):
        good = json.dumps({"card": f"c{n}", "at": 1_700_000_000 + n, "amount": n}).encode()
        producer.produce(stream.topic("events"), good if n % 10 else b"{}", partition=n % SHARDS)
    assert producer.flush(30) == 0
    command = ("map", "--check", str(mapping), "--topic", stream.topic("events"), "--json")
    result = weir(stream, *command)
    assert result.exit_code == 1
    [report] = objects(result)
    assert (report["samples"], report["mapped"]) == (50, 45)
    assert len(objects(weir(stream, *command, "--limit", "9"))[0]["preview"]) <= 9
    assert weir(stream, "map", "--check", str(mapping), "--topic", "nowhere").exit_code == 78
