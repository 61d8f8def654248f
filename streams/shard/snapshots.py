"""Snapshots of a shard while it goes on: when one is due, and the thread that writes it.

A snapshot is taken of the table right after a checkpoint has been committed and written to it. What
RocksDB keeps for the view is all that it costs the shard; the objects are written on another
thread. Once the manifest is in the store, the shard marks its hash in every cell's chain, in a unit
of work of its own. A snapshot that cannot be written is logged and counted, and the shard goes on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import structlog

from schemas.errors import WeirError
from state.snapshots.retention import prune
from state.snapshots.writing import Cancelled, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from state.objects import ObjectStore
    from state.snapshots.writing import About
    from state.store import StoreView
    from streams.settings import SnapshotSettings

log = structlog.get_logger(__name__)

MICROSECOND = 1_000_000


class SnapshotObserver(Protocol):
    """Who is told of snapshots; metrics implement it."""

    def snapshot(self, shard: int, *, taken: bool) -> None:
        """A snapshot was taken, or could not be."""


class ShardSnapshots:
    """Decides when a shard is due for a snapshot, and writes it.

    Args:
        shard: partition number.
        store: where to.
        settings: how often, and how many are kept.
        executor: where they are written; one thread.
        observer: told of each.
    """

    def __init__(
        self,
        shard: int,
        store: ObjectStore,
        settings: SnapshotSettings,
        executor: Executor,
        observer: SnapshotObserver,
    ) -> None:
        self._shard = shard
        self._store = store
        self._settings = settings
        self._executor = executor
        self._observer = observer
        self._since = 0
        self._wanted = False
        self._open = True
        self._writing: Future[None] | None = None

    @property
    def wanted(self) -> bool:
        """A snapshot was asked for and has not begun; any thread may ask."""
        return self._wanted

    def want(self) -> None:
        """Ask for a snapshot at the next unit of work."""
        self._wanted = True

    def due(self, events: int) -> bool:
        """Count events, and tell whether the unit of work that they are in ends at a snapshot.

        Not while one is being written: the next unit is asked again.
        """
        self._since += events
        every = self._settings.every_events
        return not self._busy() and (self._wanted or (every is not None and self._since >= every))

    def begin(self, view: StoreView, about: About, done: Callable[[bytes], None]) -> None:
        """Write a snapshot on the other thread.

        Args:
            view: of the table, right after a checkpoint; closed when done.
            about: what goes into the manifest.
            done: called there with the SHA-256 of the manifest.
        """
        self._since = 0
        self._wanted = False
        self._writing = self._executor.submit(self._write, view, about, done)

    def nothing(self) -> None:
        """Put a snapshot off until there is something to be in it."""
        self._since = 0
        self._wanted = False

    def close(self) -> None:
        """Give up what is being written, and wait until it has let go of the table."""
        self._open = False
        if self._writing is not None:
            self._writing.result()

    def _busy(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def _write(self, view: StoreView, about: About, done: Callable[[bytes], None]) -> None:
        started = time.perf_counter()
        try:
            with view:
                written = write_snapshot(self._store, view, about, lambda: self._open)
        except Cancelled:
            log.info("snapshot given up: the shard closes", shard=self._shard)
            return
        except WeirError as error:
            log.warning(
                "snapshot failed; the one before stays good", shard=self._shard, why=str(error)
            )
            self._observer.snapshot(self._shard, taken=False)
            return
        self._observer.snapshot(self._shard, taken=True)
        log.info(
            "snapshot taken",
            shard=self._shard,
            snapshot=written.manifest.id,
            bytes=sum(part.bytes for part in written.manifest.parts),
            seconds=round(time.perf_counter() - started, 3),
        )
        done(written.digest)
        self._prune(about)

    def _prune(self, about: About) -> None:
        try:
            pruned = prune(
                self._store,
                about.application_id,
                self._shard,
                keep=self._settings.keep,
                keep_days=self._settings.keep_days,
                now_us=int(time.time() * MICROSECOND),
            )
        except WeirError as error:
            log.warning("old snapshots not deleted", shard=self._shard, why=str(error))
        else:
            if pruned.snapshots or pruned.leftovers:
                log.info("old snapshots deleted", shard=self._shard, **pruned._asdict())
