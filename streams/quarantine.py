"""Quarantined messages: what there are, and sending them again, each once.

What was sent again is noted on a topic beside the quarantine, in the transaction that sends it. Two
people who redrive at the same time, or one whose machine fails in the middle, send nothing twice:
the transactional id is the application's, so that who comes later fences who came before, and reads
the notes only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException, Producer

from schemas.codec import Codec
from schemas.errors import BadMessage, StateError
from schemas.wire import without_header
from streams.kafka.clients import client_config, retried
from streams.kafka.errors import translated
from streams.kafka.topics import (
    MAX_RECORD_BYTES,
    admin,
    copies_of,
    create_topics,
    partition_counts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streams.kafka.reader import PartitionReader, Record
    from streams.settings import Settings

HEADER = "weir-redriven"
"""Header of a message that was sent again: the place of its quarantine record."""

NOTES_ROLE = "quarantine-redriven"
_NOTES_CONFIG = {"cleanup.policy": "compact"}
_CALL_S = 30
_TRANSACTION_MESSAGES = 500


class Quarantined(NamedTuple):
    """One quarantine record.

    Attributes:
        partition: of the quarantine topic; the shard.
        offset: of the same.
        timestamp_ms: when it was quarantined.
        reason: reason code.
        detail: what is wrong, in words.
        topic: that the message came from.
        source_partition: of the same.
        source_offset: of the same.
        key: of the message.
        value: of the message; None where it was left at its source, or had none.
        trace: where in the program it was refused.
        redriven: whether it has been sent again.
    """

    partition: int
    offset: int
    timestamp_ms: int
    reason: str
    detail: str
    topic: str
    source_partition: int
    source_offset: int
    key: bytes | None
    value: bytes | None
    trace: str
    redriven: bool

    @property
    def place(self) -> str:
        """Its name: ``partition@offset``."""
        return f"{self.partition}@{self.offset}"


class Redriven(NamedTuple):
    """What a redrive did.

    Attributes:
        sent: messages sent again.
        already: those that had been before.
        gone: places of those whose bytes are nowhere any more.
    """

    sent: int
    already: int
    gone: tuple[str, ...]


def read_quarantine(settings: Settings, reader: PartitionReader) -> Iterator[Quarantined]:
    """Yield all quarantine records, partition by partition.

    Raises:
        StateError: a record of the topic is none.
        BrokerUnavailable: the topic cannot be read.
    """
    topic = settings.topics.name("quarantine")
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    noted = _noted(settings, reader, counts)
    for partition in range(counts.get(topic, 0)):
        for record in _records(reader, topic, partition):
            yield _read(topic, partition, record, noted)


def quarantined_at(settings: Settings, reader: PartitionReader, place: str) -> Quarantined:
    """Return one quarantine record.

    Args:
        settings: of the application.
        reader: reads the topic.
        place: ``partition@offset``.

    Raises:
        StateError: there is none.
        BrokerUnavailable: the topic cannot be read.
    """
    topic = settings.topics.name("quarantine")
    partition, _, offset = place.partition("@")
    if partition.isdecimal() and offset.isdecimal():
        at = int(offset)
        low, end = reader.bounds(topic, int(partition))
        if low <= at < end:
            for batch in reader.read(topic, int(partition), at, at + 1):
                for record in batch:
                    return _read(topic, int(partition), record, set())
    raise StateError(
        f"{topic} has no record {place}, of which a message says that it was sent again from there"
    )


def _records(reader: PartitionReader, topic: str, partition: int) -> Iterator[Record]:
    low, end = reader.bounds(topic, partition)
    for batch in reader.read(topic, partition, low, end):
        yield from batch


def _noted(settings: Settings, reader: PartitionReader, counts: dict[str, int]) -> set[str]:
    """Return the places of what has been sent again."""
    topic = settings.topics.name(NOTES_ROLE)
    return {
        (record.key or b"").decode()
        for partition in range(counts.get(topic, 0))
        for record in _records(reader, topic, partition)
    }


def _read(topic: str, partition: int, record: Record, noted: set[str]) -> Quarantined:
    value = record.value or b""
    try:
        read = Codec("quarantine").decode(without_header(value))
    except BadMessage as error:
        raise StateError(
            f"{topic}[{partition}]@{record.offset} is no quarantine record: somebody else writes "
            "to the topic"
        ) from error
    return Quarantined(
        partition=partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        reason=read["reason"],
        detail=read["detail"],
        topic=read["topic"],
        source_partition=read["partition"],
        source_offset=read["offset"],
        key=read["key"],
        value=read["value"],
        trace=read["trace"],
        redriven=f"{partition}@{record.offset}" in noted,
    )


class Redriver:
    """Sends quarantined messages again, to where they came from.

    Args:
        settings: of the application.
        reader: reads the topics.

    Raises:
        BrokerUnavailable: the coordinator does not answer.
    """

    def __init__(self, settings: Settings, reader: PartitionReader) -> None:
        self._settings = settings
        self._reader = reader
        client = admin(settings.broker)
        counts = partition_counts(client, settings.broker.bootstrap)
        self._notes = settings.topics.name(NOTES_ROLE)
        shards = counts[settings.topics.name("events")]
        if self._notes not in counts:
            create_topics(client, {self._notes: (shards, copies_of(settings), _NOTES_CONFIG)})
        self._errors: list[KafkaException] = []
        self._producer = Producer(
            client_config(
                settings.broker,
                transactional_id=f"{settings.application_id}-redrive",
                message_max_bytes=MAX_RECORD_BYTES,
            )
        )
        self._call(lambda: self._producer.init_transactions(_CALL_S), "init_transactions")

    def redrive(
        self, wanted: Callable[[Quarantined], bool], progress: Callable[[int], None]
    ) -> Redriven:
        """Send again what is wanted and has not been sent again yet.

        Args:
            wanted: chooses.
            progress: told how many have been sent so far.

        Raises:
            BrokerUnavailable: a transaction failed; what was committed before stays sent, and the
                next redrive goes on.
        """
        sent = already = 0
        gone: list[str] = []
        portion: list[tuple[Quarantined, bytes | None]] = []
        # Read after the fence: nobody else can be sending any more.
        chosen = [one for one in read_quarantine(self._settings, self._reader) if wanted(one)]
        for one in chosen:
            if one.redriven:
                already += 1
                continue
            found, value = self._bytes(one)
            if not found:
                gone.append(one.place)
                continue
            portion.append((one, value))
            if len(portion) == _TRANSACTION_MESSAGES:
                sent += self._send(portion)
                progress(sent)
                portion = []
        if portion:
            sent += self._send(portion)
            progress(sent)
        return Redriven(sent, already, tuple(gone))

    def _bytes(self, one: Quarantined) -> tuple[bool, bytes | None]:
        """Return whether the message's bytes are somewhere, and the bytes."""
        if one.value is not None or one.reason == "EMPTY_VALUE":
            return True, one.value
        low, end = self._reader.bounds(one.topic, one.source_partition)
        if not low <= one.source_offset < end:
            return False, None
        stop = one.source_offset + 1
        found = self._reader.read(one.topic, one.source_partition, one.source_offset, stop)
        for batch in found:
            for record in batch:
                if record.offset == one.source_offset:
                    return True, record.value
        return False, None

    def _send(self, portion: Iterable[tuple[Quarantined, bytes | None]]) -> int:
        self._call(self._producer.begin_transaction, "begin_transaction")
        count = 0
        for one, value in portion:
            place = one.place.encode()
            self._produce(
                one.topic,
                value,
                key=one.key,
                partition=one.source_partition,
                headers=[(HEADER, place)],
            )
            self._produce(self._notes, b"", key=place, partition=one.partition)
            count += 1
        self._call(lambda: self._producer.commit_transaction(_CALL_S), "commit_transaction")
        return count

    def _produce(self, topic: str, value: bytes | None, **how: Any) -> None:
        try:
            self._producer.produce(topic, value, **how)
            self._producer.poll(0)
        except (KafkaException, BufferError) as error:
            raise translated(_kafka(error), f"redrive to {topic}") from error

    def _call(self, call: Callable[[], Any], what: str) -> None:
        try:
            retried(call, f"redrive: {what}", _CALL_S)
        except KafkaException as error:
            raise translated(error, f"redrive: {what}") from error


def _kafka(error: Exception) -> KafkaException:
    return error if isinstance(error, KafkaException) else KafkaException(str(error))
