"""Which two applications a resharding is about, and the topics of the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin._config import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
)
from confluent_kafka.admin._resource import ResourceType

from schemas.errors import ConfigError, TopologyError
from streams.feed import murmur2_partition
from streams.kafka.errors import translated
from streams.kafka.topics import (
    CALL_S,
    LEAST_BATCH_BYTES,
    SOURCE_ROLE,
    admin,
    changelog_name,
    copies_of,
    create_topics,
    partition_counts,
    prepare_topics,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

    from streams.kafka.reader import Record
    from streams.settings import Settings

PLACE_HEADER: Final = "weir-copied-from"
"""Header of a copied record: ``application/partition@offset``, where it was copied from."""

_LARGEST: Final = "max.message.bytes"
_PLACE_BYTES: Final = 256  # what the header adds to a record, at most

WHILE_COPYING: Final = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    # The broker's own time would take the place of the record's.
    "message.timestamp.type": "CreateTime",
}
"""Settings of the new log until the cut-over: nothing may be lost of it before it is compared."""

_NOT_COPIED: Final = ("leader.replication.", "follower.replication.")


class Resharding(NamedTuple):
    """The two applications.

    Attributes:
        old: settings of the one that there is.
        new: settings of the one that takes over.
        old_shards: partitions of the old log.
    """

    old: Settings
    new: Settings
    old_shards: int

    @property
    def old_log(self) -> str:
        """Topic that is copied."""
        return self.old.topics.name(SOURCE_ROLE)

    @property
    def new_log(self) -> str:
        """Topic that it is copied to."""
        return self.new.topics.name(SOURCE_ROLE)

    @property
    def new_shards(self) -> int:
        """Partitions of the new log."""
        return self.new.topics.partitions

    @property
    def name(self) -> str:
        """Consumer group whose offsets say how far the copy is, and its transactional id."""
        return f"{self.new.application_id}-reshard"

    def shard_of(self, partition: int, key: bytes | None) -> int:
        """Return the new partition of a record.

        Args:
            partition: where it is in the old log. Records without a key stay together with those of
                their partition: what one shard learnt is learnt by one shard again.
            key: its key.
        """
        if key is None:
            return partition % self.new_shards
        return murmur2_partition(key, self.new_shards)


def plan(settings: Settings, application_id: str, prefix: str, shards: int) -> Resharding:
    """Put the two applications beside each other; changes nothing.

    Args:
        settings: of the one that there is.
        application_id: of the new one.
        prefix: of its topics.
        shards: how many it is to have.

    Raises:
        ConfigError: they have something in common that they must not.
        TopologyError: there is no log, or the new one has another number of partitions.
    """
    topics = settings.topics.model_copy(
        update={"prefix": prefix, "events": None, "partitions": shards}
    )
    labels = settings.labels
    if labels.topic is not None:  # it has as many partitions as the events
        labels = labels.model_copy(update={"topic": prefix + labels.topic})
    new = settings.model_copy(
        update={"application_id": application_id, "topics": topics, "labels": labels}
    )
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    old_log = settings.topics.name(SOURCE_ROLE)
    if old_log not in counts:
        raise TopologyError(f"topic {old_log} is not on {settings.broker.bootstrap}")
    made = Resharding(settings, new, counts[old_log])
    if application_id == settings.application_id:
        raise ConfigError(
            f"--application {application_id}: this is the application that there is; its state and "
            "audit trail belong to its number of shards, so the new one needs a name of its own"
        )
    if made.new_log == old_log or prefix == settings.topics.prefix:
        raise ConfigError(f"--prefix {prefix!r}: these are the topics of {settings.application_id}")
    if counts.get(made.new_log, shards) != shards:
        raise TopologyError(
            f"topic {made.new_log} has {counts[made.new_log]} partitions and --shards is {shards}: "
            "name that number, or another --prefix"
        )
    return made


def make_topics(about: Resharding) -> None:
    """Make the new application's topics where they are missing.

    Raises:
        TopologyError: the cluster refuses, or topics of these names do not fit.
        BrokerUnavailable: no answer in time.
    """
    client = admin(about.old.broker)
    config = own_config(client, about.old_log)
    largest = int(config.get(_LARGEST, LEAST_BATCH_BYTES)) + _PLACE_BYTES
    config |= WHILE_COPYING | {_LARGEST: str(largest)}
    create_topics(client, {about.new_log: (about.new_shards, copies_of(about.new), config)})
    prepare_topics(about.new)


def settle_topics(about: Resharding) -> None:
    """Give the new log the old one's retention, as the copy needs it no longer.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigError: access is denied.
    """
    client = admin(about.old.broker)
    config = own_config(client, about.old_log)
    changes = [
        ConfigEntry(
            name,
            config.get(name),
            incremental_operation=AlterConfigOpType.SET
            if name in config
            else AlterConfigOpType.DELETE,
        )
        for name in WHILE_COPYING
    ]
    resource = ConfigResource(ResourceType.TOPIC, about.new_log, incremental_configs=changes)
    try:
        for answer in client.incremental_alter_configs([resource], request_timeout=CALL_S).values():
            answer.result()
    except KafkaException as error:
        raise translated(error, f"configuration of topic {about.new_log}") from error


def own_config(client: AdminClient, topic: str) -> dict[str, str]:
    """Return the settings that a topic has of its own.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigError: access is denied.
    """
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        [answer] = client.describe_configs([resource], request_timeout=CALL_S).values()
        entries: Mapping[str, ConfigEntry] = answer.result()
    except KafkaException as error:
        raise translated(error, f"configuration of topic {topic}") from error
    return {
        name: str(entry.value)
        for name, entry in entries.items()
        if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
        and not name.startswith(_NOT_COPIED)
    }


def place_of(record: Record) -> tuple[str, int, int] | None:
    """Return the application, partition and offset that a record was copied from; None: it was not.

    The last header counts: somebody may have copied the first ones along with an event.
    """
    found = next((value for name, value in reversed(record.headers) if name == PLACE_HEADER), None)
    if found is None:
        return None
    application, _, place = found.decode("utf-8", "replace").rpartition("/")
    partition, _, offset = place.partition("@")
    if not (application and partition.isdecimal() and offset.isdecimal()):
        return None
    return application, int(partition), int(offset)


def place_header(about: Resharding, partition: int, offset: int) -> tuple[str, bytes]:
    """Return the header that says where a record was copied from."""
    return PLACE_HEADER, f"{about.old.application_id}/{partition}@{offset}".encode()


def topics_of(about: Resharding) -> list[str]:
    """Return the names of all topics of the new application."""
    roles = ("events", "predictions", "audit", "audit-checkpoints", "quarantine")
    return [*map(about.new.topics.name, roles), changelog_name(about.new.application_id)]
