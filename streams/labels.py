"""Forwards late labels from a topic of their own into the events, each exactly once.

A shard learns from one partition, so that one log orders everything and a replay is exact. Whoever
owns a shard forwards the same partition of the labels' topic into it: a transaction carries some
labels and the offset of the group ``<application>-labels`` that they reach. Its transactional id is
the partition's, so that a former owner is fenced before the next one reads where to go on.

    state      event                     next       what happens
    NEW        start                     RUNNING    a thread fences, and forwards as labels come
    RUNNING    close                     CLOSED     the transaction in flight ends first
    RUNNING    fenced by another owner   CLOSED     the shard has moved: this is how it looks
    RUNNING    any other failure         FAILED     the worker ends; its successor goes on
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from schemas.errors import TopologyError, WeirError
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, copies_of, create_topics, partition_counts
from streams.shard.commit import Fenced, ShardProducer
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.reader import Record
    from streams.settings import Settings

log = structlog.get_logger(__name__)

POLL_S = 0.25
"""How often it is looked for new labels: a label is late by hours or days anyway."""


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


class LabelForwarder:
    """Forwards one partition.

    Args:
        settings: ``labels.topic`` named.
        partition: of the labels and of the events.
        failed: called with an error that must end the worker.
    """

    def __init__(
        self, settings: Settings, partition: int, failed: Callable[[BaseException], None]
    ) -> None:
        assert settings.labels.topic is not None
        self._topic = settings.labels.topic
        self._partition = partition
        self._failed = failed
        self._closing = threading.Event()
        self._reader = PartitionReader(settings.broker, settings.stream.broker_patience_s)
        self._producer = ShardProducer(
            settings.broker,
            labels_group(settings.application_id),
            partition,
            self._topic,
            "",
            {"events": settings.topics.name("events")},
            settings.stream.transaction_timeout_s,
            settings.stream.broker_patience_s,
        )
        self._thread = threading.Thread(target=self._run, name=f"labels-{partition}", daemon=True)

    def start(self) -> None:
        """Begin to forward."""
        self._thread.start()

    def close(self) -> None:
        """End after the transaction in flight; blocks until then."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()
        self._producer.close()

    def _run(self) -> None:
        try:
            self._forward()
        except Fenced:
            log.info("labels are forwarded by another worker now", partition=self._partition)
        except BaseException as error:  # noqa: BLE001 - whatever it is, labels would silently stop
            if not self._closing.is_set() or not isinstance(error, WeirError):
                self._failed(error)

    def _forward(self) -> None:
        self._producer.fence()
        reached = self._producer.group_offset()
        while not self._closing.wait(POLL_S):
            low, end = self._reader.bounds(self._topic, self._partition)
            start = low if reached is None else max(low, reached)
            for batch in self._reader.read(self._topic, self._partition, start, end):
                reached = self._send(batch)
                if self._closing.is_set():
                    return

    def _send(self, batch: list[Record]) -> int:
        unit = UnitOfWork(next_offset=batch[-1].offset + 1, records=len(batch))
        unit.outputs["events"] = [
            {"key": record.key, "value": record.value or b""} for record in batch
        ]
        self._producer.commit(unit)
        return unit.next_offset
