"""Standby tables: copies of other workers' shards, kept warm from their changelogs.

Faust's assignor says which partitions a worker is the standby of. What Faust would do with them is
not used: it takes the records one by one on the event loop that the worker's own shards are fetched
by, holds back up to a thousand, and forgets those in its queue when a rebalance ends. Here one
thread reads committed records in batches and writes each batch with the offset that it reaches. So
a standby is a prefix of the committed changelog at any moment, and the worker that takes the shard
over restores from there as from a table of its own.

A standby that cannot be followed any further is logged and shown (its lag becomes infinite), and
does not end the worker: its own shards are well, and a shard without a standby is restored all the
same.
"""

from __future__ import annotations

import math
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import StateError, WeirError
from streams.kafka.clients import client_config
from streams.kafka.errors import is_passing, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka import Message

    from state.store import ShardStore
    from streams.settings import BrokerSettings

log = structlog.get_logger(__name__)

POLL_S = 0.1
"""Most that a rebalance waits for the thread, beside the batch in hand."""

BATCH = 2_000
"""Records of a batch. The interpreter belongs to the thread while it writes one: some 5 ms."""

LOST = math.inf
"""Lag of a standby that is no longer kept."""

Order = tuple["Mapping[int, ShardStore] | None", "Future[None]"]


class StandbyObserver(Protocol):
    """Who is told how far standbys are behind."""

    def standby(self, shard: int | str, lag: float | None) -> None:
        """A standby has so many records to go; None: it is not this worker's any more."""


class Standbys(threading.Thread):
    """Follows the changelog of each standby of this worker.

    Args:
        broker: where and how to connect.
        topic: the changelog.
        observer: told of lags.
        failed: called with an error that nobody foresaw; it must end the process.
        prefix: put before the numbers of shards where the observer is told of them.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        topic: str,
        observer: StandbyObserver,
        failed: Callable[[BaseException], None],
        prefix: str = "",
    ) -> None:
        super().__init__(name=f"{prefix}standbys", daemon=True)
        self._prefix = prefix
        self._topic = topic
        self._observer = observer
        self._failed = failed
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._stores: dict[int, ShardStore] = {}
        # Offset that follows the last record in each table.
        self._next: dict[int, int] = {}
        self._consumer = Consumer(
            client_config(
                broker,
                group_id="weir-standby",  # required by the client, never joined nor committed to
                isolation_level="read_committed",
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
                # Nobody waits for a standby: let the broker gather.
                fetch_min_bytes=256 * 1024,
                fetch_wait_max_ms=500,
                queued_max_messages_kbytes=8_192,
            )
        )

    def follow(self, stores: Mapping[int, ShardStore]) -> None:
        """Follow these partitions from now on, and no others. Blocks for a moment.

        When it returns, the tables of those that were left out are no longer touched.

        Args:
            stores: partition → table, which nobody else writes.
        """
        self._order(dict(stores))

    def close(self) -> None:
        """Follow nothing any more, and end. Blocks for a moment."""
        self._order(None)
        self.join()

    def _order(self, stores: Mapping[int, ShardStore] | None) -> None:
        taken: Future[None] = Future()
        self._orders.put((stores, taken))
        taken.result()

    def run(self) -> None:
        """Follow until closed."""
        try:
            while self._obey():
                self._take(self._consumer.consume(BATCH, POLL_S))
        except BaseException as error:  # noqa: BLE001 - whatever it is, standbys are no longer kept
            self._failed(error)
        finally:
            self._consumer.close()

    def _obey(self) -> bool:
        """Carry out what was ordered meanwhile; without standbys, wait for an order."""
        while not (self._orders.empty() and self._stores):
            stores, taken = self._orders.get()
            self._switch(stores or {})
            taken.set_result(None)
            if stores is None:
                return False
        return True

    def _switch(self, stores: Mapping[int, ShardStore]) -> None:
        for shard in self._stores.keys() - stores.keys():
            self._observer.standby(self._label(shard), None)
        self._stores = dict(stores)
        self._next = {}
        for shard, store in stores.items():
            reached = store.changelog_offset
            self._next[shard] = 0 if reached is None else reached + 1
        self._consumer.assign(
            [TopicPartition(self._topic, shard, at) for shard, at in self._next.items()]
        )

    def _take(self, messages: list[Message]) -> None:
        """Write what was read, one batch a table."""
        batches: dict[int, list[Message]] = {}
        for message in messages:
            shard, error = message.partition(), message.error()
            assert shard is not None
            if error is None:
                batches.setdefault(shard, []).append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
                self._apply(shard, batches.pop(shard, []))
                self._tell(shard, 0)
            elif not is_passing(error):
                failure = KafkaException(error)
                self._lose(shard, translated(failure, f"{self._topic}[{shard}]"))
        for shard, batch in batches.items():
            self._apply(shard, batch)
            self._tell(shard, self._remaining(shard))

    def _apply(self, shard: int, batch: list[Message]) -> None:
        if shard not in self._stores or not batch:
            return
        first, last = batch[0].offset(), batch[-1].offset()
        assert first is not None
        assert last is not None
        if first < self._next[shard]:
            self._lose(
                shard,
                StateError(
                    f"{self._topic}[{shard}] begins anew at offset {first}, but the standby has "
                    f"state up to {self._next[shard] - 1}: the changelog was deleted and made anew"
                ),
            )
            return
        writes = {key: message.value() for message in batch if (key := message.key()) is not None}
        try:
            self._stores[shard].write(writes, changelog_offset=last)
        except StateError as error:
            self._lose(shard, error)
        else:
            self._next[shard] = last + 1

    def _remaining(self, shard: int) -> int:
        """Return how many offsets lie between the table and the changelog's end, as last told."""
        where = TopicPartition(self._topic, shard)
        _, end = self._consumer.get_watermark_offsets(where, cached=True)
        return max(0, end - self._next[shard]) if shard in self._next else 0

    def _tell(self, shard: int, lag: float) -> None:
        if shard in self._stores:
            self._observer.standby(self._label(shard), lag)

    def _label(self, shard: int) -> int | str:
        return f"{self._prefix}{shard}" if self._prefix else shard

    def _lose(self, shard: int, reason: WeirError) -> None:
        """Give a standby up: it stays where it is until the next rebalance."""
        if self._stores.pop(shard, None) is None:
            return
        log.error("a standby is no longer kept", shard=shard, reason=str(reason))
        self._observer.standby(self._label(shard), LOST)
        self._consumer.incremental_unassign([TopicPartition(self._topic, shard)])
