"""A shard's queue never leads the learner past an event, whatever comes between two units."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from streams.settings import StreamSettings
from streams.shard.shard import ShardState
from tests.unit.streams.shard_scene import PATIENCE_S, ShardScene, batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.shard.unit import UnitOfWork


class Scene(ShardScene):
    """A shard with its surroundings under control."""

    def __init__(self) -> None:
        super().__init__(StreamSettings(max_unit_events=5, gather_ms=0))

    async def idle(self) -> None:
        """Let everything commit until nothing is left to do."""
        for _ in range(100):
            self.producer.let.release()
        await self.at_rest()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A shard that is ready at offset 0."""
    made = Scene()
    yield made
    made.executor.shutdown()


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
