"""All partitions of a log as one sequence, by the records' own time.

What is next is always the oldest of the partitions' next records (of equal ones that of the lower
partition), and where a partition has more than was fetched, it is waited for. So the order follows
from the log alone, however fetches fall; within a partition it is that of the partition. A
partition that has been read to its end is not waited for, or an idle one would stop the others.

Memory: a partition that is far ahead is paused, so that at most about ``BUFFER_BYTES`` wait.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import BrokerUnavailable
from streams.kafka.clients import client_config
from streams.kafka.errors import is_passing, translated
from streams.kafka.reader import POLL_MESSAGES, POLL_S, Record, record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import BrokerSettings

BUFFER_BYTES: Final = 64 * 1024 * 1024
_OVERHEAD_BYTES: Final = 400  # of a record in Python
_FETCHED_KB: Final = 16_384


class MergedLog:
    """Reads a topic with ``read_committed``, outside any consumer group.

    Args:
        broker: where and how to connect.
        topic: of the log.
        positions: where to begin in each partition.
        buffer_bytes: how much may wait, over all partitions.
        patience_s: how long a read may see nothing at all before it is an error.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        topic: str,
        positions: Mapping[int, int],
        *,
        buffer_bytes: int = BUFFER_BYTES,
        patience_s: float = 60,
    ) -> None:
        self._topic = topic
        self._patience_s = patience_s
        self._budget = buffer_bytes // max(1, len(positions))
        self._waiting: dict[int, deque[Record]] = {p: deque() for p in positions}
        self._bytes = dict.fromkeys(positions, 0)
        self._next = dict(positions)
        # Partitions whose next record is not known: neither does one wait nor is there none.
        self._unknown = set(positions)
        self._ended: set[int] = set()
        self._paused: set[int] = set()
        self._heads: list[tuple[int, int]] = []
        self._consumer = Consumer(
            client_config(
                broker,
                group_id="weir-reader",  # required by the client, never joined nor committed to
                isolation_level="read_committed",
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="error",
                fetch_wait_max_ms=50,
                queued_max_messages_kbytes=_FETCHED_KB,
            )
        )
        self._consumer.assign([TopicPartition(topic, p, at) for p, at in positions.items()])

    def take(self, limit: int, limit_bytes: int = BUFFER_BYTES) -> list[tuple[int, Record]]:
        """Return the next records with their partitions; none where all that there is was taken.

        Args:
            limit: how many at most.
            limit_bytes: about how many bytes at most.

        Raises:
            BrokerUnavailable: nothing arrived for ``patience_s`` though there is more.
            StateError: the next record was deleted.
            ConfigError: access is denied.
            TopologyError: the topic is gone.
        """
        taken: list[tuple[int, Record]] = []
        size = 0
        quiet_since = time.monotonic()
        while len(taken) < limit and size < limit_bytes:
            if self._unknown:
                if self._poll():
                    quiet_since = time.monotonic()
                elif time.monotonic() - quiet_since > self._patience_s:
                    raise BrokerUnavailable(
                        f"{self._topic}{sorted(self._unknown)}: nothing read for "
                        f"{self._patience_s:.0f} s; check the brokers and the partitions' leaders"
                    )
            elif self._heads:
                _, partition = heapq.heappop(self._heads)
                record = self._pop(partition)
                size += _size(record)
                taken.append((partition, record))
            elif taken or not self._poll():
                break
        return taken

    def _pop(self, partition: int) -> Record:
        waiting = self._waiting[partition]
        record = waiting.popleft()
        self._bytes[partition] -= _size(record)
        if waiting:
            heapq.heappush(self._heads, (waiting[0].timestamp, partition))
        elif partition not in self._ended:
            self._unknown.add(partition)
        if partition in self._paused and self._bytes[partition] <= self._budget // 2:
            self._paused.discard(partition)
            self._consumer.resume([TopicPartition(self._topic, partition)])
        return record

    def _poll(self) -> bool:
        """Take in what has arrived; tell whether anything has."""
        messages = self._consumer.consume(POLL_MESSAGES, POLL_S)
        for message in messages:
            partition, error = message.partition(), message.error()
            assert partition is not None
            if error is None:
                self._add(partition, record_of(message, headers=True))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
                self._ended.add(partition)
                self._unknown.discard(partition)
            elif not is_passing(error):
                failure = KafkaException(error)
                raise translated(failure, f"{message.topic()}[{partition}]") from failure
        for partition, waiting in self._bytes.items():
            if waiting > self._budget and partition not in self._paused:
                self._paused.add(partition)
                self._consumer.pause([TopicPartition(self._topic, partition)])
        return bool(messages)

    def _add(self, partition: int, record: Record) -> None:
        if record.offset < self._next[partition]:
            return  # fetched again after a pause
        waiting = self._waiting[partition]
        if not waiting:
            heapq.heappush(self._heads, (record.timestamp, partition))
        waiting.append(record)
        self._bytes[partition] += _size(record)
        self._next[partition] = record.offset + 1
        self._ended.discard(partition)
        self._unknown.discard(partition)

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + _OVERHEAD_BYTES
