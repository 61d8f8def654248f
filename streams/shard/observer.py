"""Who is told what a shard does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streams.shard.shard import Shard
    from streams.shard.unit import UnitOfWork


class Observer(Protocol):
    """Who is told what a shard does; metrics implement it."""

    def restoring(self, shard: int | str, share: float) -> None:
        """A share of the changelog has been applied."""

    def restored(self, shard: Shard, records: int, stepped: int, seconds: float) -> None:
        """The shard is ready."""

    def closed(self, shard: Shard) -> None:
        """The shard has been given up."""

    def committed(self, shard: Shard, unit: UnitOfWork, oldest_timestamp_ms: int) -> None:
        """A unit of work has committed."""
