"""The shards of this worker: opened, paused and closed as partitions come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from schemas.errors import Bug
from state.store import ShardStore
from streams.shard.shard import Abandoned, Shard

if TYPE_CHECKING:
    from pathlib import Path

    from streams.kafka.fetch import FetchedBatch
    from streams.standby import Standbys

log = structlog.get_logger(__name__)

ShardFactory = Callable[[int, ShardStore, ThreadPoolExecutor], Shard]


class Shards:
    """Shards and standby tables by partition number.

    Args:
        folder: where the tables live, one sub-folder a shard.
        make: builds a shard around its table, not yet open.
        failed: called with an error that must end the worker; a public attribute too.
        threads: units of different shards that may run at once.
        standbys: keeps the standby tables; None: nobody does.
    """

    def __init__(
        self,
        folder: Path,
        make: ShardFactory,
        failed: Callable[[BaseException], None],
        threads: int,
        standbys: Standbys | None = None,
    ) -> None:
        self._folder = folder
        self._make = make
        self.failed = failed
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="shard")
        self._shards: dict[int, Shard] = {}
        self._opening: set[Shard] = set()
        self._changing = asyncio.Lock()
        self._closing = False
        self._stores: dict[int, ShardStore] = {}
        self._standbys = standbys
        self.ready = False

    @property
    def active(self) -> list[Shard]:
        """The shards that this worker owns."""
        return list(self._shards.values())

    def get(self, partition: int) -> Shard | None:
        """Return a shard of this worker; None: it is not."""
        return self._shards.get(partition)

    def store(self, partition: int) -> ShardStore:
        """Return the table of a shard or standby, opened if need be.

        Raises:
            StateError: it cannot be opened.
        """
        store = self._stores.get(partition)
        if store is None:
            store = self._stores[partition] = ShardStore(self._folder / f"shard-{partition:05d}")
        return store

    def next_offset(self, partition: int) -> int | None:
        """Return the source offset that the shard's state has reached."""
        shard = self._shards.get(partition)
        return shard.next_offset if shard is not None else None

    async def offer(self, partition: int, batch: FetchedBatch) -> None:
        """Hand a batch to its shard; a batch of a partition that has gone is dropped."""
        shard = self._shards.get(partition)
        if shard is None:
            return
        try:
            await shard.offer(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the shard cannot go on
            self.failed(error)

    def request_snapshots(self) -> None:
        """Take a snapshot of every shard; on the event loop."""
        for shard in self._shards.values():
            shard.request_snapshot()

    def wake(self) -> None:
        """Let shards that have something to settle do it; on the event loop."""
        for shard in self._shards.values():
            shard.wake()

    async def pause(self, partitions: set[int]) -> None:
        """Stop the shards of these partitions at their last commit."""
        self.ready = False
        await asyncio.gather(*(self._shards[p].pause() for p in partitions if p in self._shards))

    async def assign(self, active: set[int], standby: set[int]) -> None:
        """Close what has gone, resume what stayed, open what came. A failure ends the worker."""
        async with self._changing:
            if self._closing:
                return
            try:
                await self._change(active, standby)
            except Abandoned as reason:
                log.info("stopped before all shards were open", reason=str(reason))
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker cannot serve its shards
                self.failed(error)

    async def _change(self, active: set[int], standby: set[int]) -> None:
        loop = asyncio.get_running_loop()
        # A table that becomes a shard's must have no second writer.
        await self._follow(standby & (set(self._stores) - set(self._shards)))
        for partition in set(self._shards) - active:
            shard = self._shards.pop(partition)
            self._stores.pop(partition)
            await shard.pause()
            await loop.run_in_executor(self._executor, shard.close)
        for partition in set(self._stores) - active - standby:
            await loop.run_in_executor(self._executor, self._stores.pop(partition).close)
        for partition in active & set(self._shards):
            # A generation may pass without a revocation: then nothing was paused yet.
            await self._shards[partition].pause()
            self._shards[partition].resume()
        opening = sorted(active - set(self._shards))
        opened = await asyncio.gather(
            *(loop.run_in_executor(self._executor, self._open, p) for p in opening),
            return_exceptions=True,
        )
        for error in opened:
            if error is not None:
                raise error
        self.ready = True
        await self._follow(standby)

    async def _follow(self, partitions: set[int]) -> None:
        """Keep the tables of these partitions as standbys, and no others."""
        if self._standbys is None:
            return
        follow = self._standbys.follow

        def open_and_follow() -> None:
            follow({partition: self.store(partition) for partition in partitions})

        await asyncio.get_running_loop().run_in_executor(self._executor, open_and_follow)

    def _open(self, partition: int) -> None:
        shard = self._make(partition, self.store(partition), self._executor)
        self._opening.add(shard)
        try:
            if self._closing:
                shard.abandon()
            shard.open()
        finally:
            self._opening.discard(shard)
        if partition in self._shards:
            raise Bug(f"shard {partition} was opened twice")
        self._shards[partition] = shard

    async def close(self) -> None:
        """Finish the units in flight and close everything; what is being restored is given up."""
        self._closing = True
        for shard in list(self._opening):
            shard.abandon()
        await self.pause(set(self._shards))
        async with self._changing:
            await self.pause(set(self._shards))
            loop = asyncio.get_running_loop()
            if self._standbys is not None:
                await loop.run_in_executor(self._executor, self._standbys.close)
            shards, self._shards = self._shards, {}
            stores, self._stores = self._stores, {}
            for partition, shard in shards.items():
                stores.pop(partition)
                await loop.run_in_executor(self._executor, shard.leave_checkpoint)
                await loop.run_in_executor(self._executor, shard.close)
            for store in stores.values():
                await loop.run_in_executor(self._executor, store.close)
            self._executor.shutdown(wait=True)
