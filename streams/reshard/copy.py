"""Copies the old log into the new one, each record exactly once.

    state    event                  next     what happens
    NEW      begin                  COPYING  fence; offsets and notes of the start are committed
    STOPPED  begin, anywhere        COPYING  fence, which aborts what was open; on from the offsets
    COPYING  step                   COPYING  one transaction: records, and the offsets they reach
    COPYING  step, at the log's end COPYING  nothing; the next step looks again
    COPYING  killed, fenced, error  STOPPED  the transaction in flight is aborted

The offsets are those of a consumer group of its own, which nobody joins. They travel in the
transactions of the copy, with what must be known of its start as their metadata.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.errors import StateError, TopologyError, WeirError
from streams.kafka.clients import client_config, retried
from streams.kafka.errors import translated
from streams.kafka.topics import admin, partition_counts
from streams.quarantine import NOTES_ROLE
from streams.reshard.merged import MergedLog
from streams.reshard.plan import PLACE_HEADER, place_header
from streams.reshard.redriven import Redriven
from streams.shard.commit import (
    CALL_S,
    COORDINATOR_IS_FOUND_AGAIN,
    POLL_S,
    SENDING,
    Fenced,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.kafka.reader import PartitionReader, Record
    from streams.reshard.plan import Resharding

PORTION: Final = 20_000
"""Records of a transaction: few and large ones cost least (docs/decisions/0048)."""

PORTION_BYTES: Final = 32 * 1024 * 1024
_TRANSACTION_S: Final = 60
_LARGEST: Final = 100_000_000
"""Above what any broker takes: what one took it takes again."""

_LEAST_TIME: Final = 1
"""librdkafka would put its own clock in the place of a time of 0, as of records without one."""


class Start(NamedTuple):
    """What is kept of a partition's start of the copy.

    Attributes:
        start: first offset that the old log still had.
        notes: how far the notes of redriven messages reached.
    """

    start: int
    notes: int


class Standing(NamedTuple):
    """How far a copy is.

    Attributes:
        starts: of each partition.
        positions: offset of each partition of the old log up to which it was copied.
    """

    starts: dict[int, Start]
    positions: dict[int, int]


def standing(about: Resharding) -> Standing | None:
    """Return how far a copy is; None before the first one.

    What a copy that was killed left open is passed over, without a wait for its end.

    Raises:
        BrokerUnavailable: no answer in time.
        StateError: somebody else uses the group.
    """
    # With read_committed the call would wait for as long as a transaction holds offsets.
    group = Consumer(
        client_config(about.old.broker, group_id=about.name, isolation_level="read_uncommitted")
    )
    where = [TopicPartition(about.old_log, p) for p in range(about.old_shards)]
    what = f"offsets of the group {about.name}"
    try:
        found = retried(lambda: group.committed(where, timeout=CALL_S), what, _TRANSACTION_S)
    except KafkaException as error:
        raise translated(error, what) from error
    finally:
        group.close()
    if all(at.offset < 0 for at in found):
        return None
    try:
        starts = {at.partition: Start(**json.loads(at.metadata or "")) for at in found}
    except (TypeError, ValueError) as error:
        raise StateError(
            f"the group {about.name} has offsets of {about.old_log} that no copy wrote: choose "
            "another --application"
        ) from error
    return Standing(starts, {at.partition: at.offset for at in found})


def at_start(about: Resharding, reader: PartitionReader) -> Standing:
    """Return where a copy begins that there is nothing of yet.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    counts = partition_counts(admin(about.old.broker), about.old.broker.bootstrap)
    topic = about.old.topics.name(NOTES_ROLE)
    noted = list(range(min(counts.get(topic, 0), about.old_shards)))
    notes = reader.stable_end(topic, noted) if noted else {}
    lows = {p: reader.bounds(about.old_log, p)[0] for p in range(about.old_shards)}
    return Standing({p: Start(low, notes.get(p, 0)) for p, low in lows.items()}, lows)


