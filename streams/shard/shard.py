"""The life of a shard on a worker.

    state     event                      next       what happens
    CLOSED    open                       READY      fence, restore, re-step (blocking, on a thread)
    READY     offer                      RUNNING    a task takes what has queued up, unit by unit
    RUNNING   queue empty                READY
    READY     pause (rebalance begins)   PAUSED     the queue is dropped; it will be fetched again
    RUNNING   pause                      PAUSED     the same, after the unit in flight has committed
    PAUSED    resume (still ours)        READY
    PAUSED    close (no longer ours)     CLOSED     connections and tables are released
    RUNNING   a unit fails               FAILED     the worker ends; its successor restores

A unit that failed to commit leaves memory ahead of the log, so no state leads out of FAILED.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from schemas.errors import Bug, StateError, WeirError
from streams.shard import restore
from streams.shard.backlog import Backlog
from streams.shard.questions import Question, Questions
from streams.shard.snapshots import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from state.store import ShardStore
    from streams.forwarder import Forwarder
    from streams.kafka.fetch import FetchedBatch
    from streams.kafka.reader import PartitionReader
    from streams.settings import StreamSettings
    from streams.shard.commit import ShardProducer
    from streams.shard.observer import Observer
    from streams.shard.settling import Settling
    from streams.shard.snapshots import ShardSnapshots
    from streams.shard.unit import UnitOfWork

log = structlog.get_logger(__name__)

T = TypeVar("T")


class ShardState(enum.Enum):
    """See the table above."""

    CLOSED = "closed"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"


TAKING = frozenset({ShardState.READY, ShardState.RUNNING})
"""States in which a shard takes events."""


class Abandoned(WeirError):  # noqa: N818 - it names what happened
    """A shard was given up while it was being opened, because the worker stops."""


class Shard:
    """One shard on this worker.

    Args:
        engine: its cells.
        store: its table; written after each commit.
        producer: its transactions.
        reader: reads ranges of topics, for restore and for gaps.
        source_topic, changelog_topic: names.
        settings: cadences and bounds.
        executor: where units run, off the event loop.
        observer: told of progress.
        failed: called with the error when a unit fails; it must end the worker.
        snapshots: takes snapshots; None: none are taken.
        forwarders: bring records into the source while the shard is here.

    Attributes:
        engine: as given; who looks into it knows of which kind it is.
    """

    def __init__(
        self,
        engine: Settling[Any],
        store: ShardStore,
        producer: ShardProducer,
        reader: PartitionReader,
        *,
        source_topic: str,
        changelog_topic: str,
        settings: StreamSettings,
        executor: Executor,
        observer: Observer,
        failed: Callable[[BaseException], None],
        snapshots: ShardSnapshots | None = None,
        forwarders: Sequence[Forwarder] = (),
    ) -> None:
        self.number = engine.shard
        self.engine: Any = engine
        self._engine = engine
        self.store = store
        self.state = ShardState.CLOSED
        self._producer = producer
        self._reader = reader
        self._source_topic = source_topic
        self._changelog_topic = changelog_topic
        self._settings = settings
        self._executor = executor
        self._observer = observer
        self._failed = failed
        self._queue = Backlog(engine.max_unit_bytes)
        # Where the queue ends, and where what has been taken from it ends.
        self._expected: int | None = None
        self._reached: int | None = None
        self._since_checkpoint: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._unwanted = False
        self._snapshots = snapshots
        self._forwarders = forwarders
        # Manifests of finished snapshots, to be marked in the audit chains.
        self._marks: deque[bytes] = deque()
        self._room = asyncio.Event()
        self._room.set()
        # Held while a unit runs and while questions are answered: never both at once.
        self._turn = asyncio.Lock()
        self._questions = Questions(engine, executor, self._turn, lambda: self.state in TAKING)

    # -- opening and closing ----------------------------------------------------------------------

    def open(self) -> None:
        """Fence the former owner and restore. Blocks; call it on a thread.

        Raises:
            WeirError: the shard cannot be brought to where its last commit left it.
            Abandoned: it is no longer wanted.
        """
        self._expect(ShardState.CLOSED)
        started = time.perf_counter()
        self._producer.fence()
        records = restore.restore_store(
            self._reader, self.store, self._changelog_topic, self.number, self._restoring
        )
        stepped = self._load()
        self._expected = self._reached = self._engine.next_offset
        self.state = ShardState.READY
        for forwarder in self._forwarders:
            forwarder.start()
        seconds = time.perf_counter() - started
        self._observer.restored(self, records, stepped, seconds)
        log.info(
            "shard serves",
            shard=self.label,
            offset=self._expected,
            changelog_records=records,
            re_stepped=stepped,
            seconds=round(seconds, 3),
        )

    def _load(self) -> int:
        """Bring the engine to where the table stands, and return how many events were stepped."""
        reached, committed = restore.load_engine(self._engine, self.store)
        if reached is None or committed is None:
            self._check_fresh()
            return 0
        stepped = restore.re_step(
            self._engine,
            self._reader,
            self.store,
            self._source_topic,
            reached,
            committed,
            self._re_stepping,
        )
        self._since_checkpoint = stepped
        return stepped

    def _check_fresh(self) -> None:
        restore.check_fresh(self._producer.group_offset(), self._changelog_topic, self.number)

    def _restoring(self, share: float) -> None:
        self._observer.restoring(self.label, share)
        self._re_stepping()

    def _re_stepping(self) -> None:
        if self._unwanted:
            raise Abandoned(f"shard {self.number} was being restored")

    def abandon(self) -> None:
        """Let ``open``, which runs on another thread, raise at its next batch."""
        self._unwanted = True

    async def pause(self) -> None:
        """Drop what is queued, take nothing more, and wait for the unit in flight."""
        if self.state is not ShardState.FAILED:
            # First of all: a batch that came while the unit ends would leave a hole behind it.
            self.state = ShardState.PAUSED
        self._queue.clear()
        self._room.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        async with self._turn:
            self._expected = self._reached = self._engine.next_offset

    def resume(self) -> None:
        """Go on after a rebalance that left the shard here."""
        self._expect(ShardState.PAUSED)
        self.state = ShardState.READY
        self.wake()

    def leave_checkpoint(self) -> None:
        """Commit all state before an orderly end, while the shard is still this worker's. Blocks.

        Whoever serves it next has nothing to step again, and may be another release, whose steps
        need not give the same bits. Where it cannot be committed the successor steps again.
        """
        if self.state is not ShardState.PAUSED or not self._since_checkpoint:
            return
        unit = self._engine.settle()
        try:
            self._commit_checkpoint(unit)
        except WeirError as error:
            log.warning("no checkpoint at the end", shard=self.label, why=str(error))

    def close(self) -> None:
        """Release connections and tables. Blocks for as long as closing RocksDB takes."""
        self.state = ShardState.CLOSED
        self._observer.closed(self)
        for forwarder in self._forwarders:
            forwarder.close()
        if self._snapshots is not None:
            self._snapshots.close()
        self._producer.close()
        self._reader.close()
        self.store.close()

    def _expect(self, state: ShardState) -> None:
        if self.state is not state:
            raise Bug(f"shard {self.number} is {self.state.value}, not {state.value}")

    # -- events -----------------------------------------------------------------------------------

    @property
    def label(self) -> int | str:
        """The shard's name in metrics and logs."""
        return self._engine.label

    @property
    def next_offset(self) -> int | None:
        """Source offset after the last committed event; None before the first."""
        return self._engine.next_offset

    @property
    def queued(self) -> int:
        """Events that wait."""
        return len(self._queue)

    def overdue(self, now: float, back_at: float) -> WeirError | None:
        """Return an error if the unit in flight waits for a call that will not return.

        Args:
            now: ``time.monotonic()``.
            back_at: time at which the broker was last back from being away.
        """
        return self._producer.overdue(now, back_at)

    async def offer(self, batch: FetchedBatch) -> None:
        """Queue a batch and return once the queue has room for another.

        A batch that does not continue where the queue ends was fetched before a seek and is
        dropped; its events arrive again from the right position.

        Raises:
            StateError: events were deleted before they were read.
        """
        if self.state not in TAKING:
            return
        records = await self._continuation(batch)
        if not records or self.state not in TAKING:
            return
        if not self._queue and self._expected != self._reached:
            raise Bug(
                f"shard {self.number} was about to go from {self._reached} to {self._expected} "
                "without the events between"
            )
        self._queue.add(records)
        self._expected = records[-1].offset + 1
        self.wake()
        if self._is_full():
            self._room.clear()
            await self._room.wait()

    def _is_full(self) -> bool:
        """Whether the fetcher is to wait; asked whenever the queue has become longer or shorter."""
        return len(self._queue) >= self._settings.max_buffered_events

    @property
    def _gather_ms(self) -> float:
        """Least time between the starts of two units of work, as of now."""
        return self._settings.gather_ms

    async def ask(self, question: Question[T]) -> T:
        """Let a question be answered from what the last transaction committed.

        Raises:
            NotServing: the shard is being restored or moved.
        """
        return await self._questions.ask(question)

    def request_snapshot(self) -> None:
        """Take a snapshot as soon as the unit in flight has committed; on the event loop."""
        if self._snapshots is not None:
            self._snapshots.want()
            self.wake()

    def wake(self) -> None:
        """Let the task run if there is something to do; on the event loop."""
        if self._task is None and self.state in TAKING and self._has_work():
            self.state = ShardState.RUNNING
            self._task = asyncio.create_task(self._run(), name=f"shard-{self.number}")

    def _has_work(self) -> bool:
        """Tell whether there are events, marks, or a snapshot that was asked for."""
        asked = (
            self._snapshots is not None
            and self._engine.next_offset is not None
            and self._snapshots.wanted
            and self._snapshots.due(0)
        )
        return bool(self._queue or self._marks) or asked or self._engine.unsettled

    async def _continuation(self, batch: FetchedBatch) -> list[Any]:
        """Return what of a batch continues where the queue ends."""
        records, expected = batch.records, self._expected
        if expected is None:
            return records
        if batch.position is not None and batch.position > expected:
            log.info("stale batch dropped", shard=self.label, position=batch.position)
            return []
        if records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        elif records[0].offset > expected + 1:
            # One missing offset is a transaction marker; more is looked into.
            await asyncio.get_running_loop().run_in_executor(
                self._executor, self._check_gap, expected, records[0].offset
            )
            if self._expected != expected:
                return []  # the shard was paused meanwhile; the batch is fetched again
        return records

    def _check_gap(self, start: int, stop: int) -> None:
        """Tell markers and aborted records, which may be passed over, from lost ones."""
        where = f"{self._source_topic}[{self.number}]"
        low, _ = self._reader.bounds(self._source_topic, self.number)
        if low > start:
            raise StateError(
                f"{where}: events {start} to {low - 1} were deleted before they were read: the "
                "topic's retention is shorter than the lag. Lengthen retention.ms; the shard "
                "cannot go on without a hole in what it has learnt"
            )
        if any(True for _ in self._reader.read(self._source_topic, self.number, start, stop)):
            raise Bug(f"{where}: the fetcher passed over committed events in {start}..{stop - 1}")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._has_work():
                started = loop.time()
                if self._marks or not self._queue or self._engine.unsettled:
                    async with self._turn:
                        await loop.run_in_executor(self._executor, self._quiet_unit, loop)
                    continue
                records = self._queue.take(self._settings.max_unit_events)
                self._reached = records[-1].offset + 1
                if not self._is_full():
                    self._room.set()
                async with self._turn:
                    unit = await loop.run_in_executor(self._executor, self._unit, records, loop)
                self._observer.committed(self, unit, records[0].timestamp)
                left = started + self._gather_ms / 1000 - loop.time()
                if left > 0 and len(self._queue) < self._settings.max_unit_events:
                    await asyncio.sleep(left)
            if self.state is ShardState.RUNNING:
                self.state = ShardState.READY
        except BaseException as error:  # noqa: BLE001 - whatever it is, the shard must not go on
            self.state = ShardState.FAILED
            self._failed(error)
        finally:
            self._task = None
            self._room.set()

    def _unit(self, records: list[Any], loop: asyncio.AbstractEventLoop) -> UnitOfWork:
        """Step, commit, then write the table: it is never ahead of the changelog."""
        unit = self._engine.process(records)
        self._since_checkpoint = (self._since_checkpoint or 0) + unit.records
        # The first unit of a fresh shard is a checkpoint, so that a re-step knows where to start.
        first = self.store.changelog_offset is None
        snapshot = self._snapshots is not None and self._snapshots.due(unit.records)
        if first or snapshot or self._since_checkpoint >= self._settings.checkpoint_events:
            self._engine.add_checkpoint(unit)
            self._since_checkpoint = 0
        self._commit(unit)
        if snapshot:
            self._begin_snapshot(loop)
        return unit

    def _quiet_unit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit a unit without events: a mark of a snapshot, or the checkpoint for one.

        Or what became of destroyed keys and changed quotas.
        """
        if self._marks:
            unit = self._engine.mark_snapshot(self._marks.popleft())
        else:
            unit = self._engine.settle()
        self._commit_checkpoint(unit)
        if self._snapshots is not None and self._snapshots.wanted and self._snapshots.due(0):
            self._begin_snapshot(loop)

    def _begin_snapshot(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._snapshots is not None
        about = self._engine.about(int(time.time() * MICROSECOND))
        if not about.origins:
            self._snapshots.nothing()
            return

        def done(manifest: bytes) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the worker with it
                loop.call_soon_threadsafe(self._mark, manifest)

        self._snapshots.begin(self.store.view(), about, done)

    def _mark(self, manifest: bytes) -> None:
        self._marks.append(manifest)
        self.wake()

    def _commit_checkpoint(self, unit: UnitOfWork) -> None:
        """Commit a unit without events as a checkpoint: no re-step could know of it."""
        self._engine.add_checkpoint(unit)
        self._commit(unit)
        self._since_checkpoint = 0
        if unit.erased:
            log.warning(
                "tenants erased: their keys were destroyed", shard=self.label, tenants=unit.erased
            )

    def _commit(self, unit: UnitOfWork) -> None:
        started = time.perf_counter()
        changelog_offset = self._producer.commit(unit)
        committed = time.perf_counter()
        self.store.write(unit.state, changelog_offset=changelog_offset)
        unit.seconds["commit"] = committed - started
        unit.seconds["table"] = time.perf_counter() - committed
