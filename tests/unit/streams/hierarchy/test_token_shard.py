"""A shard of tokens gathers as long as the pace says, and lets Kafka keep what is too much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from operators.hierarchy.pace import Pace, PaceConfig, Step
from streams.hierarchy.observer import StreamObserver
from streams.hierarchy.pacing import Pacing
from streams.hierarchy.shard import TokenShard
from streams.settings import StreamSettings
from tests.unit.streams.shard_scene import PATIENCE_S, ShardScene, batch

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = 5
CONFIG = PaceConfig(gather_ms=2, gather_longer_ms=40, pause_at=20, resume_at=10)


class Told(StreamObserver):
    """Remembers pauses."""

    def __init__(self) -> None:
        self.pauses: list[tuple[int, bool]] = []

    def paused(self, partition: int, *, paused: bool) -> None:
        """Remember one."""
        self.pauses.append((partition, paused))


class Scene(ShardScene):
    """A shard of tokens with its surroundings under control."""

    shard: TokenShard

    def __init__(self, most: int = 1_000) -> None:
        self.told, self.pacing = Told(), Pacing(CONFIG)
        settings = StreamSettings(max_unit_events=UNIT, gather_ms=10_000, max_buffered_events=most)
        super().__init__(settings, TokenShard, pacing=self.pacing, told=self.told)

    async def commit(self) -> None:
        """Wait until a unit is in its commit, and let it commit."""
        await self.in_commit()
        self.producer.let.release()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A shard that is ready at offset 0."""
    made = Scene()
    yield made
    made.executor.shutdown()


async def test_partition_is_paused_at_one_mark_and_resumed_at_the_other(scene: Scene) -> None:
    """The fetcher waits meanwhile; it is told once each, and nothing is lost."""
    scene.producer.let.release()
    await scene.shard.offer(batch(0, 19))
    assert scene.told.pauses == []
    offered = asyncio.create_task(scene.shard.offer(batch(19, 30)))
    await scene.in_commit()  # the first unit; the queue still is at 14 and 11 come
    await scene.in_commit()  # the second
    assert scene.told.pauses == [(0, True)]
    assert scene.shard.queued == 20
    assert scene.shard.waiting == 25
    scene.producer.let.release()
    await scene.in_commit()
    assert scene.shard.queued == 15
    assert not offered.done()
    assert scene.told.pauses == [(0, True)]
    scene.producer.let.release()
    await scene.in_commit()
    assert scene.shard.queued == 10
    await offered
    assert scene.told.pauses == [(0, True), (0, False)]
    for _ in range(10):
        scene.producer.let.release()
    await scene.at_rest()
    assert scene.engine.seen == list(range(30))
    assert scene.shard.waiting == 0
    assert scene.failures == []


async def test_partition_that_goes_to_another_worker_does_not_wait_here(scene: Scene) -> None:
    """Who counts paused partitions counts right, and the fetcher is let go of."""
    offered = asyncio.create_task(scene.shard.offer(batch(0, 40)))
    await scene.in_commit()
    assert scene.told.pauses == [(0, True)]
    pausing = asyncio.create_task(scene.shard.pause())
    scene.producer.let.release()
    await pausing
    await asyncio.wait_for(offered, PATIENCE_S)
    assert scene.told.pauses == [(0, True), (0, False)]
    assert scene.shard.waiting == 0


async def test_failed_shard_is_let_go_of_too(scene: Scene) -> None:
    """The worker ends, and says until then what is so."""
    scene.producer.fails = True
    offered = asyncio.create_task(scene.shard.offer(batch(0, 40)))
    await scene.in_commit()
    scene.producer.let.release()
    await asyncio.wait_for(offered, PATIENCE_S)
    assert [str(error) for error in scene.failures] == ["the broker has gone"]
    assert scene.shard.waiting == scene.shard.queued
    await scene.shard.pause()
    assert scene.told.pauses == [(0, True), (0, False)]


async def test_bound_of_any_shard_holds_too() -> None:
    """A smaller ``max_buffered_events`` is kept to, and is no pause of the pace."""
    scene = Scene(most=8)
    offered = asyncio.create_task(scene.shard.offer(batch(0, 13)))
    await scene.in_commit()
    assert scene.shard.queued == 8
    assert not offered.done()
    scene.producer.let.release()
    await scene.in_commit()
    await asyncio.wait_for(offered, PATIENCE_S)
    assert scene.told.pauses == []
    for _ in range(5):
        scene.producer.let.release()
    await scene.at_rest()
    scene.executor.shutdown()


@pytest.mark.parametrize("step", [Step.NORMAL, Step.LARGER_CHUNKS, Step.NO_TOPICS])
async def test_pieces_are_gathered_as_long_as_the_step_says(
    scene: Scene, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ``stream.gather_ms``, and not where a whole unit waits already."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def sleeps(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("streams.shard.shard.asyncio.sleep", sleeps)
    # The shard's clock stands still, so that all of the time is left.
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    scene.pacing.pace = Pace(step)
    for _ in range(2):
        scene.producer.let.release()
    await scene.shard.offer(batch(0, UNIT * 2))
    assert scene.shard._task is not None  # noqa: SLF001 - what it does is waited for
    await scene.shard._task  # noqa: SLF001 - as above
    wanted = CONFIG.gather_ms if step is Step.NORMAL else CONFIG.gather_longer_ms
    assert slept == [pytest.approx(wanted / 1e3)]
    assert scene.engine.seen == list(range(UNIT * 2))
