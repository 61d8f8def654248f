"""Late labels through a topic of their own, forwarded and learnt exactly once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.codec import Codec
from schemas.wire import without_header
from state.audit.leaf import FORMAT, LATE_LABEL, RECORD_DTYPE, REPEAT
from streams.audit_reader import leaf_of
from streams.cli.main import app
from streams.feed import FedEvent
from streams.kafka.clients import client_config
from streams.labels import prepare_labels
from tests.integration.streams.under_test import SHARDS, Stream, make_events

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNT = 1_200
DECODE, ENCODE = Codec("event").decode, Codec("event").encode


def unlabelled(count: int) -> list[FedEvent]:
    return [FedEvent(e.key, ENCODE(DECODE(e.value) | {"label": None})) for e in make_events(count)]


def labels_of(events: Sequence[FedEvent]) -> list[FedEvent]:
    """The late label of each event."""
    found = []
    for event, full in zip(events, make_events(len(events)), strict=True):
        read = DECODE(event.value)
        named = {name: read[name] for name in ("tenant", "id", "event_id", "time_us")}
        label = {"kind": "LABEL", "label": DECODE(full.value)["label"]}
        found.append(FedEvent(event.key, ENCODE(named | label)))
    return found


def send(stream: Stream, topic: str, events: Sequence[FedEvent]) -> None:
    producer = Producer(client_config(stream.settings.broker, partitioner="murmur2"))
    for event in events:
        producer.produce(topic, event.value, key=event.key)
    assert producer.flush(60) == 0


def kinds(stream: Stream) -> Counter[float]:
    """How many audit records there are of each kind."""
    records = [leaf_of(value) for part in stream.values("audit") for value in part]
    leaves = np.frombuffer(b"".join(records), RECORD_DTYPE)["leaf"]
    return Counter(float(kind) for kind in leaves["format"])


def weir(stream: Stream, *arguments: str, codes: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, list(arguments), env=stream.environment)
    assert result.exit_code in codes, result.output + result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_labels_are_forwarded_and_learnt_exactly_once(stream: Stream) -> None:
    """Through a kill -9 in the middle; what cannot be matched waits, and a replay is exact."""
    topic = stream.topic("labels")
    stream.environment["WEIR_LABELS__TOPIC"] = topic
    settings = stream.settings.model_copy(
        update={"labels": stream.settings.labels.model_copy(update={"topic": topic})}
    )
    prepare_labels(settings, SHARDS)
    events = unlabelled(COUNT)
    stream.produce(events)
    first = stream.start()
    stream.wait_committed()
    labels = labels_of(events)
    send(stream, topic, labels[: COUNT // 2])
    stream.until(lambda: first.metric("weir_late_labels_total") > 20, "late labels")
    first.kill()
    send(stream, topic, labels[COUNT // 2 :])
    second = stream.start()
    stream.until(lambda: kinds(stream)[LATE_LABEL] >= COUNT, "all late labels")

    # A producer that retries, a label that comes twice, and one of nothing.
    send(stream, stream.topic("events"), events[:30])
    stranger = ENCODE(DECODE(labels[0].value) | {"event_id": "never-seen"})
    send(stream, topic, [*labels[:10], FedEvent(labels[0].key, stranger)])
    stream.until(lambda: kinds(stream)[REPEAT] >= 30, "marks of the repetitions")
    stream.until(lambda: sum(len(part) for part in stream.values("quarantine")) >= 11, "quarantine")
    assert second.terminate() == 0
    assert kinds(stream) == {FORMAT: COUNT, LATE_LABEL: COUNT, REPEAT: 30}
    read = Codec("quarantine").decode
    values = [value or b"" for part in stream.values("quarantine") for value in part]
    refused = [read(without_header(value))["reason"] for value in values]
    assert Counter(refused) == {"LATE_LABEL_REPEATED": 10, "LATE_LABEL_UNMATCHED": 1}
    assert sum(len(part) for part in stream.values("predictions")) == COUNT
    # Each label stands once in the events, in its own partition.
    forwarded = Counter(
        record.value
        for part in stream.records("events")
        for record in part
        if record.value and DECODE(record.value)["kind"] == "LABEL"
    )
    assert sum(forwarded.values()) == COUNT + 11
    assert max(forwarded[label.value] for label in labels[10:]) == 1

    # A learner that was told nothing for so long may rightly alarm: that is not tampering.
    reports = weir(stream, "verify", "--json", codes=(0, 3))
    assert {report["outcome"] for report in reports} <= {"OK", "ALARM"}
    assert not any(report["failures"] for report in reports)
    replayed = weir(stream, "replay", "--verify", "--json")
    assert [one["equal"] for one in replayed] == [True] * SHARDS
    assert sum(one["predictions"] for one in replayed) == COUNT
    assert sum(one["audit_records"] for one in replayed) == 2 * COUNT + 30