class Copier:
    """Copies, one transaction a step. One at a time: a second one fences the first.

    Args:
        about: the two applications; their topics are there.
        reader: reads ranges of topics.

    Attributes:
        starts: of each partition of the old log.
        positions: offset of each up to which it was copied.
        selection: says which records are copied.
        left_out: records that were not, since this copier began.

    Raises:
        BrokerUnavailable: no answer in time.
        TopologyError: the new log has records, and there was no copy.
        StateError: the offsets are no copy's.
    """

    def __init__(self, about: Resharding, reader: PartitionReader) -> None:
        self._about = about
        self._reader = reader
        self._producer = Producer(
            client_config(
                about.old.broker,
                transactional_id=about.name,
                transaction_timeout_ms=_TRANSACTION_S * 1000,
                **SENDING | {"message_max_bytes": _LARGEST},
                **COORDINATOR_IS_FOUND_AGAIN,
            )
        )
        self._group = Consumer(client_config(about.old.broker, group_id=about.name))
        self._call(lambda: self._producer.init_transactions(CALL_S), "init_transactions")
        # Read after the fence: nobody else can be copying any more.
        found = standing(about)
        if found is None:
            self._check_empty()
        self.starts, self.positions = found or at_start(about, reader)
        self.left_out = 0
        if found is None:
            self._transact([])
        starts = {p: at.start for p, at in self.starts.items()}
        notes = {p: at.notes for p, at in self.starts.items()}
        self.selection = Redriven(about.old, reader, starts, notes)
        self._log = MergedLog(about.old.broker, about.old_log, self.positions)

    def step(self) -> int:
        """Copy what comes next; return how many records of the old log that was, 0 at its end.

        Raises:
            WeirError: the log cannot be read, or the transaction did not commit. What was committed
                before stays, and another copier goes on from there.
        """
        portion = self._log.take(PORTION, PORTION_BYTES)
        if portion:
            reached = dict(self.positions)
            kept = []
            for partition, record in portion:
                reached[partition] = record.offset + 1
                if self.selection.keeps(partition, record):
                    kept.append((partition, record))
            before, self.positions = self.positions, reached
            try:
                self._transact(kept)
            except BaseException:
                self.positions = before
                raise
            self.left_out += len(portion) - len(kept)
        return len(portion)

    def ends(self) -> Mapping[int, int]:
        """Return the last stable offset of each partition of the old log."""
        return self._reader.stable_end(self._about.old_log, list(range(self._about.old_shards)))

    def close(self) -> None:
        """Release the connections."""
        self._log.close()
        self._group.close()
        self._producer.purge()
        self._producer.flush(0)

    def _check_empty(self) -> None:
        topic = self._about.new_log
        for shard in range(self._about.new_shards):
            low, end = self._reader.bounds(topic, shard)
            if low != end:
                raise TopologyError(
                    f"{topic}[{shard}] has records up to offset {end}, and the group "
                    f"{self._about.name} has no offsets of a copy: somebody else wrote them, or "
                    "the copy rested for longer than the brokers keep offsets "
                    "(offsets.retention.minutes). Begin anew under another --application and "
                    "--prefix, or delete the new application's topics first"
                )

    def _transact(self, records: list[tuple[int, Record]]) -> None:
        self._call(self._producer.begin_transaction, "begin_transaction")
        for partition, record in records:
            self._send(partition, record)
        offsets = [
            TopicPartition(
                self._about.old_log, p, at, json.dumps(self.starts[p]._asdict(), sort_keys=True)
            )
            for p, at in self.positions.items()
        ]
        self._call(
            lambda: self._producer.send_offsets_to_transaction(
                offsets, self._group.consumer_group_metadata(), CALL_S
            ),
            "send_offsets_to_transaction",
        )
        self._call(lambda: self._producer.commit_transaction(CALL_S), "commit_transaction")

    def _send(self, partition: int, record: Record) -> None:
        about = self._about
        headers: Any = [header for header in record.headers if header[0] != PLACE_HEADER]
        headers.append(place_header(about, partition, record.offset))
        while True:
            try:
                self._producer.produce(
                    about.new_log,
                    record.value,
                    record.key,
                    about.shard_of(partition, record.key),
                    timestamp=time_of(record),
                    headers=headers,
                )
            except BufferError:
                self._producer.poll(POLL_S)
            except KafkaException as error:
                raise self._failure("produce", error) from error
            else:
                return

    def _call(self, call: Callable[[], Any], what: str) -> None:
        try:
            retried(call, f"copy: {what}", _TRANSACTION_S)
        except KafkaException as error:
            raise self._failure(what, error) from error

    def _failure(self, what: str, error: KafkaException) -> WeirError:
        if error.args[0].name() in {"_FENCED", "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"}:
            return Fenced(
                f"copy to {self._about.new_log}: {what}: another `weir reshard` of "
                f"{self._about.new.application_id} has taken over; let one of them run"
            )
        return translated(error, f"copy to {self._about.new_log}: {what}")


def time_of(record: Record) -> int:
    """Return the Kafka timestamp of a record's copy, in milliseconds since the epoch."""
    return max(record.timestamp, _LEAST_TIME)
