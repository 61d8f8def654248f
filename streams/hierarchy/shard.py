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

    from streams.hierarchy.engine import TokenEngine
    from streams.shard.unit import UnitOfWork


class TokenShard(Shard):
    """One shard of tokens on this worker; see ``Shard``. Its engine is a ``TokenEngine``."""

    @property
    def streams(self) -> TokenEngine:
        """What reads the streams: the shard's engine."""
        return cast("TokenEngine", self._engine)

    def _load(self) -> int:
        """Go on from the table: nothing is stepped, and chains stand where they were committed."""
        stepped = super()._load()
        self.streams.open(self.store)
        return stepped

    def _unit(self, records: list[Any], loop: AbstractEventLoop) -> UnitOfWork:  # noqa: ARG002 - the base class names it
        """Read, commit, then write the table: it is never ahead of the changelog."""
        unit = self.streams.process(records)
        self._commit(unit)
        self.streams.committed()
        return unit
