"""The Kafka transaction that commits a unit of work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import BrokerGone, BrokerUnavailable, ConfigError, TopologyError, WeirError
from streams.kafka.clients import client_config, retried
from streams.kafka.topics import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from streams.settings import BrokerSettings
    from streams.shard.unit import Message, UnitOfWork

SENDING: dict[str, Any] = {
    # A unit is sent when it is whole: the commit flushes, whatever the linger. With 2 ms, batches
    # went out half full, at a third more processor time here and in the broker.
    "linger_ms": 100,
    "batch_size": 1_000_000,
    "message_max_bytes": MAX_RECORD_BYTES,
    "compression_type": "lz4",
    "queue_buffering_max_messages": 1_000_000,
    # A transaction that begins while the markers of the one before are still being written is told
    # CONCURRENT_TRANSACTIONS and waits for this long. With the default of 100 ms that was the whole
    # tail of the latency: p99 at 1,000 events/s 50 to 250 ms, with 5 ms 50 to 60.
    "retry_backoff_ms": 5,
}
"""How transactional producers send."""

POLL_S = 0.05
CALL_S = 10
OVERDUE_S = 2 * CALL_S

# librdkafka (seen in 2.16; its issues 5456 and 5511) waits for ever in send_offsets_to_transaction
# once metadata did not list the group's coordinator for a moment, as after its broker's restart: it
# keeps a dead entry in its cache and looks at it again only when a connection changes its state.
# Here the entry expires, and after that an idle connection is closed: the call goes on after some
# ten seconds. Killing a broker 8 times hung 5 commits without these, and none with them.
COORDINATOR_IS_FOUND_AGAIN = {
    "metadata_max_age_ms": 6_000,
    "topic_metadata_refresh_interval_ms": 2_000,
    "connections_max_idle_ms": 10_000,
}

TOPIC_REFUSED = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the library's own name
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the same
        KafkaError.OPERATION_NOT_ATTEMPTED,  # of the topics that stood beside a missing one
        # What a later call of the transaction is told once a topic was refused behind the scenes.
        KafkaError._STATE,  # noqa: SLF001 - the same
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)


class CommitFailed(WeirError):  # noqa: N818 - it names what happened
    """A transaction did not commit; memory is ahead of the log and the worker must not go on."""

    exit_code = 69


class Fenced(TopologyError):  # noqa: N818 - Kafka's own word
    """Another worker has taken over the shard's transactional id."""

    exit_code = 69


