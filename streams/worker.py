"""A worker process: settings in, shards served until a signal or a failure.

Exit codes: 0 after SIGTERM or SIGINT; 130 when a second SIGINT cuts the first short; 69 the broker
is gone or a transaction failed (restart me); 70 a bug; 71 a shard stalled; 73 state or disk cannot
be used; 75 the broker has been gone for stream.broker_patience_s (restart me); 78 configuration,
secrets or topics are wrong (restarting does not help).
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import structlog

from operators.fusion.cell import Cell
from schemas.errors import Bug, StateError, WeirError
from state.objects import ObjectStore
from streams.app import Fed, build_app
from streams.collector import relax_collector
from streams.kafka.group import translated
from streams.kafka.quiet import hold_back_repetitions
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import OUTPUT_ROLES, SOURCE_ROLE, changelog_name, prepare_topics
from streams.key_watch import watch_keys
from streams.keys import CellKeys
from streams.labels import label_forwarder, prepare_labels
from streams.messages import build_codecs
from streams.metrics import Metrics
from streams.service.serving import Serving
from streams.shard.commit import ShardProducer
from streams.shard.engine import Engine
from streams.shard.shard import Shard
from streams.shard.snapshots import ShardSnapshots
from streams.shards import Shards
from streams.standby import Standbys
from streams.state_folder import StateFolder
from streams.warmup import warm_up
from streams.watchdog import watchdog_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.store import ShardStore
    from streams.beside import Beside
    from streams.forwarder import Forwarder
    from streams.kafka.fetch import BatchApp
    from streams.settings import Settings

log = structlog.get_logger(__name__)

EXIT_INTERRUPTED = 130
STOP_S = 15

EXIT_BUG = WeirError.exit_code
EXIT_IO = StateError.exit_code


def exit_code(error: BaseException) -> int:
    """Return the exit code that tells a supervisor what kind of error ended the worker."""
    if isinstance(error, WeirError):
        return error.exit_code
    return EXIT_IO if isinstance(error, OSError) else EXIT_BUG


def end_process(error: BaseException) -> None:
    """Log an error and end the process at once.

    There is nothing to tidy up: what is not committed is aborted by the next owner's fencing, and a
    graceful stop of a broken worker is one more thing that can hang.
    """
    code = exit_code(error)
    known = code != EXIT_BUG
    log.critical(
        "the worker ends",
        reason=str(error) or repr(error),
        exit_code=code,
        exc_info=None if known else error,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Parts(NamedTuple):
    """What a worker is made of; benchmarks put in others, to see what one costs.

    Attributes:
        cell: what learns.
        engine: what steps cells and audits.
        producer: what commits.
    """

    cell: type[Cell] = Cell
    engine: type[Engine] = Engine
    producer: type[ShardProducer] = ShardProducer


REAL = Parts()


class Worker:
    """One process of the application.

    Args:
        settings: ``broker.bootstrap`` known.
        parts: what it is made of.
    """

    def __init__(self, settings: Settings, parts: Parts = REAL) -> None:
        # Until the loop runs there is nothing to finish first.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        self.settings = settings
        self._parts = parts
        self.metrics = Metrics(settings.pace)
        self._folder = StateFolder(settings.state_dir)
        self._serving = Serving(settings, self.metrics)
        self._keys = CellKeys.open(settings)
        self._partitions, quarantine_bytes = prepare_topics(settings)
        self._codecs = build_codecs(settings, quarantine_bytes)
        self._source = settings.topics.name(SOURCE_ROLE)
        self._changelog = changelog_name(settings.application_id)
        if settings.labels.topic is not None:
            prepare_labels(settings, self._partitions)
        url = settings.snapshots.url
        self._objects = ObjectStore(url) if url is not None else None
        self._snapshotting = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._standbys = Standbys(settings.broker, self._changelog, self.metrics, end_process)
        self.shards = Shards(
            settings.state_dir,
            self._make_shard,
            end_process,
            threads=max(4, self._partitions),
            standbys=self._standbys,
        )
        self._others = list(self._make_others(quarantine_bytes))

    def _make_others(self, quarantine_bytes: int) -> Iterator[Beside]:
        settings, shards = self.settings, self._partitions
        # What runs models takes time and memory to import: it is not, where it is not wanted.
        if settings.messages.enabled:
            from streams.gate.part import MessagesPart  # noqa: PLC0415 - see above

            yield MessagesPart(
                settings, self._keys, shards, quarantine_bytes, self.metrics, end_process
            )
        if settings.hierarchy.enabled:
            from streams.hierarchy.worker import TokenStream  # noqa: PLC0415 - see above

            yield TokenStream(
                settings, self._keys, shards, quarantine_bytes, self.metrics, end_process
            )

    def _make_engine(self, number: int) -> Engine:
        settings = self.settings
        return self._parts.engine(
            number,
            settings.learner,
            self._keys,
            self._codecs,
            application_id=settings.application_id,
            source_topic=self._source,
            max_event_bytes=settings.stream.max_event_bytes,
            max_tenants=settings.stream.max_tenants,
            labels=settings.labels,
            quotas=settings.quotas,
            cell_type=self._parts.cell,
        )

    def _make_producer(self, number: int) -> ShardProducer:
        settings = self.settings
        return self._parts.producer(
            settings.broker,
            settings.application_id,
            number,
            self._source,
            self._changelog,
            {role: settings.topics.name(role) for role in OUTPUT_ROLES},
            settings.stream.transaction_timeout_s,
            settings.stream.broker_patience_s,
        )

    def _make_shard(self, number: int, store: ShardStore, executor: ThreadPoolExecutor) -> Shard:
        return Shard(
            self._make_engine(number),
            store,
            self._make_producer(number),
            PartitionReader(self.settings.broker, self.settings.stream.broker_patience_s),
            source_topic=self._source,
            changelog_topic=self._changelog,
            settings=self.settings.stream,
            executor=executor,
            observer=self._serving.watch,
            failed=end_process,
            snapshots=self._make_snapshots(number),
            forwarders=self._make_forwarders(number),
        )

    def _make_forwarders(self, number: int) -> list[Forwarder]:
        if self.settings.labels.topic is None:
            return []
        return [label_forwarder(self.settings, number, end_process)]

    def _make_snapshots(self, number: int) -> ShardSnapshots | None:
        if self._objects is None:
            return None
        return ShardSnapshots(
            number, self._objects, self.settings.snapshots, self._snapshotting, self.metrics
        )

    def run(self) -> int:
        """Serve until a signal; return the exit code."""
        warm_up(self.settings.learner)
        for other in self._others:
            other.load()
        relax_collector()
        url = self._serving.start(self.shards, self._partitions, self._others)
        try:
            asyncio.run(self._serve(url))
        finally:
            self._serving.stop()
            self._folder.release()
        return 0

    async def _serve(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        self._handle_signals(loop, stop)
        hold_back_repetitions()
        others = self._others
        fed = [Fed(other.role, other.table, other.shards) for other in others]
        app = build_app(self.settings, self.shards, self._partitions, url, fed)
        self._serving.attach(loop, app.router.external_topics_metadata)
        watchdog = watchdog_of(
            self.settings, self._source, lambda: self.shards.active, self.metrics, end_process
        )
        watchdog.start()
        self._standbys.start()
        for other in others:
            other.start()
        watching = watch_keys(
            self._keys.data_keys,
            self.settings.encryption.refresh_s,
            self._wake,
            self.metrics.key_store_failed,
        )
        beside = asyncio.gather(*(other.watch() for other in others))
        starting = asyncio.create_task(app.start(), name="faust-start")
        stopping = asyncio.create_task(stop.wait(), name="stop-signal")
        crashed = asyncio.create_task(app._crashed.wait(), name="faust-crash")  # noqa: SLF001 - mode offers no other way to await it
        await asyncio.wait({starting, stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            end_process(translated(error))
        await asyncio.wait({stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
        if crashed.done():
            reason = app.crash_reason or Bug("Faust crashed without a reason")
            end_process(translated(reason))
        watchdog.stop()
        for other in others:
            other.stop()
        self._serving.detach()
        watching.cancel()
        beside.cancel()
        # First the units in flight, then Faust: nothing new is taken meanwhile.
        await asyncio.gather(*(shards.close() for shards in self._all_shards()))
        for other in others:
            other.close()
        await self._stop(app)
        starting.cancel()
        for task in (crashed, watching, beside):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        try:
            await starting
        except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001 - the stop came into its way
            log.info("stopped before Faust had started", reason=repr(error))

    def _wake(self) -> None:
        for shards in self._all_shards():
            shards.wake()

    def _all_shards(self) -> list[Shards]:
        return [self.shards, *(other.shards for other in self._others)]

    async def _stop(self, app: BatchApp) -> None:
        try:
            await asyncio.wait_for(app.stop(), STOP_S)
        except TimeoutError:
            # All is committed and closed; the group forgets this member after its session.
            log.warning("leaving the group took too long and was given up", seconds=STOP_S)

    def _handle_signals(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        def interrupt() -> None:
            if stop.is_set():
                log.warning("second interrupt: ending at once; the unit in flight is aborted")
                os._exit(EXIT_INTERRUPTED)
            log.info("stopping after the units in flight; interrupt again to end at once")
            stop.set()

        def terminate() -> None:
            log.info("stopping after the units in flight")
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, terminate)
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGUSR2, self.shards.request_snapshots)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
