"""Whole messages on a real broker: judged, audited, forwarded and linked, each exactly once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.codec import Codec
from state.audit.leaf import RECORD_DTYPE, VERDICT
from streams.audit_reader import leaf_of
from streams.cli.main import app
from streams.dlp import package, policy_file
from streams.dlp.live import LiveScanner, Sources
from streams.gate.codecs import GateCodecs
from streams.gate.engine import MessageEngine
from streams.gate.topics import prepare_messages
from streams.kafka.clients import client_config
from streams.kafka.reader import PartitionReader
from streams.keys import CellKeys
from streams.labels import prepare_labels
from tests.integration.streams.under_test import SHARDS, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kafka.reader import Record
    from streams.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNT, HALF, LAST = 120, 60, 12
KEY = "sk_live_4qR8tYw2LmZx9KvBn7CpHd3J"
BODIES = (
    "See you at lunch, the usual place.",
    f"the new key is {KEY} please rotate the old one",
    "Card 4539 1488 0343 6467, name Renata Kowalczyk, thanks!",
    "Minutes of the meeting are on the wiki.",
)
ROUTES = ("allowed", "redacted", "review", "blocked")
HELD = {"REVIEW", "BLOCK"}
MESSAGE, EVENT, READ = Codec("message"), Codec("event"), Codec("verdict")
SETTINGS = {
    "enabled": True,
    "gate": True,
    "link": True,
    "least_labels": 3,
    "rate": 0.5,
    "max_unit_messages": 8,
}


def message(number: int) -> dict[str, Any]:
    """Return a message; every third stands alone, the others in one of twelve threads."""
    return {
        "kind": "CHAT",
        "tenant": ("acme", "globex")[number % 2],
        "id": f"m-{number}",
        "time_us": 1_700_000_000_000_000 + number,
        "recipients": [{"address": "x@gmail.com", "kind": "TO", "external": bool(number % 5)}],
        "body": BODIES[number // 2 % len(BODIES)],
        "thread": None if number % 3 == 0 else {"id": f"t-{number % 12}"},
    }


def entity(record: dict[str, Any]) -> str:
    """Return what a message, its event and its label are keyed by."""
    return str(record["thread"]["id"] if record["thread"] else record["id"])


def label(record: dict[str, Any], said: float) -> dict[str, Any]:
    """Return what an analyst says of a message."""
    names = {"tenant": record["tenant"], "id": entity(record), "event_id": record["id"]}
    return names | {"kind": "LABEL", "time_us": record["time_us"], "label": said}


def send(stream: Stream, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
    """Send keyed values, with a header that must go along."""
    producer = Producer(client_config(stream.settings.broker, partitioner="murmur2"))
    for key, value in records:
        producer.produce(topic, value, key=key.encode(), headers=[("trace", key.encode())])
    assert producer.flush(60) == 0


def post(stream: Stream, numbers: Iterable[int]) -> None:
    """Send messages."""
    found = [message(number) for number in numbers]
    send(stream, stream.topic("messages"), [(entity(m), MESSAGE.encode(m)) for m in found])


@pytest.fixture
def gated(stream: Stream) -> Stream:
    """A stream whose workers scan messages, forward them, and link their verdicts."""
    labels = stream.topic("labels")
    settings = stream.settings
    stream.settings = settings.model_copy(
        update={
            "messages": settings.messages.model_validate(SETTINGS),
            "labels": settings.labels.model_copy(update={"topic": labels}),
        }
    )
    stream.environment["WEIR_LABELS__TOPIC"] = labels
    for name, value in SETTINGS.items():
        stream.environment[f"WEIR_MESSAGES__{name.upper()}"] = str(value).lower()
    prepare_labels(stream.settings, SHARDS)
    prepare_messages(stream.settings, SHARDS)
    return stream


def read(stream: Stream, role: str, partition: int) -> list[Record]:
    """Return the committed records of a partition, with headers."""
    reader = PartitionReader(stream.settings.broker, headers=True)
    try:
        topic = stream.topic(role)
        low, end = reader.bounds(topic, partition)
        return [one for batch in reader.read(topic, partition, low, end) for one in batch]
    finally:
        reader.close()


def verdicts(stream: Stream) -> list[dict[str, Any]]:
    """Return all verdicts."""
    return [
        dict(READ.decode(value)) for part in stream.values("verdicts") for value in part if value
    ]


def count(stream: Stream, role: str) -> int:
    """Return how many committed records a topic has."""
    return sum(len(part) for part in stream.values(role))


def replayed(settings: Settings, shard: int, records: list[Record]) -> list[bytes]:
    """Judge the log of a partition again, in one go, and return the verdicts."""
    engine = MessageEngine(
        shard,
        settings.messages,
        LiveScanner(Sources(package.SHIPPED, policy_file.SHIPPED)),
        CellKeys.open(settings),
        GateCodecs(settings),
        application_id=settings.application_id,
        source_topic=settings.topics.name("messages"),
        max_tenants=settings.stream.max_tenants,
        dimension=settings.learner.sera.d,
    )
    return [one["value"] for one in engine.process(records).outputs["verdicts"]]


def test_messages_are_judged_exactly_once_through_kills(gated: Stream) -> None:
    """One verdict, one way out, one event each; analysts move thresholds; the log says it all."""
    stream = gated
    post(stream, range(HALF))
    first = stream.start()
    # It may have kernels to compile first.
    stream.until(lambda: first.metric("weir_verdicts_total") > 10, "verdicts", 300)
    first.kill()
    post(stream, range(10))  # a producer that sends again
    second = stream.start()
    stream.until(lambda: second.metric("weir_verdicts_total") > 10, "further verdicts")
    second.kill()
    third = stream.start()
    stream.until(lambda: count(stream, "verdicts") >= HALF, "all verdicts")

    held = [one["target_id"] for one in verdicts(stream) if one["decision"] in HELD]
    assert len(held) > HALF // 4
    labels = [label(message(int(name[2:])), 0.0) for name in held]
    send(stream, stream.topic("labels"), [(one["id"], EVENT.encode(one)) for one in labels])
    stream.until(
        lambda: third.metric("weir_late_labels_total") >= len(held) // 2, "labels that teach"
    )
    stream.until(lambda: news(stream)["label"] >= len(held), "labels that come back")
    for upto in (COUNT - LAST, COUNT):
        post(stream, range(HALF if upto < COUNT else COUNT - LAST, upto))
        stream.until(lambda upto=upto: count(stream, "verdicts") >= upto, "further verdicts")
        every_held = sum(one["decision"] in HELD for one in verdicts(stream))
        stream.until(
            lambda least=every_held: news(stream)["prediction"] >= least, "predictions to come back"
        )
    assert count(stream, "predictions") == COUNT
    assert third.terminate() == 0

    check_outputs(stream)
    for shard in range(SHARDS):
        log = read(stream, "messages", shard)
        assert replayed(stream.settings, shard, log) == [
            record.value for record in stream.read(stream.topic("verdicts"), shard)
        ]
    shifts = [one["threshold_shift"] for one in verdicts(stream)]
    assert min(shifts) < 0.0  # everything was released: hold less
    result = CliRunner().invoke(app, ["verify", "--json"], env=stream.environment)
    assert result.exit_code in {0, 3}, result.output
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert not any(report["failures"] for report in reports)
    of_messages = [one for one in reports if "-messages/" in one["origin"]]
    assert sum(one["records"] for one in of_messages) == COUNT + 10
    assert {one["outcome"] for one in of_messages} == {"OK"}


def news(stream: Stream) -> Counter[str]:
    """Return how much of which kind was forwarded into the messages."""
    starts = {Codec("prediction", single_object=True).header(): "prediction"}
    starts[Codec("event", single_object=True).header()] = "label"
    values = [value or b"" for part in stream.values("messages") for value in part]
    return Counter(starts[value[:10]] for value in values if value[:10] in starts)


def check_outputs(stream: Stream) -> None:
    """Each message has one verdict, one leaf that holds it, one way out and one event."""
    found = verdicts(stream)
    names = [one["target_id"] for one in found]
    assert Counter(names) == Counter(f"m-{number}" for number in range(COUNT))
    forwarded: Counter[str] = Counter()
    decided = {one["target_id"]: one["decision"] for one in found}
    for role in ROUTES:
        for shard in range(SHARDS):
            for record in read(stream, role, shard):
                sent = MESSAGE.decode(record.value)
                forwarded[sent["id"]] += 1
                headers = dict(record.headers)
                assert headers["weir-decision"] == decided[sent["id"]].encode()
                assert headers["trace"] == record.key == entity(sent).encode()
                if role != "redacted":
                    original = message(int(sent["id"][2:]))
                    assert record.value == MESSAGE.encode(original)
    assert forwarded == Counter(names)
    digests = [
        hashlib.sha256(READ.strip(value or b"")[0]).digest()
        for part in stream.values("verdicts")
        for value in part
    ]
    records = [leaf_of(value) for part in stream.values("messages-audit") for value in part]
    leaves = np.frombuffer(b"".join(records), RECORD_DTYPE)["leaf"]
    judged = leaves[leaves["format"] == VERDICT]
    assert sorted(row["event_digest"].tobytes() for row in judged) == sorted(digests)
    events = [EVENT.decode(value) for part in stream.values("events") for value in part]
    linked = Counter(one["event_id"] for one in events if one["kind"] == "OBSERVATION")
    assert linked == Counter(names)
