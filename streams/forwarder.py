"""Brings records of another topic into a source, each exactly once.

A shard learns from one partition, so that one log orders everything and a replay is exact. What
comes from elsewhere is forwarded into it by whoever owns the shard: a transaction carries some
records and the offset that they reach, of a consumer group of the forwarder's own. Its
transactional id is the partition's, so that a former owner is fenced before the next one reads
where to go on.

    state      event                     next       what happens
    NEW        start                     RUNNING    fences; a thread forwards what comes
    RUNNING    close                     CLOSED     the transaction in flight ends first
    RUNNING    fenced by another owner   CLOSED     the shard has moved: this is how it looks
    RUNNING    any other failure         FAILED     the worker ends; its successor goes on
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from schemas.errors import WeirError
from streams.kafka.reader import PartitionReader
from streams.shard.commit import Fenced, ShardProducer
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.reader import Record
    from streams.settings import Settings
    from streams.shard.unit import Message

    Select = Callable[[list[Record]], list[Message]]

log = structlog.get_logger(__name__)

POLL_S = 0.25
"""How often it is looked for new records: what is forwarded is late by seconds to days anyway."""


class Forwarder:
    """Forwards one partition.

    Args:
        settings: of the worker.
        group: consumer group, and first part of the transactional id.
        source: topic that is read.
        target: topic that is written, partition by partition.
        partition: of both.
        select: returns what is forwarded of some records.
        failed: called with an error that must end the worker.
        from_now: begin, the very first time, with what comes after ``start``; otherwise with the
            oldest record.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        source: str,
        target: str,
        partition: int,
        select: Select,
        failed: Callable[[BaseException], None],
        *,
        from_now: bool = False,
    ) -> None:
        self._from_now = from_now
        self._reached: int | None = None
        self._topic = source
        self._partition = partition
        self._select = select
        self._failed = failed
        self._closing = threading.Event()
        self._reader = PartitionReader(settings.broker, settings.stream.broker_patience_s)
        self._producer = ShardProducer(
            settings.broker,
            group,
            partition,
            source,
            "",
            {"target": target},
            settings.stream.transaction_timeout_s,
            settings.stream.broker_patience_s,
        )
        self._thread = threading.Thread(target=self._run, name=f"{group}-{partition}", daemon=True)

    def start(self) -> None:
        """Begin to forward. Blocks until it is certain from where.

        Raises:
            WeirError: the broker does not tell.
        """
        self._producer.fence()
        self._reached = self._producer.group_offset()
        if self._reached is None and self._from_now:
            _, end = self._reader.bounds(self._topic, self._partition)
            self._reached = end
            self._producer.commit(UnitOfWork(next_offset=end, records=0))
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
            log.info("another worker forwards now", topic=self._topic, partition=self._partition)
        except BaseException as error:  # noqa: BLE001 - whatever it is, records would silently stop
            if not self._closing.is_set() or not isinstance(error, WeirError):
                self._failed(error)

    def _forward(self) -> None:
        while not self._closing.wait(POLL_S):
            low, end = self._reader.bounds(self._topic, self._partition)
            start = low if self._reached is None else max(low, self._reached)
            for batch in self._reader.read(self._topic, self._partition, start, end):
                self._reached = self._send(batch)
                if self._closing.is_set():
                    return

    def _send(self, batch: list[Record]) -> int:
        unit = UnitOfWork(next_offset=batch[-1].offset + 1, records=len(batch))
        unit.outputs["target"] = self._select(batch)
        self._producer.commit(unit)
        return unit.next_offset
