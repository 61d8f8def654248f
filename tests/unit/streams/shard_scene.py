"""A shard with its surroundings under control: an engine that takes down, commits that wait."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from streams.kafka.fetch import FetchedBatch
from streams.kafka.reader import Record
from streams.shard.shard import Shard, ShardState
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from streams.settings import StreamSettings

PATIENCE_S = 20


class Engine:
    """Takes down which offsets it was given; as the real one, it moves on before the commit."""

    shard = label = 0
    max_unit_bytes = None

    def __init__(self) -> None:
        self.next_offset: int | None = 0
        self.unsettled = False
        self.seen: list[int] = []

    def process(self, records: list[Any]) -> UnitOfWork:
        """Take down offsets."""
        self.seen += [record.offset for record in records]
        self.next_offset = records[-1].offset + 1
        return UnitOfWork(next_offset=self.next_offset, records=len(records))

    def add_checkpoint(self, unit: UnitOfWork) -> None:
        """Mark the unit."""
        unit.is_checkpoint = True

    def committed(self) -> None:
        """Nothing is told."""


class Producer:
    """Commits when it is let."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.fails = False

    def fence(self) -> None:
        """Nobody else is there."""

    def commit(self, unit: UnitOfWork) -> int:
        """Wait to be let."""
        self.entered.release()
        assert self.let.acquire(timeout=PATIENCE_S)
        if self.fails:
            raise RuntimeError("the broker has gone")
        return unit.next_offset


class _Store:
    changelog_offset = 0

    def write(self, state: Any, *, changelog_offset: int) -> None:
        pass


class _Observer:
    def committed(self, *_: Any) -> None:
        pass


class ShardScene:
    """A shard that is ready at offset 0.

    Args:
        settings: of it.
        kind: of shard.
        more: further arguments of that kind.
    """

    def __init__(self, settings: StreamSettings, kind: type[Shard] = Shard, **more: Any) -> None:
        self.engine, self.producer = Engine(), Producer()
        self.failures: list[BaseException] = []
        self.executor = ThreadPoolExecutor(2)
        surroundings: Any = (self.engine, _Store(), self.producer, object())
        observer: Any = _Observer()
        self.shard = kind(
            *surroundings,
            source_topic="source",
            changelog_topic="changelog",
            settings=settings,
            executor=self.executor,
            observer=observer,
            failed=self.failures.append,
            **more,
        )
        # As ``open`` leaves it, without a broker to restore from.
        self.shard._expected = self.shard._reached = 0  # noqa: SLF001 - see above
        self.shard.state = ShardState.READY

    async def in_commit(self) -> None:
        """Wait until a unit is in its commit."""
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, self.producer.entered.acquire, True, PATIENCE_S)

    async def at_rest(self) -> None:
        """Wait until there is nothing left to do."""
        async with asyncio.timeout(PATIENCE_S):
            while self.shard.state is ShardState.RUNNING:  # noqa: ASYNC110 - the shard has no such event
                await asyncio.sleep(0.001)


def batch(start: int, stop: int) -> FetchedBatch:
    """Return what a fetch from ``start`` gives."""
    return FetchedBatch(start, [Record(n, 0, b"k", b"v") for n in range(start, stop)])
