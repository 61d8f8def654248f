"""Faust's Kafka transport, made to hand on each fetch whole and to commit nothing.

Faust delivers one event per message, which costs some 60 µs each. Here one Faust event carries all
records of one (partition, fetch), so that the cost of the framework is paid per fetch. Three more
things differ:

- records are read with ``read_committed`` although Faust's own transactions are off;
- Faust commits nothing: source offsets travel in the transactions of the units of work, and a
  second committer causes IllegalGeneration rejoins;
- seeking goes to the offset that a shard's state has reached, because the offset lives in the
  state. Each batch says from which position it was fetched, so that a shard can tell a batch that
  belongs to an older position (before a rebalance, say) from one that continues where it stands.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import faust
from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.kafka.group import GroupThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FETCH_MIN_BYTES = 256 * 1024
"""A fetch costs some 0.3 ms of processor time however few records it brings: with as many as the
broker had, one that watches a quiet topic spends more on fetching than on events."""


UNREADY_S = 0.05
"""How long a fetch waits where no partition has a position yet."""


class SourceRecord(Protocol):
    """What a record of a source topic must offer; aiokafka's ConsumerRecord does."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Kafka timestamp in milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """Key as it was sent."""

    @property
    def value(self) -> bytes | None:
        """Value as it was sent."""


@dataclass(frozen=True, slots=True)
class FetchedBatch:
    """The records of one fetch of one partition.

    Attributes:
        position: offset from which the fetch went on; None: from the start of the log.
        records: at least one, in the order of the log.
    """

    position: int | None
    records: list[Any]


class FetchThread(GroupThread):
    """Creates the aiokafka consumer so that the broker gathers records before it answers."""

    app: BatchApp

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka reads these when it starts; Faust offers no setting for them.
        consumer._fetch_min_bytes = FETCH_MIN_BYTES  # noqa: SLF001 - the same
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # noqa: SLF001 - the same
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the base class names it
        max_records: int | None = None,
    ) -> Any:
        """Fetch from the partitions that can be fetched from, whatever happens meanwhile.

        Faust gives its own set, and changes it while aiokafka waits for records. When it becomes
        empty, aiokafka looks at all partitions instead, the changelog's too, and fails with an
        AssertionError at one that has no position yet.
        """
        assignment = getattr(consumer._subscription.subscription, "assignment", None)  # noqa: SLF001 - there is no public way to it
        ready = {
            tp
            for tp in active_partitions
            if assignment is not None
            and (state := assignment.state_value(tp)) is not None
            and state.has_valid_position
        }
        if not ready:
            await asyncio.sleep(UNREADY_S)
            return {}
        return await super()._fetch_records(consumer, ready, timeout, max_records)


class BatchConsumer(driver.Consumer):
    """Yields one message per (partition, fetch) for the topics in ``app.batch_topics``."""

    app: BatchApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positions: dict[TP, int] = {}

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Fetch once and yield a message per partition, or per record for other topics."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            # A partition that is taken away meanwhile needs no position; after the rebalance all
            # are sought again.
            with suppress(IllegalStateError):
                await self.perform_seek()
            return
        for raw_tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            tp = TP(raw_tp.topic, raw_tp.partition)
            if not fetched:
                continue
            if not (active is None or tp in active or tp in self._buffered_partitions):
                # The client has moved past these records: go back, or they would be lost.
                await self._seek(tp, fetched[0].offset)
                continue
            if tp.topic in self.app.batch_topics:
                yield tp, self._batch_message(tp, fetched, generation)
            else:
                for record in fetched:
                    yield tp, self._to_message(tp, record)

    def _batch_message(self, tp: TP, fetched: list[Any], generation: int) -> ConsumerMessage:
        last = fetched[-1]
        batch = FetchedBatch(self._positions.get(tp), fetched)
        self._positions[tp] = last.offset + 1
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            cast("Any", batch),  # Faust's raw codec hands on whatever the value is
            None,
            0,
            0,
            tp,
            generation_id=generation,
        )

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, and batch topics to where their shards' state stands."""
        await super().perform_seek()
        self._positions.clear()
        for tp in self.assignment():
            if tp.topic not in self.app.batch_topics:
                continue
            offset = self.app.state_offset(tp.topic, tp.partition)
            if offset is not None:
                self._positions[TP(tp.topic, tp.partition)] = offset
                await self._seek(tp, offset)
                self._read_offset[TP(tp.topic, tp.partition)] = offset or None

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Commit nothing: the units of work do."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Note no gap: nothing here commits by acknowledged offsets.

        To Faust every batch of more than one record leaves a gap. It would keep them all, and sort
        them all at each fetch.
        """

    def ack(self, message: Any) -> bool:
        """Forget the message; its offset is committed by a unit of work."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True


class BatchTransport(driver.Transport):
    """The aiokafka transport with the consumer above."""

    Consumer = BatchConsumer


class NoRecovery(Recovery):
    """Faust's table recovery, with nothing to recover.

    Active partitions are restored before Faust looks at them (shards are ready once assigned).
    Faust would wait for records up to the changelog's end, which is a transaction marker that
    never arrives. Standbys are kept by ``streams.standby``, which says why.
    """

    def add_standby(self, table: Any, tp: TP) -> None:
        """Leave it to others."""

    def need_recovery(self) -> bool:
        """Tell that no active partition waits for Faust."""
        return False


class ShardTableManager(TableManager):
    """Faust's table manager with the recovery above."""

    @property
    def recovery(self) -> Recovery:
        """Recovery service used by this table manager."""
        if self._recovery is None:
            self._recovery = NoRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class BatchApp(faust.App):
    """A Faust application whose ``batch_topics`` arrive fetch by fetch.

    Args:
        state_offset: gives the offset of a topic's partition that the state of its shard has
            reached, None where none is known.
        batch_topics: topics to be handed on whole.
        fetch_wait_ms: how long the broker may wait for ``FETCH_MIN_BYTES`` before it answers.
        failed: called with an error that must end the worker, from any thread.
    """

    def __init__(
        self,
        *args: Any,
        state_offset: Callable[[str, int], int | None],
        batch_topics: frozenset[str],
        fetch_wait_ms: int,
        failed: Callable[[BaseException], None],
        **kwargs: Any,
    ) -> None:
        self.state_offset = state_offset
        self.batch_topics = batch_topics
        self.fetch_wait_ms = fetch_wait_ms
        self.failed = failed
        super().__init__(*args, **kwargs)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)
