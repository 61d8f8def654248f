"""Topics: what the application needs, made where missing, refused where it does not fit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.errors import BrokerUnavailable, TopologyError
from streams.kafka.clients import client_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import BrokerSettings, Settings

CALL_S = 10
SHOWN_PAUSE_S = 0.05
SOURCE_ROLE = "events"
OUTPUT_ROLES = ("predictions", "audit", "audit-checkpoints", "quarantine")
TABLE_NAME = "state"

FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
TOPIC_CONFIG: dict[str, dict[str, str]] = {
    # An audit trail that is compacted or expires can no longer be verified.
    "audit": FOREVER,
    "audit-checkpoints": FOREVER,
    "quarantine": {"cleanup.policy": "delete", "retention.ms": "-1"},
}
CHANGELOG_CONFIG = {"cleanup.policy": "compact", "max.message.bytes": "10000000"}


def changelog_name(application_id: str) -> str:
    """Return the name of the state's changelog, as Faust names it."""
    return f"{application_id}-{TABLE_NAME}-changelog"


def admin(broker: BrokerSettings) -> AdminClient:
    """Return an admin client."""
    return AdminClient(client_config(broker))


def partition_counts(client: AdminClient, address: str | None) -> dict[str, int]:
    """Return the partition count of every topic on the cluster.

    Raises:
        BrokerUnavailable: nothing answers at the address.
    """
    try:
        topics = client.list_topics(timeout=CALL_S).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no broker answers at {address}: {error.args[0].str()}. Start one (`weir up`), or "
            "correct broker.bootstrap (WEIR_BROKER__BOOTSTRAP) and the security settings"
        ) from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def create_topics(
    client: AdminClient, topics: Mapping[str, tuple[int, int, dict[str, str]]]
) -> None:
    """Create topics: name → (partitions, replication, configuration). Existing ones are left alone.

    Raises:
        TopologyError: the cluster refuses.
    """
    wanted: list[Any] = [
        NewTopic(name, num_partitions=parts, replication_factor=copies, config=config)
        for name, (parts, copies, config) in topics.items()
    ]
    if not wanted:
        return
    for name, made in client.create_topics(wanted).items():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise TopologyError(
                f"topic {name} cannot be created: {error.args[0].str()}. Create it by hand, or "
                "give the application's user the right to"
            ) from error
    _wait_shown(client, set(topics))


def _wait_shown(client: AdminClient, names: set[str]) -> None:
    """Wait until the cluster's metadata shows topics: for a moment after creation it may not.

    Raises:
        BrokerUnavailable: it does not in time.
    """
    deadline = time.monotonic() + CALL_S
    while missing := names - set(client.list_topics(timeout=CALL_S).topics):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"topics {', '.join(sorted(missing))} were created and are still not shown after "
                f"{CALL_S} s; check that the brokers are well"
            )
        time.sleep(SHOWN_PAUSE_S)


def create_source(settings: Settings) -> None:
    """Create the ``events`` topic where it is missing, with the partitions of the settings."""
    name = settings.topics.name(SOURCE_ROLE)
    create_topics(
        admin(settings.broker),
        {name: (settings.topics.partitions, settings.topics.replication, {})},
    )


def prepare_topics(settings: Settings) -> int:
    """Check the topics of the application and create its own where they are missing.

    Returns:
        The number of shards: the partitions of the source topic.

    Raises:
        BrokerUnavailable: no broker answers.
        TopologyError: the source topic is missing, or another topic has another number of
        partitions.
    """
    client = admin(settings.broker)
    counts = partition_counts(client, settings.broker.bootstrap)
    source = settings.topics.name(SOURCE_ROLE)
    shards = counts.get(source)
    if shards is None:
        raise TopologyError(
            f"topic {source} is not on {settings.broker.bootstrap}. Create it with as many "
            "partitions as you want shards (`weir up` makes it with topics.partitions = "
            f"{settings.topics.partitions}), or set topics.prefix to where your events are"
        )
    changelog = changelog_name(settings.application_id)
    copies = settings.topics.replication
    needed: dict[str, tuple[int, int, dict[str, str]]] = {
        settings.topics.name(role): (shards, copies, TOPIC_CONFIG.get(role, {}))
        for role in OUTPUT_ROLES
    }
    needed[changelog] = (shards, copies, CHANGELOG_CONFIG)
    for name in needed:
        have = counts.get(name)
        if have is not None and have != shards:
            what = "The state of this application is" if name == changelog else "Its records are"
            raise TopologyError(
                f"topic {source} has {shards} partitions, but {name} has {have}. {what} sharded "
                f"by {have} and cannot be read with another number: an id would meet a shard that "
                f"never learnt it. Give {source} {have} partitions again (delete and create it, "
                "or use another prefix), or start a new application_id and replay the log into it"
            )
    create_topics(client, {name: spec for name, spec in needed.items() if name not in counts})
    return shards
