"""Late labels from a topic of their own: forwarded into the events, see ``streams.forwarder``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import TopologyError
from streams.forwarder import Forwarder
from streams.kafka.topics import SOURCE_ROLE, admin, copies_of, create_topics, partition_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.reader import Record
    from streams.settings import Settings
    from streams.shard.unit import Message


def labels_group(application_id: str) -> str:
    """Return the consumer group whose offsets say which labels have been forwarded."""
    return f"{application_id}-labels"


def prepare_labels(settings: Settings, shards: int) -> None:
    """Make the labels' topic where it is missing, and refuse one that does not fit.

    Args:
        settings: ``labels.topic`` named.
        shards: partitions of the events.

    Raises:
        TopologyError: it has another number of partitions than the events.
        BrokerUnavailable: no broker answers.
    """
    topic = settings.labels.topic
    assert topic is not None
    client = admin(settings.broker)
    counts = partition_counts(client, settings.broker.bootstrap)
    if topic not in counts:
        create_topics(client, {topic: (shards, copies_of(settings), {})})
    elif counts[topic] != shards:
        raise TopologyError(
            f"topic {topic} (labels.topic) has {counts[topic]} partitions and the events have "
            f"{shards}: a label must come to the partition of its event. Make the topic with "
            f"{shards} partitions, and key labels by the entity's id as events are"
        )


def label_forwarder(
    settings: Settings, partition: int, failed: Callable[[BaseException], None]
) -> Forwarder:
    """Return what forwards a partition of the labels' topic into the events.

    Args:
        settings: ``labels.topic`` named.
        partition: of the labels and of the events.
        failed: called with an error that must end the worker.
    """
    assert settings.labels.topic is not None
    return Forwarder(
        settings,
        labels_group(settings.application_id),
        settings.labels.topic,
        settings.topics.name(SOURCE_ROLE),
        partition,
        all_of,
        failed,
    )


def all_of(records: list[Record]) -> list[Message]:
    """Return records as they are."""
    return [{"key": record.key, "value": record.value or b""} for record in records]
