"""The token stream of a worker: its model, its shards, and who is told of them."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

from operators.hierarchy.buffer import BufferConfig, Policy
from operators.hierarchy.told import PartialConfig
from streams.hierarchy.announcer import Announcer
from streams.hierarchy.codecs import TokenCodecs
from streams.hierarchy.driver import DriverConfig
from streams.hierarchy.engine import TokenEngine
from streams.hierarchy.linked import VerdictEvents, output_roles
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.model import StreamModel
from streams.hierarchy.observer import Observers, StreamObserver
from streams.hierarchy.pacing import WINDOW_S, Pacing
from streams.hierarchy.shard import TokenShard
from streams.hierarchy.silence import Silence
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import (
    TOKENS_ROLE,
    TOKENS_TABLE_NAME,
    changelog_name,
)
from streams.service.updates import UpdateProducer
from streams.shard.commit import ShardProducer
from streams.shards import Shards
from streams.standby import Standbys
from streams.watchdog import watchdog_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.hierarchy.pace import Plan
    from state.store import ShardStore
    from streams.keys import CellKeys
    from streams.metrics import Metrics
    from streams.settings import Settings

log = structlog.get_logger(__name__)

_SECOND: int = 1_000_000
_MEGABYTE: int = 1_000_000
_MILLISECOND: int = 1_000
_SEND_S: int = 30
_NICE: int = 10


def give_way() -> None:
    """Let this thread run where others have nothing to do: text that arrives comes first."""
    if sys.platform == "linux":  # elsewhere threads have no priority of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def buffer_config(settings: Settings) -> BufferConfig:
    """Return how segments are cut."""
    hierarchy = settings.hierarchy
    period_us = int(hierarchy.flush_seconds * _SECOND)
    return BufferConfig(policy=Policy(hierarchy.flush), period_us=period_us)


def driver_config(settings: Settings) -> DriverConfig:
    """Return how streams are driven."""
    hierarchy = settings.hierarchy
    every_us = int(settings.pace.partial_ms * _MILLISECOND)
    return DriverConfig(
        PartialConfig(every_us, hierarchy.confidence),
        hierarchy.edit_checkpoints,
        hierarchy.batching == "continuous",
    )


def token_codecs(settings: Settings, model: StreamModel, quarantine_bytes: int) -> TokenCodecs:
    """Return the codecs of shards of tokens.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """
    return TokenCodecs(
        settings,
        tokenizer=model.package.tokenizer,
        judge=model.judge_of,
        quarantine_bytes=quarantine_bytes,
    )


class TokenStream:
    """The token stream of a worker.

    Args:
        settings: of the worker.
        keys: secrets of the application.
        partitions: of the topic.
        quarantine_bytes: largest record that the quarantine topic takes.
        metrics: of the worker.
        failed: called with an error that must end the worker.

    Attributes:
        role, table, shards: see ``Beside``.
        source: the topic.

    Raises:
        ModelUnusable: the model cannot be used.
        PolicyUnusable: the policy cannot be used.
    """

    role = TOKENS_ROLE
    table = TOKENS_TABLE_NAME

    def __init__(
        self,
        settings: Settings,
        keys: CellKeys,
        partitions: int,
        quarantine_bytes: int,
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._metrics = metrics
        self._failed = failed
        hierarchy = settings.hierarchy
        self.model = StreamModel.load(buffer_config(settings), hierarchy.model, hierarchy.policy)
        self._codecs = token_codecs(settings, self.model, quarantine_bytes)
        self._event = VerdictEvents.wanted(settings)
        self.pacing = Pacing(settings.pace)
        # One for each core that the shards' own threads do not need all the time.
        self._judging = ThreadPoolExecutor(2, thread_name_prefix="judge", initializer=give_way)
        self.source = settings.topics.name(TOKENS_ROLE)
        self._words = UpdateProducer(settings.broker, self.source, _SEND_S)
        self._announcer = Announcer(self._codecs, self._words)
        told: list[StreamObserver] = [metrics.streams, self.pacing]
        self._logs = StreamLogs.open(settings, metrics.streams)
        if self._logs is not None:
            told.append(self._logs)
        self._observer = Observers(*told)
        self._changelog = changelog_name(settings.application_id, TOKENS_TABLE_NAME)
        self._standbys = Standbys(settings.broker, self._changelog, metrics, failed, "tokens-")
        self.shards = Shards(
            settings.tokens_dir,
            self._make_shard,
            failed,
            threads=max(4, partitions),
            standbys=self._standbys,
        )
        self._watchdog = watchdog_of(
            settings, self.source, lambda: self.shards.active, metrics, failed
        )

    def load(self) -> None:
        """Load the model's graphs."""
        self.model.warm()

    def start(self) -> None:
        """Watch over progress, and follow what this worker is the standby of."""
        self._watchdog.start()
        self._standbys.start()

    def stop(self) -> None:
        """Stop watching."""
        self._watchdog.stop()

    def close(self) -> None:
        """Write what the logs still hold."""
        self._judging.shutdown(cancel_futures=True)  # whoever serves next scans what is left
        if self._logs is not None:
            self._logs.close()

    async def watch(self) -> None:
        """End streams of silent shards, send word of those judged, do more again, until cancelled.

        On the event loop of the stream.
        """
        broker, idle_s = self._settings.broker, self._settings.hierarchy.idle_seconds
        silence = Silence(self.shards, self._codecs, broker, self.source, idle_s)
        try:
            await asyncio.gather(silence.watch(), self._announcer.run(), self._keep_pace())
        finally:
            await asyncio.get_running_loop().run_in_executor(None, self._words.close)

    def _make_shard(
        self, number: int, store: ShardStore, executor: ThreadPoolExecutor
    ) -> TokenShard:
        settings, hierarchy = self._settings, self._settings.hierarchy
        engine = TokenEngine(
            number,
            self.model,
            self._codecs,
            driver_config(settings),
            self._observer,
            keys=self._keys,
            application_id=settings.application_id,
            max_tenants=settings.stream.max_tenants,
            source_topic=self.source,
            idle_us=hierarchy.idle_seconds * _SECOND,
            remember_us=hierarchy.remember_seconds * _SECOND,
            most_bytes=self._share,
            executor=self._judging,
            pace=lambda: self.pacing.pace.step,
            plan=self._plan,
            event=self._event,
            judged=partial(self._announcer.judged, number),
        )
        producer = ShardProducer(
            settings.broker,
            settings.application_id,
            number,
            self.source,
            self._changelog,
            {role: settings.topics.name(of) for role, of in output_roles(settings).items()},
            settings.stream.transaction_timeout_s,
            settings.stream.broker_patience_s,
            name=f"{settings.application_id}-{engine.label}",
        )
        return TokenShard(
            engine,
            store,
            producer,
            PartitionReader(settings.broker, settings.stream.broker_patience_s),
            source_topic=self.source,
            changelog_topic=self._changelog,
            settings=settings.stream,
            executor=executor,
            observer=self._metrics,
            failed=self._failed,
            pacing=self.pacing,
            told=self._observer,
        )

    def _waiting(self) -> int:
        """Pieces that this worker has and has not committed."""
        return sum(cast("TokenShard", shard).waiting for shard in self.shards.active)

    def _plan(self) -> Plan:
        return self.pacing.plan(self._waiting(), self._observer)

    async def _keep_pace(self) -> None:
        """Let windows end while nothing comes: a worker without work has room.

        While something waits they end with units of work. A window that ended in the middle of a
        long one would have measured nothing, and that would look like room.
        """
        while True:
            await asyncio.sleep(WINDOW_S)
            if not self._waiting():
                self._plan()

    def _share(self) -> int:
        """Bytes that the streams of one shard may take: all shards together keep to the limit."""
        whole = self._settings.hierarchy.memory_mb * _MEGABYTE
        return whole // max(1, len(self.shards.active))
