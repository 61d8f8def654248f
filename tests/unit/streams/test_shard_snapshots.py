"""A shard takes snapshots while it goes on, marks them, and goes on after a restart."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from state.audit.leaf import RECORD_DTYPE, SNAPSHOT, STEPS
from state.objects import ObjectStore
from state.snapshots.reading import list_snapshots, load_snapshot
from streams.settings import SnapshotSettings
from streams.shard import restore
from streams.shard.shard import Shard, ShardState
from streams.shard.snapshots import ShardSnapshots
from streams.warmup import warm_up
from tests.unit.streams.test_shard_life import CONFIG, PATIENCE_S, Lab, settle, standing, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SlowStore(ObjectStore):
    """A folder whose writes wait until they may go on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.may = threading.Event()
        self.may.set()
        self.broken = False

    def put(self, name: str, data: bytes, *_: Any) -> None:
        """Wait, then write."""
        assert self.may.wait(PATIENCE_S)
        if self.broken:
            from schemas.errors import StateError  # noqa: PLC0415 - raised here only

            raise StateError("no space left")
        super().put(name, data)


class Scene:
    """A lab whose shard takes snapshots."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder)
        self.store = SlowStore(str(folder / "objects"))
        self.thread = ThreadPoolExecutor(1)
        self.told: list[bool] = []
        self.audit: list[bytes] = []
        commit = self.lab.kafka.commit

        def watched(unit: Any) -> int:
            self.audit += [message["value"] for message in unit.outputs.get("audit", ())]
            return commit(unit)

        self.lab.kafka.commit = watched  # type: ignore[method-assign]

    def snapshot(self, shard: int, *, taken: bool) -> None:
        """Take notice."""
        assert shard == 0
        self.told.append(taken)

    def opened(self, table: str = "table", every: int | None = None, keep: int = 3) -> Shard:
        """Return an open shard."""
        settings = SnapshotSettings(url=self.store.url, every_events=every, keep=keep)
        snapshots = ShardSnapshots(0, self.store, settings, self.thread, self)
        shard = self.lab.shard(table, snapshots)
        shard.open()
        return shard

    async def until_told(self, count: int) -> None:
        """Wait for so many snapshots."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < count:  # noqa: ASYNC110 - a list has no such event
                await asyncio.sleep(0.01)

    def kinds(self) -> list[float]:
        """Return the formats of the audit records, in order."""
        leaves = np.frombuffer(b"".join(self.audit), RECORD_DTYPE)["leaf"]
        return [float(kind) for kind in leaves["format"]]

    async def until_marked(self, shard: Shard, count: int) -> None:
        """Wait for so many marks, and until the shard rests."""
        async with asyncio.timeout(PATIENCE_S):
            while self.kinds().count(SNAPSHOT) < count:
                assert not self.lab.failures, self.lab.failures
                await asyncio.sleep(0.01)
        await settle(shard)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up(CONFIG)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An empty Kafka, an empty table and an empty store."""
    made = Scene(tmp_path)
    yield made
    made.store.may.set()
    made.lab.executor.shutdown()
    made.thread.shutdown()


async def test_a_shard_goes_on_while_its_snapshot_is_written(scene: Scene) -> None:
    """The snapshot is of the unit at which it was asked for, whatever comes meanwhile."""
    lab = scene.lab
    shard = scene.opened()
    lab.kafka.send(20)
    await take(shard, lab.kafka.fetch(0))
    expected = standing(shard)
    scene.store.may.clear()
    shard.request_snapshot()
    await settle(shard)
    lab.kafka.send(20)
    await take(shard, lab.kafka.fetch(20))
    assert shard.next_offset == 40  # nobody waited for the store
    assert list_snapshots(scene.store, "test", 0) == []
    scene.store.may.set()
    await scene.until_marked(shard, 1)
    [found] = list_snapshots(scene.store, "test", 0)
    _, records = load_snapshot(scene.store, found)
    again = lab.shard("another")
    restore.load_records(again.engine, records, "snapshot")
    assert standing(again) == expected
    assert lab.failures == []


async def test_the_manifest_is_marked_in_the_chain_and_the_restart_knows(scene: Scene) -> None:
    """A mark is a leaf between steps; a shard that restarts after it has the same chain."""
    lab = scene.lab
    shard = scene.opened()
    lab.kafka.send(13)
    await take(shard, lab.kafka.fetch(0))
    shard.request_snapshot()
    await scene.until_marked(shard, 1)
    lab.kafka.send(4)
    await take(shard, lab.kafka.fetch(13))
    kinds = scene.kinds()
    assert kinds == [*[STEPS[0]] * 13, SNAPSHOT, *[STEPS[0]] * 4]
    [found] = list_snapshots(scene.store, "test", 0)
    leaves = np.frombuffer(b"".join(scene.audit), RECORD_DTYPE)["leaf"]
    assert leaves["event_digest"][13].tobytes() == found.digest
    assert leaves["step"].tolist() == [*range(1, 14), 13, *range(14, 18)]
    expected = standing(shard)
    shard.close()
    again = lab.opened("elsewhere")
    assert standing(again) == expected
    assert again.engine.about(0).snapshots == 1


async def test_snapshots_come_by_events_and_old_ones_go(scene: Scene) -> None:
    """A shard takes one each so many events, and keeps as many as the settings say."""
    lab = scene.lab
    shard = scene.opened(every=10, keep=2)
    for round_ in range(4):
        start = lab.kafka.end
        lab.kafka.send(10)
        await take(shard, lab.kafka.fetch(start))
        await scene.until_marked(shard, round_ + 1)
    await scene.until_told(4)
    async with asyncio.timeout(PATIENCE_S):
        while len(found := list_snapshots(scene.store, "test", 0)) > 2:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    assert [one.id.source_offset for one in found] == [30, 40]


async def test_a_store_that_fails_stops_no_shard(scene: Scene) -> None:
    """It is counted, nothing is marked, and the next snapshot is taken when the store is back."""
    lab = scene.lab
    shard = scene.opened(every=10)
    scene.store.broken = True
    lab.kafka.send(20)
    await take(shard, lab.kafka.fetch(0))
    await scene.until_told(1)
    assert scene.told[0] is False
    assert shard.state is ShardState.READY
    assert SNAPSHOT not in scene.kinds()
    scene.store.broken = False
    lab.kafka.send(20)
    await take(shard, lab.kafka.fetch(20))
    await scene.until_marked(shard, 1)
    assert lab.failures == []


async def test_a_shard_that_closes_gives_its_snapshot_up(scene: Scene) -> None:
    """A shard that moves does not wait for the store, and the table is free for the next owner."""
    lab = scene.lab
    shard = scene.opened()
    lab.kafka.send(6)
    await take(shard, lab.kafka.fetch(0))
    scene.store.may.clear()
    shard.request_snapshot()
    await settle(shard)
    await shard.pause()
    closing = asyncio.get_running_loop().run_in_executor(None, shard.close)
    await asyncio.sleep(0)
    scene.store.may.set()
    await closing
    assert list_snapshots(scene.store, "test", 0) == []
    assert lab.opened().next_offset == 6


async def test_a_request_before_the_first_event_is_kept(scene: Scene) -> None:
    """There is nothing to snapshot yet: the first events bring it."""
    lab = scene.lab
    shard = scene.opened()
    shard.request_snapshot()
    await settle(shard)
    assert scene.told == []
    lab.kafka.send(6)
    await take(shard, lab.kafka.fetch(0))
    await scene.until_marked(shard, 1)
