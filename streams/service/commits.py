"""Waiting for what was sent to be committed, by what the shards of this worker commit.

Whoever sends an event and wants to know what became of it says so before the event is sent, for it
may be committed before the broker's acknowledgement arrives. The audit record of the event is told
by the digest of the event's bytes that it holds.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from state.audit.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.shard.observer import Observer
    from streams.shard.shard import Shard
    from streams.shard.unit import UnitOfWork

# An audit record ends with the event's digest, ``prev`` and ``curr``.
_DIGEST: Final = slice(-3 * HASH_BYTES, -2 * HASH_BYTES)
_CURR: Final = slice(-HASH_BYTES, None)


class Committed(NamedTuple):
    """What a unit of work made of an event.

    Attributes:
        audit: its audit record, as it travels; None: it left none.
        prediction: its prediction, as it travels; None: it was not predicted.
        reason: why it went to quarantine; None: it did not.
    """

    audit: bytes | None = None
    prediction: bytes | None = None
    reason: str | None = None


@dataclass(eq=False)
class Awaited:
    """One event that somebody waits for."""

    digest: bytes
    loop: asyncio.AbstractEventLoop
    outcome: asyncio.Future[Committed]
    offset: int | None = None
    # What committed before the offset was known: where units ended, and what they quarantined.
    reached: int = 0
    refused: dict[int, str] = field(default_factory=dict)

    def settle(self, outcome: Committed) -> None:
        """Tell whoever waits; from any thread."""
        self.loop.call_soon_threadsafe(_set, self.outcome, outcome)

    def look(self) -> None:
        """Settle, if the event's offset is known and has been committed without a record."""
        if self.offset is not None and self.offset < self.reached:
            self.settle(Committed(reason=self.refused.get(self.offset)))


class CommitWatch:
    """An observer of shards that looks for awaited events in what they commit.

    Args:
        observer: is told of everything as before.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._awaited: dict[int, list[Awaited]] = {}

    @contextmanager
    def awaiting(self, shard: int, digest: bytes) -> Iterator[Awaited]:
        """Look for an event from now on; on the event loop of whoever waits.

        Args:
            shard: where it will be stepped.
            digest: SHA-256 of its Avro bytes.
        """
        loop = asyncio.get_running_loop()
        awaited = Awaited(digest, loop, loop.create_future())
        with self._lock:
            self._awaited.setdefault(shard, []).append(awaited)
        try:
            yield awaited
        finally:
            with self._lock:
                self._awaited[shard].remove(awaited)
                if not self._awaited[shard]:
                    del self._awaited[shard]

    def arrived(self, awaited: Awaited, offset: int) -> None:
        """Tell at which offset the event stands."""
        with self._lock:
            awaited.offset = offset
            awaited.look()

    # -- Observer ---------------------------------------------------------------------------------

    def restoring(self, shard: int | str, share: float) -> None:
        """A share of the changelog has been applied."""
        self._observer.restoring(shard, share)

    def restored(self, shard: Shard, records: int, stepped: int, seconds: float) -> None:
        """The shard is ready."""
        self._observer.restored(shard, records, stepped, seconds)

    def closed(self, shard: Shard) -> None:
        """The shard has been given up."""
        self._observer.closed(shard)

    def committed(self, shard: Shard, unit: UnitOfWork, oldest_timestamp_ms: int) -> None:
        """A unit of work has committed."""
        self._observer.committed(shard, unit, oldest_timestamp_ms)
        with self._lock:
            waiting = self._awaited.get(shard.number)
            if waiting:
                _look_for(waiting, unit)


def _look_for(waiting: list[Awaited], unit: UnitOfWork) -> None:
    """Settle what a unit holds. O(records of the unit)."""
    wanted: dict[bytes, list[Awaited]] = {}
    for awaited in waiting:
        wanted.setdefault(awaited.digest, []).append(awaited)
    for message in unit.outputs["audit"]:
        for awaited in wanted.get(message["value"][_DIGEST], ()):
            awaited.settle(Committed(message["value"], _prediction(unit, message["value"][_CURR])))
    refused = {
        int(value): dict(headers)["reason"].decode()
        for _, _, headers in unit.quarantine
        for name, value in headers
        if name == "offset"
    }
    for awaited in waiting:
        awaited.reached = unit.next_offset
        awaited.refused |= refused
        awaited.look()


def _prediction(unit: UnitOfWork, leaf: bytes) -> bytes | None:
    """Find the prediction that names a leaf."""
    return next((one["value"] for one in unit.outputs["predictions"] if leaf in one["value"]), None)


def _set(outcome: asyncio.Future[Committed], value: Committed) -> None:
    if not outcome.done():
        outcome.set_result(value)
