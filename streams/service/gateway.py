"""Between the thread of the HTTP server and the event loop of the stream: whose shard is it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from state import cell_keys
from streams.feed import murmur2_partition
from streams.replay.history import decode_epochs
from streams.service.queries import Place
from streams.shard.questions import NotServing

if TYPE_CHECKING:
    from streams.shard.engine import Engine
    from streams.shards import Shards

T = TypeVar("T")

Owners = Callable[[], Mapping[str, Mapping[str, Sequence[int]]]]
"""Gives the URL of each worker → topic → partitions that it owns, as of the last rebalance."""

NO_SERVER = "http://none.invalid"
"""What a worker without HTTP server advertises."""


class Gateway:
    """Takes questions to the shards of this worker, and knows who has the others.

    All methods but ``attach`` and ``detach`` are for the thread of the HTTP server.

    Args:
        shards: of this worker.
        topic: the source.
        partitions: of the source.
    """

    def __init__(self, shards: Shards, topic: str, partitions: int) -> None:
        self.topic = topic
        self._shards = shards
        self._partitions = partitions
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owners: Owners = dict

    def attach(self, loop: asyncio.AbstractEventLoop, owners: Owners) -> None:
        """Begin: the stream runs.

        Args:
            loop: the stream's.
            owners: who has which shard.
        """
        self._owners = owners
        self._loop = loop

    def detach(self) -> None:
        """End: the stream stops."""
        self._loop = None

    @property
    def ready(self) -> bool:
        """Whether all shards of this worker serve."""
        return self._shards.ready

    def partition(self, entity: str) -> int:
        """Return the shard of an id, as every producer chooses it."""
        return murmur2_partition(entity.encode(), self._partitions)

    def owner(self, partition: int) -> str | None:
        """Return the URL of the worker that owns a shard; None: this one does.

        Raises:
            NotServing: nobody does at present.
        """
        if self._shards.get(partition) is not None:
            return None
        if self._shards.ready:
            for url, topics in self._owners().items():
                if partition in topics.get(self.topic, ()) and url != NO_SERVER:
                    return url
        raise NotServing(f"shard {partition} is served by nobody known: ask again")

    async def ask(self, partition: int, question: Callable[[Engine, Place], T]) -> T:
        """Ask a shard of this worker; cancelling this gives the question up.

        Raises:
            NotServing: the shard is being restored or moved.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            raise NotServing("the worker is starting or stopping: ask again")
        asked = asyncio.run_coroutine_threadsafe(self._asked(partition, question), loop)
        return await asyncio.wrap_future(asked)

    async def _asked(self, partition: int, question: Callable[[Engine, Place], T]) -> T:
        shard = self._shards.get(partition)
        if shard is None:
            raise NotServing(f"shard {partition} has just moved: ask again")
        epochs = decode_epochs(shard.store.get(cell_keys.epochs_key()))
        place = Place(self.topic, len(epochs))
        return await shard.ask(lambda engine: question(engine, place))
