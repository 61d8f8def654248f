"""The life of a shard of ``tokens`` on a worker: that of any shard, but for what it goes on from.

Each unit of work writes all that it changed (docs/decisions/0055). So there are no checkpoints
between units, nothing is stepped again after a restart, and a stream is read from the table when
its next piece comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from streams.shard.shard import Shard

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from concurrent.futures import Executor

    from state.store import ShardStore
    from streams.hierarchy.engine import TokenEngine
    from streams.kafka.reader import PartitionReader
    from streams.settings import StreamSettings
    from streams.shard.commit import ShardProducer
    from streams.shard.observer import Observer
    from streams.shard.unit import UnitOfWork


class TokenShard(Shard):
    """One shard of tokens on this worker; see ``Shard`` for the arguments."""

    def __init__(
        self,
        engine: TokenEngine,
        store: ShardStore,
        producer: ShardProducer,
        reader: PartitionReader,
        *,
        source_topic: str,
        changelog_topic: str,
        settings: StreamSettings,
        executor: Executor,
        observer: Observer,
        failed: Any,
    ) -> None:
        self.streams = engine
        super().__init__(
            cast("Any", engine),  # of an engine of cells it has what a shard without snapshots uses
            store,
            producer,
            reader,
            source_topic=source_topic,
            changelog_topic=changelog_topic,
            settings=settings,
            executor=executor,
            observer=observer,
            failed=failed,
        )

    def _load(self) -> int:
        """Go on from the table."""
        self.streams.open(self.store)
        if self.streams.next_offset is None:
            self._check_fresh()
        return 0

    def _unit(self, records: list[Any], loop: AbstractEventLoop) -> UnitOfWork:  # noqa: ARG002 - the base class names it
        """Read, commit, then write the table: it is never ahead of the changelog."""
        unit = self.streams.process(records)
        self._commit(unit)
        self.streams.committed()
        return unit
