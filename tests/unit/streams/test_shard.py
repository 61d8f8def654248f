"""A shard's queue never leads the learner past an event, whatever comes between two units."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from streams.kafka.fetch import FetchedBatch
from streams.kafka.reader import Record
from streams.settings import StreamSettings
from streams.shard.shard import Shard, ShardState
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 20


class _Engine:
    """Takes down which offsets it was given; as the real one, it moves on before the commit."""

    shard = label = 0

    def __init__(self) -> None:
        self.next_offset: int | None = 0
        self.unsettled = False
        self.seen: list[int] = []

    def process(self, records: list[Any]) -> UnitOfWork:
        self.seen += [record.offset for record in records]
        self.next_offset = records[-1].offset + 1
        return UnitOfWork(next_offset=self.next_offset, records=len(records))

    def add_checkpoint(self, unit: UnitOfWork) -> None:
        unit.is_checkpoint = True


class _Producer:
    """Commits when it is let."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def fence(self) -> None:
        pass

    def commit(self, unit: UnitOfWork) -> int:
        self.entered.release()
        assert self.let.acquire(timeout=PATIENCE_S)
        return unit.next_offset


class _Store:
    changelog_offset = 0

    def write(self, state: Any, *, changelog_offset: int) -> None:
        pass


class _Observer:
    def committed(self, *_: Any) -> None:
        pass


class Scene:
    """A shard with its surroundings under control."""

    def __init__(self) -> None:
        self.engine = _Engine()
        self.producer = _Producer()
        self.failures: list[BaseException] = []
        self.executor = ThreadPoolExecutor(2)
        surroundings: Any = (self.engine, _Store(), self.producer, object())
        observer: Any = _Observer()
        self.shard = Shard(
            *surroundings,
            source_topic="events",
            changelog_topic="changelog",
            settings=StreamSettings(max_unit_events=5, gather_ms=0),
            executor=self.executor,
            observer=observer,
            failed=self.failures.append,
        )
        # As ``open`` leaves it, without a broker to restore from.
        self.shard._expected = self.shard._reached = 0  # noqa: SLF001 - see above
        self.shard.state = ShardState.READY

    async def in_commit(self) -> None:
        """Wait until a unit is in its commit."""
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, self.producer.entered.acquire, True, PATIENCE_S)

    async def idle(self) -> None:
        """Let everything commit until nothing is left to do."""
        for _ in range(100):
            self.producer.let.release()
        async with asyncio.timeout(PATIENCE_S):
            while self.shard.state is ShardState.RUNNING:  # noqa: ASYNC110 - the shard has no such event
                await asyncio.sleep(0)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A shard that is ready at offset 0."""
    made = Scene()
    yield made
    made.executor.shutdown()


def batch(start: int, stop: int) -> FetchedBatch:
    """Return what a fetch from ``start`` gives."""
    return FetchedBatch(start, [Record(n, 0, b"k", b"v") for n in range(start, stop)])


async def test_a_batch_that_comes_while_the_shard_is_paused_leaves_no_hole(scene: Scene) -> None:
    """Events dropped from the queue are fetched again before anything behind them is learnt."""
    await scene.shard.offer(batch(0, 20))
    await scene.in_commit()
    pausing = asyncio.create_task(scene.shard.pause())
    await asyncio.sleep(0)
    await scene.shard.offer(batch(20, 30))
    scene.producer.let.release()
    await pausing
    assert scene.engine.seen == list(range(5))
    assert scene.shard.next_offset == 5
    scene.shard.resume()
    await scene.shard.offer(batch(20, 30))
    await scene.shard.offer(batch(5, 30))
    await scene.idle()
    assert scene.engine.seen == list(range(30))
    assert scene.failures == []


async def test_batches_are_taken_in_units_and_repeated_events_once(scene: Scene) -> None:
    """A fetch that overlaps what is queued adds only what is new."""
    await scene.shard.offer(batch(0, 7))
    await scene.shard.offer(batch(3, 12))
    await scene.shard.offer(batch(0, 6))
    await scene.idle()
    assert scene.engine.seen == list(range(12))
    assert scene.shard.state is ShardState.READY


async def test_a_full_queue_makes_the_fetcher_wait(scene: Scene) -> None:
    """Memory is bounded: an offer returns when there is room again."""
    settings = StreamSettings(max_unit_events=5, gather_ms=0, max_buffered_events=10)
    scene.shard._settings = settings  # noqa: SLF001 - a smaller bound than the scene's
    offering = asyncio.create_task(scene.shard.offer(batch(0, 20)))
    await scene.in_commit()
    assert not offering.done()
    await scene.idle()
    await offering
    assert scene.engine.seen == list(range(20))


async def test_a_unit_that_fails_ends_the_shard(scene: Scene) -> None:
    """Memory is ahead of the log then: nothing more is taken."""

    def refuse(_: UnitOfWork) -> int:
        raise RuntimeError("aborted")

    scene.producer.commit = refuse  # type: ignore[method-assign, assignment]
    await scene.shard.offer(batch(0, 10))
    async with asyncio.timeout(PATIENCE_S):
        while not scene.failures:  # noqa: ASYNC110 - a list has no such event
            await asyncio.sleep(0)
    assert scene.shard.state is ShardState.FAILED
    await scene.shard.offer(batch(10, 20))
    assert scene.engine.seen == list(range(5))
