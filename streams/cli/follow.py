"""Following a topic: committed records of all partitions, outside any consumer group."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaException,
    TopicPartition,
)

from schemas.errors import BrokerUnavailable, TopologyError
from streams.kafka.clients import client_config
from streams.kafka.topics import admin, partition_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from streams.settings import Settings

POLL_S = 0.2
POLL_MESSAGES = 2_000


class Start(StrEnum):
    """Where to begin."""

    BEGINNING = "beginning"
    END = "end"


class TopicRecord(NamedTuple):
    """One record and where it stands; ``timestamp_ms`` is None where it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None


def follow(settings: Settings, topic: str, start: Start) -> Iterator[list[TopicRecord]]:
    """Yield what has come, for ever; an empty list where nothing has for a moment.

    Args:
        settings: ``broker.bootstrap`` known.
        topic: which, by its full name.
        start: where to begin in each partition.

    Raises:
        BrokerUnavailable: no broker answers.
        TopologyError: there is no such topic.
    """
    partitions = partition_counts(admin(settings.broker), settings.broker.bootstrap).get(topic)
    if partitions is None:
        raise TopologyError(
            f"topic {topic} is not on {settings.broker.bootstrap}: the first worker to start makes "
            "the topics of its outputs; or set topics.prefix to where yours are"
        )
    consumer = Consumer(
        client_config(
            settings.broker,
            group_id="weir-follow",  # required by the client, never joined nor committed to
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_wait_max_ms=100,
        )
    )
    offset = OFFSET_BEGINNING if start is Start.BEGINNING else OFFSET_END
    consumer.assign([TopicPartition(topic, number, offset) for number in range(partitions)])
    try:
        while True:
            # Of many messages the call waits for all: what comes alone is not held up for more.
            messages = consumer.consume(1, POLL_S)
            if messages:
                messages += consumer.consume(POLL_MESSAGES, 0)
            yield [_record(message) for message in messages if message.error() is None]
            for message in messages:
                error = message.error()
                if error is not None and (error.fatal() or not error.retriable()):
                    raise BrokerUnavailable(f"{topic}: {error.str()}")
    except KafkaException as error:
        raise BrokerUnavailable(f"{topic}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _record(message: Message) -> TopicRecord:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    kind, timestamp = message.timestamp()
    return TopicRecord(
        topic,
        partition,
        offset,
        None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        message.key(),
        message.value(),
    )
