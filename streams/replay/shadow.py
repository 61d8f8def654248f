"""A sink that writes what a replay gives to topics of its own, under another prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, Producer

from schemas.errors import BrokerUnavailable, ConfigError
from streams.kafka.clients import client_config
from streams.kafka.errors import translated
from streams.kafka.topics import (
    MAX_RECORD_BYTES,
    OUTPUT_ROLES,
    TOPIC_CONFIG,
    admin,
    copies_of,
    create_topics,
    partition_counts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kafka.reader import PartitionReader, Record
    from streams.replay.engine import ReplayEngine
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork

_FLUSH_S = 60


def shadow_application(settings: Settings, prefix: str) -> str:
    """Return the name under which shadow audit logs are signed.

    It is another than the application's: one key that signed two histories of one log would be
    convicted of a fork.
    """
    return f"{settings.application_id}@{prefix}"


def make_shadow_topics(
    settings: Settings, prefix: str, reader: PartitionReader, shards: Sequence[int]
) -> None:
    """Make the topics of a replay, or see that they are empty where the replay writes.

    Raises:
        ConfigError: the prefix is that of the application, or there is something already.
    """
    if prefix == settings.topics.prefix:
        raise ConfigError(f"--into {prefix}: these are the application's own topics")
    client = admin(settings.broker)
    counts = partition_counts(client, settings.broker.bootstrap)
    partitions = counts[settings.topics.name("events")]
    names = {role: prefix + role for role in OUTPUT_ROLES}
    wanted = {
        name: (partitions, copies_of(settings), TOPIC_CONFIG.get(role, {}))
        for role, name in names.items()
        if name not in counts
    }
    create_topics(client, wanted)
    for name in names.values():
        if counts.get(name, partitions) != partitions:
            raise ConfigError(f"topic {name} has another number of partitions than the events")
        for shard in shards:
            low, end = reader.bounds(name, shard)
            if low != end:
                raise ConfigError(
                    f"{name}[{shard}] has records up to offset {end} already: choose another "
                    "prefix for --into, or delete those topics"
                )


class ShadowSink:
    """Writes the outputs of one shard.

    Args:
        settings: of the application.
        prefix: of the shadow topics.
        shard: partition number.
    """

    def __init__(self, settings: Settings, prefix: str, shard: int) -> None:
        self._prefix = prefix
        self._shard = shard
        self._errors: list[KafkaException] = []
        self._producer = Producer(
            client_config(
                settings.broker,
                enable_idempotence=True,
                message_max_bytes=MAX_RECORD_BYTES,
                compression_type="lz4",
                linger_ms=50,
                queue_buffering_max_messages=1_000_000,
            )
        )

    def begin(self, engine: ReplayEngine) -> None:
        """Nothing is to be passed over."""

    def take(self, records: Sequence[Record], unit: UnitOfWork, engine: ReplayEngine) -> bool:  # noqa: ARG002 - the interface names it
        """Write the outputs of some source records.

        Raises:
            BrokerUnavailable: they were not acknowledged.
        """
        outputs = unit.outputs | {"audit": engine.drain()}
        for role, messages in outputs.items():
            for message in messages:
                self._send(role, message["key"], message["value"])
        for key, value, headers in unit.quarantine:
            self._send("quarantine", key, value, headers)
        return True

    def end(self, engine: ReplayEngine) -> None:
        """Sign the ends of the logs, and wait until all is acknowledged.

        Raises:
            BrokerUnavailable: it was not in time.
        """
        closing = engine.closing()
        for message in engine.drain():
            self._send("audit", message["key"], message["value"])
        for message in closing.outputs.get("audit-checkpoints", ()):
            self._send("audit-checkpoints", message["key"], message["value"])
        left = self._producer.flush(_FLUSH_S)
        if self._errors:
            raise translated(self._errors[0], f"writing to {self._prefix}*")
        if left:
            raise BrokerUnavailable(f"{left} records for {self._prefix}* were not acknowledged")

    def _send(self, role: str, key: Any, value: bytes, headers: Any = None) -> None:
        topic, shard = self._prefix + role, self._shard
        while True:
            try:
                self._producer.produce(
                    topic, value, key=key, partition=shard, headers=headers, on_delivery=self._done
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _done(self, error: Any, _: Any) -> None:
        if error is not None:
            self._errors.append(KafkaException(error))
