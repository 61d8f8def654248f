"""Messages too large for somebody on the way are quarantined as far as they go."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from schemas.codec import Codec
from streams.feed import FedEvent
from streams.kafka.topics import LEAST_BATCH_BYTES, admin
from tests.integration.streams.under_test import make_events

if TYPE_CHECKING:
    from typing import Any

    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def quarantined(stream: Stream) -> list[dict[str, Any]]:
    """Return the quarantine records."""
    decode = Codec("quarantine").decode
    return [decode(value) for part in stream.values("quarantine") for value in part]


def oversized(like: FedEvent, size: int) -> FedEvent:
    """Return an event of at least a size, of the same entity."""
    event = Codec("event").decode(like.value)
    event["feature_ids"] = bytes(range(8)) * (size // 16)
    event["feature_values"] = bytes(len(event["feature_ids"]))
    return FedEvent(like.key, Codec("event").encode(event))


def test_events_larger_than_the_settings_allow_are_quarantined(stream: Stream) -> None:
    """The bound is told, the bytes are kept, and the events around them are learnt."""
    stream.environment["WEIR_STREAM__MAX_EVENT_BYTES"] = "5000"
    events = make_events(200)
    large = oversized(events[50], 6_000)
    stream.produce([*events[:100], large, *events[100:]])
    worker = stream.start()
    stream.wait_committed()
    assert worker.terminate() == 0
    [record] = quarantined(stream)
    assert record["reason"] == "OVERSIZED"
    assert "stream.max_event_bytes allows 5000" in record["detail"]
    assert record["value"] == large.value


def test_events_that_no_quarantine_record_can_hold_do_not_wedge_their_shard(
    stream: Stream,
) -> None:
    """Near the largest message that Kafka takes, size, digest and place stand for the bytes."""
    set_limit(stream.topic("quarantine"), stream)
    events = make_events(200)
    sizes = (LEAST_BATCH_BYTES - 500, LEAST_BATCH_BYTES + 500, 9_000_000)
    large = [oversized(events[n], size) for n, size in enumerate(sizes)]
    garbage = FedEvent(events[9].key, b"\xff" * (LEAST_BATCH_BYTES - 600))
    stream.produce([*events[:100], *large, garbage, *events[100:]])
    worker = stream.start(WEIR_STREAM__MAX_EVENT_BYTES="1048000")
    stream.wait_committed()
    assert worker.terminate() == 0
    records = quarantined(stream)
    assert len(records) == len(large) + 1
    for record in records:
        source = stream.records("events")[record["partition"]]
        [original] = [r for r in source if r.offset == record["offset"]]
        assert original.value in {event.value for event in (*large, garbage)}
        assert record["value"] is None
        assert f"{len(original.value)} bytes" in record["detail"]
        assert hashlib.sha256(original.value).hexdigest() in record["detail"]
        assert f"{record['topic']}[{record['partition']}]@{record['offset']}" in record["detail"]
    assert {record["reason"] for record in records} == {"OVERSIZED", "BAD_AVRO"}


def test_ids_that_would_outgrow_the_outputs_are_quarantined(stream: Stream) -> None:
    """An id is copied to every prediction: one of half a megabyte is refused, not sent on."""
    events = make_events(200)
    event = Codec("event").decode(events[50].value)
    long_id = FedEvent(b"k", Codec("event").encode(event | {"id": "x" * 500_000}))
    long_event_id = FedEvent(b"k", Codec("event").encode(event | {"event_id": "x" * 900_000}))
    stream.produce([*events[:100], long_id, long_event_id, *events[100:]])
    worker = stream.start()
    stream.wait_committed()
    assert worker.terminate() == 0
    assert [record["reason"] for record in quarantined(stream)] == ["BAD_FIELD", "BAD_FIELD"]
    stream.assert_undisturbed()


def set_limit(topic: str, stream: Stream) -> None:
    """Let a topic take no more than Kafka does by default."""
    entry = ConfigEntry(
        "max.message.bytes",
        str(LEAST_BATCH_BYTES),
        incremental_operation=AlterConfigOpType.SET,
    )
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = admin(stream.settings.broker)
    client.incremental_alter_configs([change])[change].result(timeout=30)
