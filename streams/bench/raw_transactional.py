"""The floor of the stream: consume, then produce as many bytes in transactions, and nothing else.

For each event it sends a prediction and an audit record that a worker made of another event, so
that sizes and contents are real, and commits the source offset in the same transaction. Gathering
is the worker's: at least ``gather_ms`` between the starts of two transactions, at most
``max_unit_events`` events of a partition in one.

Started by the benchmark with the worker's environment:
``python -m streams.bench.raw_transactional SAMPLES_PREFIX``, the prefix of the topics that hold a
worker's outputs.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from streams.bench.lab import PARTITIONS
from streams.kafka.clients import client_config
from streams.kafka.reader import PartitionReader
from streams.settings import load_settings
from streams.shard.commit import SENDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Message

    from streams.settings import Settings

CALL_S = 30
SAMPLES = 5_000


class PassThrough:
    """One consumer and one transactional producer for all partitions.

    One producer a partition, as the worker has, is slower: four threads take turns at one
    interpreter, and the broker commits four times as many transactions.

    Args:
        settings: the worker's.
        predictions, audit: what is sent, over and over.
    """

    def __init__(
        self,
        settings: Settings,
        predictions: Sequence[bytes],
        audit: Sequence[bytes],
    ) -> None:
        self._source = settings.topics.name("events")
        self._predictions = settings.topics.name("predictions")
        self._audit = settings.topics.name("audit")
        self._prediction_values = cycle(predictions)
        self._audit_values = cycle(audit)
        self._gather_s = settings.stream.gather_ms / 1000
        self._most = settings.stream.max_unit_events * PARTITIONS
        self._consumer = Consumer(
            client_config(
                settings.broker,
                group_id=settings.application_id,
                isolation_level="read_committed",
                enable_auto_commit=False,
                fetch_wait_max_ms=50,
                # Else it pauses for up to a second whenever 64 MB wait: half the rate, and a burst
                # where a run is short enough to live from what was fetched before it began.
                fetch_queue_backoff_ms=2,
            )
        )
        self._consumer.assign(
            [TopicPartition(self._source, p, OFFSET_BEGINNING) for p in range(PARTITIONS)]
        )
        self._producer = Producer(
            client_config(
                settings.broker,
                transactional_id=settings.application_id,
                **SENDING,
            )
        )
        self._producer.init_transactions(CALL_S)

    def run(self, stop: threading.Event) -> None:
        """Pass events through until told to stop."""
        while not stop.is_set():
            started = time.monotonic()
            messages = self._gather(started + self._gather_s)
            if messages:
                self._pass_on(messages)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _gather(self, until: float) -> list[Message]:
        """Take what comes until a time, and then what has come already."""
        messages: list[Message] = []
        while len(messages) < self._most:
            left = until - time.monotonic()
            more = self._consumer.consume(self._most - len(messages), max(0.0, left))
            messages += more
            if not more and left <= 0:
                break
        return messages

    def _pass_on(self, messages: list[Message]) -> None:
        producer = self._producer
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            by_partition.setdefault(message.partition() or 0, []).append(message)
        producer.begin_transaction()
        for partition, part in by_partition.items():
            self._send(self._predictions, partition, self._prediction_values, part)
            self._send(self._audit, partition, self._audit_values, part)
        # The consumer's own positions would do, but asking for them is a call more.
        offsets = [
            TopicPartition(self._source, partition, (part[-1].offset() or 0) + 1)
            for partition, part in by_partition.items()
        ]
        producer.send_offsets_to_transaction(
            offsets, self._consumer.consumer_group_metadata(), CALL_S
        )
        producer.commit_transaction(CALL_S)

    def _send(
        self, topic: str, partition: int, values: Iterator[bytes], messages: Sequence[Message]
    ) -> None:
        # Not ``produce_batch`` for all partitions at once: it takes the messages' own for no more
        # than a wish.
        batch = [
            {"value": value, "key": message.key()}
            for value, message in zip(islice(values, len(messages)), messages, strict=True)
        ]
        self._producer.produce_batch(topic, batch, partition=partition)


def _samples(reader: PartitionReader, topic: str) -> list[bytes]:
    _, end = reader.bounds(topic, 0)
    records = (record for batch in reader.read(topic, 0, 0, end) for record in batch)
    return [record.value for record in islice(records, SAMPLES) if record.value is not None]


def main() -> None:
    """Run until SIGTERM."""
    prefix = sys.argv[1]
    settings = load_settings()
    reader = PartitionReader(settings.broker)
    predictions, audit = (_samples(reader, prefix + role) for role in ("predictions", "audit"))
    reader.close()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    floor = PassThrough(settings, predictions, audit)
    floor.run(stop)
    floor.close()


if __name__ == "__main__":
    main()
