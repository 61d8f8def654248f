"""The part of a worker that scans messages: its shards, and what stands around them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from schemas.errors import Bug
from streams.dlp import package, policy_file
from streams.dlp.live import LiveScanner, Sources
from streams.gate.codecs import GateCodecs
from streams.gate.engine import MessageEngine
from streams.gate.feedback import feedback_forwarders
from streams.gate.topics import (
    MESSAGES_ROLE,
    MESSAGES_TABLE_NAME,
    messages_application,
    messages_changelog,
    output_roles,
    prepare_messages,
)
from streams.kafka.reader import PartitionReader
from streams.shard.commit import ShardProducer
from streams.shard.shard import Shard
from streams.shards import Shards
from streams.standby import Standbys
from streams.watchdog import watchdog_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from state.store import ShardStore
    from streams.keys import CellKeys
    from streams.metrics import Metrics
    from streams.settings import Settings

log = structlog.get_logger(__name__)

BUFFERED: int = 256
"""Messages that a shard may hold before it asks the fetcher to wait: a fetch brings up to 4 MB."""


class MessagesPart:
    """What scans messages in a worker.

    Args:
        settings: ``messages.enabled``.
        keys: secrets of the application.
        partitions: shards.
        quarantine_bytes: largest record that the quarantine topic takes.
        metrics: told of progress.
        failed: called with an error that must end the process.

    Attributes:
        role, table, shards: see ``Beside``.

    Raises:
        TopologyError: topics do not fit.
        BrokerUnavailable: no broker answers.
    """

    role = MESSAGES_ROLE
    table = MESSAGES_TABLE_NAME

    def __init__(
        self,
        settings: Settings,
        keys: CellKeys,
        partitions: int,
        quarantine_bytes: int,
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        prepare_messages(settings, partitions)
        self._settings = settings
        self._keys = keys
        self._metrics = metrics
        self._failed = failed
        self._codecs = GateCodecs(settings, quarantine_bytes)
        self._scanner: LiveScanner | None = None
        self._changelog = messages_changelog(settings.application_id)
        self._source = settings.topics.name(MESSAGES_ROLE)
        standbys = Standbys(settings.broker, self._changelog, metrics, failed, f"{MESSAGES_ROLE}-")
        self._standbys = standbys
        self._stopped = threading.Event()
        self._watchdog = watchdog_of(
            settings, self._source, lambda: self.shards.active, metrics, failed
        )
        self.shards = Shards(
            settings.messages_dir,
            self._make_shard,
            failed,
            threads=max(4, partitions),
            standbys=standbys,
        )

    def load(self) -> None:
        """Load the scanner, some seconds.

        Raises:
            ConfigError: model or policy cannot be used.
        """
        found = self._settings.messages
        model, policy = found.model or package.SHIPPED, found.policy or policy_file.SHIPPED
        self._scanner = LiveScanner(
            Sources(model, policy), told=lambda why: log.error("scanner not reloaded", why=why)
        )
        self._scanner.scanner.warm()

    def start(self) -> None:
        """Begin to watch: progress, standbys, and the files of model and policy."""
        assert self._scanner is not None
        self._watchdog.start()
        self._standbys.start()
        threading.Thread(
            target=self._scanner.watch, args=(self._stopped,), name="scanner-files", daemon=True
        ).start()

    async def watch(self) -> None:
        """Nothing needs the event loop."""

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._watchdog.stop()

    def close(self) -> None:
        """Nothing is left to be released."""

    def _make_engine(self, number: int) -> MessageEngine:
        settings = self._settings
        if self._scanner is None:
            raise Bug("messages came before the scanner was loaded")
        return MessageEngine(
            number,
            settings.messages,
            self._scanner,
            self._keys,
            self._codecs,
            application_id=settings.application_id,
            source_topic=self._source,
            max_tenants=settings.stream.max_tenants,
            dimension=settings.learner.sera.d,
        )

    def _make_shard(self, number: int, store: ShardStore, executor: ThreadPoolExecutor) -> Shard:
        settings = self._settings
        stream = settings.stream
        engine = self._make_engine(number)
        topics = {role: settings.topics.name(of) for role, of in output_roles(settings).items()}
        return Shard(
            engine,
            store,
            ShardProducer(
                settings.broker,
                messages_application(settings.application_id),
                number,
                self._source,
                self._changelog,
                topics,
                stream.transaction_timeout_s,
                stream.broker_patience_s,
            ),
            PartitionReader(settings.broker, stream.broker_patience_s),
            source_topic=self._source,
            changelog_topic=self._changelog,
            settings=stream.model_copy(
                update={
                    "max_unit_events": settings.messages.max_unit_messages,
                    "max_buffered_events": BUFFERED,
                }
            ),
            executor=executor,
            observer=self._metrics,
            failed=self._failed,
            forwarders=feedback_forwarders(settings, engine, self._failed),
        )
