"""A broker of the benchmark's own, in a folder that goes away with it, and its topics."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from deploy.broker.errors import BrokerError
from deploy.broker.local import LocalBroker
from schemas.errors import BrokerUnavailable
from state.secrets import FileSecrets
from streams.bench.errors import BenchFailed
from streams.kafka.clients import client_config
from streams.kafka.topics import OUTPUT_ROLES, SOURCE_ROLE, TOPIC_CONFIG, admin, create_topics
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.feed import FedEvent

PARTITIONS = 4
FLUSH_S = 120


@dataclass(frozen=True)
class Lab:
    """Where the contenders run.

    Attributes:
        folder: of all that is written.
        bootstrap: address of the broker.
        broker_pid: its process.
    """

    folder: Path
    bootstrap: str
    broker_pid: int

    def settings(self, prefix: str, application_id: str = "weir") -> Settings:
        """Return settings of a worker on topics with a prefix; otherwise the defaults."""
        return load_settings(
            application_id=application_id,
            data_dir=self.folder / application_id,
            broker={"bootstrap": self.bootstrap},
            topics={"prefix": prefix, "partitions": PARTITIONS},
            secrets={"directory": self.folder / "secrets"},
        )

    def environment(self, prefix: str, application_id: str, http_port: int) -> dict[str, str]:
        """Return the same settings as environment variables, and nothing of the caller's own."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        return inherited | {
            "WEIR_APPLICATION_ID": application_id,
            "WEIR_DATA_DIR": str(self.folder / application_id),
            "WEIR_BROKER__BOOTSTRAP": self.bootstrap,
            "WEIR_TOPICS__PREFIX": prefix,
            "WEIR_TOPICS__PARTITIONS": str(PARTITIONS),
            "WEIR_SECRETS__DIRECTORY": str(self.folder / "secrets"),
            "WEIR_HTTP__PORT": str(http_port),
        }

    def make_topics(self, prefix: str) -> None:
        """Make the source and the output topics with a prefix."""
        topics = {
            prefix + role: (PARTITIONS, 1, TOPIC_CONFIG.get(role, {}))
            for role in (SOURCE_ROLE, *OUTPUT_ROLES)
        }
        create_topics(admin(self.settings(prefix).broker), topics)

    def fill(self, topic: str, events: Iterable[FedEvent]) -> int:
        """Send events to their partitions; return the mean size of their values in bytes.

        Raises:
            BenchFailed: not all were acknowledged.
        """
        producer = Producer(
            client_config(
                self.settings("").broker,
                partitioner="murmur2",
                enable_idempotence=True,
                linger_ms=20,
                queue_buffering_max_messages=1_000_000,
            )
        )
        count = size = 0
        for event in events:
            producer.produce(topic, event.value, key=event.key)
            count += 1
            size += len(event.value)
            if count % 1_000 == 0:
                producer.poll(0)
        if producer.flush(FLUSH_S):
            raise BenchFailed(f"{topic}: not all of {count} events were acknowledged")
        return round(size / count)


@contextmanager
def open_lab() -> Iterator[Lab]:
    """Start a broker in a new folder; stop it and remove the folder at the end.

    Raises:
        BrokerUnavailable: it cannot be started here.
    """
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = Path(name)
        broker = LocalBroker(folder / "broker", tethered=True)
        try:
            broker.start()
        except BrokerError as error:
            raise BrokerUnavailable(str(error)) from error
        try:
            FileSecrets.initialise(folder / "secrets")
            pid = broker.status()[0].pid
            if pid is None:
                raise BenchFailed("the broker died right after its start")
            yield Lab(folder, broker.bootstrap, pid)
        finally:
            broker.stop()
