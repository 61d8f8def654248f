"""Reading a range of one partition, committed records only, outside any consumer group."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from schemas.errors import BrokerUnavailable
from streams.kafka.clients import client_config, retried
from streams.kafka.errors import is_passing, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Message

    from streams.kafka.clients import ClientConfig
    from streams.settings import BrokerSettings

T = TypeVar("T")

CALL_S = 10
POLL_S = 0.1
"""A poll waits this long for a full batch; the end of the partition does not end it sooner."""
POLL_MESSAGES = 5_000


Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """One record, as ``SourceRecord`` wants it; ``headers`` only where they were asked for."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def record_of(message: Message, *, headers: bool) -> Record:
    """Return what a consumer received as a record.

    Args:
        message: without an error.
        headers: whether they are wanted; they cost time.
    """
    offset = message.offset()
    assert offset is not None
    found: Any = message.headers() if headers else None
    return Record(
        offset, message.timestamp()[1], message.key(), message.value(), tuple(found or ())
    )


def reader_config(broker: BrokerSettings) -> ClientConfig:
    """Return the configuration of a consumer that reads ranges.

    Raises:
        ConfigError: there is no bootstrap address.
    """
    return client_config(
        broker,
        group_id="weir-reader",  # required by the client, never joined nor committed to
        isolation_level="read_committed",
        enable_auto_commit=False,
        enable_partition_eof=True,
        auto_offset_reset="error",
        fetch_wait_max_ms=50,
        queued_max_messages_kbytes=65_536,
        max_partition_fetch_bytes=8_388_608,
    )


class PartitionReader:
    """Reads ranges of partitions with ``read_committed``.

    Args:
        broker: where and how to connect.
        patience_s: how long a read may see nothing at all before it is an error.
        headers: whether records have theirs.
    """

    def __init__(
        self, broker: BrokerSettings, patience_s: float = 60, *, headers: bool = False
    ) -> None:
        self._broker = broker
        self._headers = headers
        self._patience_s = patience_s
        self._consumer = Consumer(reader_config(broker))
        self._admin: AdminClient | None = None

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the log's start offset and its last stable offset.

        Raises:
            BrokerUnavailable: no answer in time.
            ConfigError: access is denied.
            TopologyError: there is no such topic.
        """
        where = TopicPartition(topic, partition)
        low, _ = self._asked(
            lambda: self._consumer.get_watermark_offsets(where, timeout=CALL_S),
            f"offsets of {topic}[{partition}]",
        )
        return low, self.stable_end(topic, [partition])[partition]

    def stable_end(self, topic: str, partitions: list[int]) -> dict[int, int]:
        """Return the last stable offset of each partition.

        Raises:
            BrokerUnavailable: no answer in time.
            ConfigError: access is denied.
            TopologyError: there is no such topic.
        """
        request = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}  # type: ignore[no-untyped-call]

        def ask() -> dict[int, int]:
            if self._admin is None:
                self._admin = AdminClient(client_config(self._broker))
            try:
                answers = self._admin.list_offsets(
                    request, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=CALL_S
                )
                ends = {tp.partition: answer.result().offset for tp, answer in answers.items()}
                if (
                    min(ends.values(), default=0) < 0
                ):  # seen after a broker's restart, without an error
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            except KafkaException:
                # After a broker's restart librdkafka (seen in 2.16) asks with the leader epoch that
                # it knew before, and is refused for as long as the client lives.
                self._admin = None
                raise
            return ends

        return self._asked(ask, f"end offsets of {topic}")

    def _asked(self, call: Callable[[], T], what: str) -> T:
        try:
            return retried(call, what, self._patience_s)
        except KafkaException as error:
            raise translated(error, what) from error

    def read(
        self, topic: str, partition: int, start: int | None, stop: int
    ) -> Iterator[list[Record]]:
        """Yield batches of the committed records with start ≤ offset < stop.

        Args:
            topic: of the partition.
            partition: its number.
            start: first offset; None: from the start of the log.
            stop: offset to stop before; at most the last stable offset.

        Raises:
            BrokerUnavailable: nothing arrived for ``patience_s``.
            StateError: the offset is gone.
            ConfigError: access is denied.
            TopologyError: the topic is gone.
        """
        if start is not None and start >= stop:
            return
        first = OFFSET_BEGINNING if start is None else start
        self._consumer.assign([TopicPartition(topic, partition, first)])
        try:
            quiet_since = time.monotonic()
            while True:
                batch, ended = self._poll(stop)
                if batch:
                    yield batch
                    quiet_since = time.monotonic()
                if ended:
                    return
                if time.monotonic() - quiet_since > self._patience_s:
                    raise BrokerUnavailable(
                        f"{topic}[{partition}]: nothing read for {self._patience_s:.0f} s on the "
                        f"way to offset {stop}; check the brokers and the partition's leader"
                    )
        finally:
            self._consumer.unassign()

    def _poll(self, stop: int) -> tuple[list[Record], bool]:
        """Return what has arrived below ``stop``, and whether the range has ended."""
        batch: list[Record] = []
        for message in self._consumer.consume(POLL_MESSAGES, POLL_S):
            error = message.error()
            if error is None:
                record = record_of(message, headers=self._headers)
                if record.offset >= stop:
                    return batch, True
                batch.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
                return batch, True
            elif not is_passing(error):
                failure = KafkaException(error)
                raise translated(failure, f"{message.topic()}[{message.partition()}]") from failure
        return batch, bool(batch) and batch[-1].offset + 1 >= stop

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()
