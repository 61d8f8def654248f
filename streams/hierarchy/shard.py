"""The life of a shard of ``tokens`` on a worker: that of any shard, but for what it goes on from.

Each unit of work writes all that it changed (docs/decisions/0055). So there are no checkpoints
between units, nothing is stepped again after a restart, and a stream is read from the table when
its next piece comes.

How long pieces are gathered, and when no more are read, is for the worker's pace to say
(docs/decisions/0061).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from streams.shard.shard import Shard

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from streams.hierarchy.engine import TokenEngine
    from streams.hierarchy.observer import StreamObserver
    from streams.hierarchy.pacing import Pacing
    from streams.shard.unit import UnitOfWork


class TokenShard(Shard):
    """One shard of tokens on this worker.

    Args:
        engine: a ``TokenEngine``; the other positional ones, too, are those of ``Shard``.
        pacing: of the worker.
        told: of pauses.
        more: the named ones of ``Shard``.
    """

    def __init__(
        self, engine: TokenEngine, *more: Any, pacing: Pacing, told: StreamObserver, **named: Any
    ) -> None:
        super().__init__(engine, *more, **named)
        self._pacing = pacing
        self._told = told
        self._in_hand = 0

    @property
    def streams(self) -> TokenEngine:
        """What reads the streams: the shard's engine."""
        return cast("TokenEngine", self._engine)

    @property
    def waiting(self) -> int:
        """Pieces that are here and have not been committed."""
        return self.queued + self._in_hand

    @property
    def _gather_ms(self) -> float:
        return self._pacing.now.gather_ms

    def _is_full(self) -> bool:
        """Whether the partition is paused, or the queue has as much as any shard's may have."""
        paused = self._pacing.pauses(self.number, self.queued, self._told)
        return paused or super()._is_full()

    async def pause(self) -> None:
        """Drop what is queued; the partition does not wait for room any more."""
        await super().pause()
        self._pacing.forget(self.number, self._told)

    def _load(self) -> int:
        """Go on from the table: nothing is stepped, and chains stand where they were committed."""
        stepped = super()._load()
        self.streams.open(self.store)
        return stepped

    def _unit(self, records: list[Any], loop: AbstractEventLoop) -> UnitOfWork:  # noqa: ARG002 - the base class names it
        """Read, commit, then write the table: it is never ahead of the changelog."""
        self._in_hand = len(records)
        try:
            unit = self.streams.process(records)
            self._commit(unit)
            self.streams.committed()
        finally:
            self._in_hand = 0
        return unit