class ShardProducer:
    """The transactional producer of one shard.

    Its ``transactional.id`` is the application id and the shard, so that starting it fences
    whichever worker owned the shard before: its open transaction is aborted, its next call fails.

    Args:
        broker: where and how to connect.
        application_id: consumer group whose offset travels with every unit.
        shard: partition number of the source and of all outputs.
        source_topic, changelog_topic: names.
        topics: topic role → name, for the roles of ``UnitOfWork.outputs`` and ``forwards``, and
            ``quarantine``.
        timeout_s: how long a transaction may take before the coordinator aborts it.
        patience_s: how long to wait for a broker that is away; less than ``timeout_s``.
        name: the transactional id, where an application has shards of several topics.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        application_id: str,
        shard: int,
        source_topic: str,
        changelog_topic: str,
        topics: dict[str, str],
        timeout_s: int,
        patience_s: int,
        name: str | None = None,
    ) -> None:
        self._shard = shard
        self._source_topic = source_topic
        self._changelog_topic = changelog_topic
        self._topics = topics
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._where = f"shard {shard} ({source_topic}[{shard}])"
        # Group metadata of a consumer that is no member: fencing rests on the transactional id
        # alone.
        self._group = Consumer(client_config(broker, group_id=application_id))
        self._producer = Producer(
            client_config(
                broker,
                **self.properties(name or f"{application_id}-{shard}", timeout_s),
                **COORDINATOR_IS_FOUND_AGAIN,
            )
        )
        self._changelog_end: int | None = None
        self._retries = 0
        # The call in progress and since when; read by another thread.
        self._calling: tuple[str, float] | None = None

    @staticmethod
    def properties(transactional_id: str, timeout_s: int) -> dict[str, Any]:
        """Return how the client sends."""
        return {
            **SENDING,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": timeout_s * 1000,
        }

    def fence(self) -> None:
        """Take the shard over: fence its former owner and abort what it left open.

        Raises:
            BrokerGone: the coordinator did not answer for ``patience_s``.
        """
        self._call(lambda: self._producer.init_transactions(CALL_S), "init_transactions")

    def group_offset(self) -> int | None:
        """Return the source offset that the consumer group has committed; None if it has not.

        Raises:
            BrokerGone: the coordinator did not answer for ``patience_s``.
        """
        where = [TopicPartition(self._source_topic, self._shard)]
        found: list[TopicPartition] = []
        self._call(lambda: found.extend(self._group.committed(where, CALL_S)), "group offsets")
        return found[0].offset if found[0].offset >= 0 else None

    def commit(self, unit: UnitOfWork) -> int:
        """Commit outputs, state and source offset in one transaction.

        Returns:
            Changelog offset of the unit's last state record; -1 for a unit without state.

        Raises:
            Fenced: another worker owns the shard now.
            CommitFailed: the transaction was aborted or its fate is unknown.
            BrokerGone: the broker did not answer for ``patience_s``.
        """
        producer = self._producer
        self._call(producer.begin_transaction, "begin_transaction")
        self.send(unit)
        offsets = [TopicPartition(self._source_topic, self._shard, unit.next_offset)]
        self._call(
            lambda: producer.send_offsets_to_transaction(
                offsets, self._group.consumer_group_metadata(), CALL_S
            ),
            "send_offsets_to_transaction",
        )
        self._call(lambda: producer.commit_transaction(CALL_S), "commit_transaction")
        return self.acknowledged(unit)

    def acknowledged(self, unit: UnitOfWork) -> int:
        """Return the changelog offset of a sent unit's last state record; -1 if it had none.

        Raises:
            CommitFailed: it was not acknowledged.
        """
        unit.retries, self._retries = self._retries, 0
        if not unit.state:
            return -1
        if self._changelog_end is None:
            raise CommitFailed(f"{self._where}: the changelog's records were not acknowledged")
        return self._changelog_end

    def send(self, unit: UnitOfWork) -> None:
        """Hand all messages of a unit to the client, which sends them when it sees fit.

        Raises:
            CommitFailed: the client refused one.
        """
        producer = self._producer
        for role, values in unit.outputs.items():
            if values:
                self._send(self._topics[role], values)
        quarantine = (("quarantine", *item) for item in unit.quarantine)
        for role, key, value, headers in (*quarantine, *unit.forwards):
            self._patiently(
                lambda role=role, key=key, value=value, headers=headers: producer.produce(
                    self._topics[role], value, key=key, partition=self._shard, headers=headers
                )
            )
        if unit.state:
            self._send_state(unit)

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged.

        Raises:
            CommitFailed: it was not in time.
        """
        if left := self._producer.flush(CALL_S):
            raise CommitFailed(f"{self._where}: {left} messages were not acknowledged")

    def _send(self, topic: str, values: list[Message]) -> None:
        messages = cast("list[dict[str, Any]]", values)
        while messages:
            queued = self._patiently(
                lambda: self._producer.produce_batch(topic, messages, partition=self._shard)  # noqa: B023 - called at once
            )
            if queued == len(messages):
                return
            # What was not taken carries its error. Where that is the full local queue: wait, and go
            # on from there.
            left = [message for message in messages if "_error" in message]
            for error in (message["_error"] for message in left):
                if error.code() != KafkaError._QUEUE_FULL:  # noqa: SLF001 - the library's own name
                    raise self._failure(f"produce to {topic}", KafkaException(error))
            self._producer.poll(POLL_S)
            messages = [{"key": message["key"], "value": message["value"]} for message in left]

    def _send_state(self, unit: UnitOfWork) -> None:
        self._changelog_end = None
        items = list(unit.state.items())
        produce, topic, shard = self._producer.produce, self._changelog_topic, self._shard
        for key, value in items[:-1]:
            self._patiently(
                lambda key=key, value=value: produce(topic, value, key=key, partition=shard)
            )
        # Order within the partition is kept, so the last one's offset is the highest.
        key, value = items[-1]
        self._patiently(
            lambda: produce(topic, value, key=key, partition=shard, on_delivery=self._delivered)
        )

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self._changelog_end = message.offset()

    def _patiently(self, send: Any) -> Any:
        while True:
            try:
                return send()
            except BufferError:
                self._producer.poll(POLL_S)
            except KafkaException as error:
                raise self._failure("produce", error) from error

    def _call(self, call: Any, what: str) -> None:
        def attempt() -> None:
            self._calling = (what, time.monotonic())
            try:
                call()
            finally:
                self._calling = None

        try:
            retried(attempt, f"{self._where}: {what}", self._patience_s, self._count_retry)
        except KafkaException as error:
            raise self._failure(what, error) from error
        except BrokerUnavailable as error:
            raise BrokerGone(f"{error} (stream.broker_patience_s)") from error

    def overdue(self, now: float, back_at: float) -> CommitFailed | None:
        """Return an error if a call has not returned long after its own timeout.

        While the broker is away, ``send_offsets_to_transaction`` never does (librdkafka 2.16).

        Args:
            now: ``time.monotonic()``.
            back_at: time at which the broker was last back from being away.
        """
        calling = self._calling
        if calling is None or now - max(calling[1], back_at) <= OVERDUE_S:
            return None
        what, since = calling
        return CommitFailed(
            f"{self._where}: {what} has not returned for {now - since:.0f} s and should have after "
            f"{CALL_S} s: the client library lost the broker without noticing. The worker ends; "
            "restarted, it goes on from the last commit"
        )

    def _count_retry(self) -> None:
        self._retries += 1

    def _failure(self, what: str, error: KafkaException) -> WeirError:
        cause = error.args[0]
        if cause.name() in {"_FENCED", "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"}:
            return Fenced(
                f"{self._where}: {what}: {cause.str()}. Another worker owns the shard now, or the "
                "broker forgot this one after a crash; this worker ends and rejoins when restarted"
            )
        if cause.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
            return ConfigError(
                f"{self._where}: stream.transaction_timeout_s is {self._timeout_s}, more than the "
                "transaction.max.timeout.ms of the brokers allows; lower it"
            )
        if cause.code() in TOPIC_REFUSED:
            topics = ", ".join([*self._topics.values(), self._changelog_topic])
            return CommitFailed(
                f"{self._where}: {what}: {cause.str()} ({cause.name()}). See whether one of the "
                f"topics {topics} was deleted or may not be written any more, and bring back the "
                "topic or the right. The transaction is not committed; restarted, the worker makes "
                "missing topics and goes on from its last commit"
            )
        return CommitFailed(
            f"{self._where}: {what}: {cause.str()} ({cause.name()}). The transaction is not "
            "committed; the worker ends, and the shard goes on from its last commit when it is "
            "restarted"
        )

    def close(self) -> None:
        """Release the connection; an open transaction is left to the next owner's fencing."""
        self._group.close()
        self._producer.purge()
        self._producer.flush(0)
        del self._producer
