"""Topics: what the application needs, made where missing, refused where it does not fit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from schemas.errors import BrokerUnavailable, ConfigError, TopologyError
from streams.kafka.clients import client_config
from streams.kafka.errors import UNKNOWN_TOPIC, is_passing, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import BrokerSettings, Settings

log = structlog.get_logger(__name__)

CALL_S = 10
SHOWN_PAUSE_S = 0.05
SOURCE_ROLE = "events"
OUTPUT_ROLES = ("predictions", "audit", "audit-checkpoints", "quarantine")
TABLE_NAME = "state"
TOKENS_ROLE = "tokens"
TOKENS_AUDIT_ROLE = "tokens-audit"
TOKENS_CHECKPOINTS_ROLE = "tokens-audit-checkpoints"
TOKENS_OUTPUT_ROLES = {
    "verdicts": "verdicts",
    "audit": TOKENS_AUDIT_ROLE,
    "audit-checkpoints": TOKENS_CHECKPOINTS_ROLE,
    "quarantine": "quarantine",
}
"""Role in a unit of work → role of its topic, of all that shards of tokens write."""
TOKENS_TABLE_NAME = "streams"

MAX_RECORD_BYTES = 10_000_000
"""Largest record that a shard sends; topics that Weir makes and that may need it take as much."""

LEAST_BATCH_BYTES = 1_048_588
"""Kafka's default for ``max.message.bytes``. Batches of small records are filled up to 1 MB."""

FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
TOPIC_CONFIG: dict[str, dict[str, str]] = {
    # An audit trail that is compacted or expires can no longer be verified.
    "audit": FOREVER,
    "audit-checkpoints": FOREVER,
    TOKENS_AUDIT_ROLE: FOREVER,
    TOKENS_CHECKPOINTS_ROLE: FOREVER,
    "quarantine": {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "max.message.bytes": str(MAX_RECORD_BYTES),
    },
}
CHANGELOG_CONFIG = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_RECORD_BYTES)}


class Topics(NamedTuple):
    """What a worker needs to know of its topics.

    Attributes:
        shards: partitions of the source topic.
        quarantine_bytes: largest record that the quarantine topic takes.
    """

    shards: int
    quarantine_bytes: int


def changelog_name(application_id: str, table: str = TABLE_NAME) -> str:
    """Return the name of a table's changelog, as Faust names it; that of the cells by default."""
    return f"{application_id}-{table}-changelog"


def tokens_application(application_id: str) -> str:
    """Return under which name shards of tokens sign and seal: it begins their chains' origins."""
    return f"{application_id}-{TOKENS_ROLE}"


def admin(broker: BrokerSettings) -> AdminClient:
    """Return an admin client.

    Raises:
        ConfigError: the client library refuses the settings; connects to nothing yet.
    """
    try:
        return AdminClient(client_config(broker))
    except KafkaException as error:
        raise ConfigError(
            f"the settings of broker cannot be used: {error.args[0].str()}"
        ) from error


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


def topic_ids(client: AdminClient, names: list[str]) -> str:
    """Return the ids that the cluster gave topics when they were made; others after a re-creation.

    Raises:
        BrokerUnavailable: no answer in time.
        TopologyError: a topic is not there.
    """
    answers = client.describe_topics(TopicCollection(names), request_timeout=CALL_S)
    try:
        return ",".join(str(answers[name].result().topic_id) for name in names)
    except KafkaException as error:
        raise translated(error, f"description of topics {', '.join(names)}") from error


def create_topics(
    client: AdminClient, topics: Mapping[str, tuple[int, int, dict[str, str]]]
) -> None:
    """Create topics: name → (partitions, replication, configuration). Existing ones are left alone.

    Raises:
        BrokerUnavailable: no answer in time.
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
            if is_passing(error.args[0]):
                raise translated(error, f"creation of topic {name}") from error
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
        {name: (settings.topics.partitions, copies_of(settings), {})},
    )


def prepare_topics(settings: Settings) -> Topics:
    """Check the topics of the application and create its own where they are missing.

    Raises:
        BrokerUnavailable: no broker answers.
        ConfigError: the settings of the broker cannot be used.
        TopologyError: the source topic is missing, another topic has another number of partitions,
            or one takes smaller records than are sent to it.
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
    copies = copies_of(settings)
    needed: dict[str, tuple[int, int, dict[str, str]]] = {
        changelog: (shards, copies, CHANGELOG_CONFIG)
    }
    for role in OUTPUT_ROLES:
        needed[settings.topics.name(role)] = (shards, copies, TOPIC_CONFIG.get(role, {}))
    if settings.hierarchy.enabled:
        tokens = changelog_name(settings.application_id, TOKENS_TABLE_NAME)
        needed[tokens] = (shards, copies, CHANGELOG_CONFIG)
        for role in (TOKENS_ROLE, *TOKENS_OUTPUT_ROLES.values()):
            needed[settings.topics.name(role)] = (shards, copies, TOPIC_CONFIG.get(role, {}))
    check_partitions(source, shards, {name: counts.get(name) for name in needed}, changelog)
    create_topics(client, {name: spec for name, spec in needed.items() if name not in counts})
    limits = record_limits(client, list(needed))
    check_limits(limits)
    quarantine = limits[settings.topics.name("quarantine")]
    return Topics(shards, min(MAX_RECORD_BYTES, quarantine))


def copies_of(settings: Settings) -> int:
    """Return the replication factor of new topics; -1 leaves it to the brokers (KIP-464)."""
    return settings.topics.replication or -1


def check_partitions(
    source: str, shards: int, counts: Mapping[str, int | None], changelog: str
) -> None:
    """Refuse topics that are sharded by another number than the source.

    Args:
        source: the source topic.
        shards: its partitions.
        counts: partitions of the application's own topics, None where there is no topic yet.
        changelog: the one of them that holds the state.

    Raises:
        TopologyError: there are such topics.
    """
    misfits = {name: have for name, have in counts.items() if have not in {None, shards}}
    if not misfits:
        return
    told = ", ".join(f"{name} has {have}" for name, have in misfits.items())
    what = "The state" if changelog in misfits else "What was written"
    raise TopologyError(
        f"topic {source} has {shards} partitions, but {told}. {what} is sharded by the older "
        "number and cannot be read with another: an id would meet a shard that never learnt it. "
        f"To go on, bring {source} back to that number (Kafka only ever adds partitions, so it "
        "must be created anew with its events). To migrate, let `weir reshard` copy the events "
        "into a new application with the number that you want, which learns them anew "
        "(docs/resharding.md)"
    )


def check_limits(limits: Mapping[str, int]) -> None:
    """Refuse topics that do not take the batches that are sent to them.

    Args:
        limits: topic → largest batch of records that it takes, in bytes.

    Raises:
        TopologyError: there are such topics.
    """
    small = {name: limit for name, limit in limits.items() if limit < LEAST_BATCH_BYTES}
    if small:
        told = ", ".join(f"{name} takes {limit}" for name, limit in small.items())
        raise TopologyError(
            f"topics that take too little: {told} bytes (max.message.bytes); at least "
            f"{LEAST_BATCH_BYTES}, Kafka's default, are needed. Raise it with kafka-configs"
        )


def record_limits(client: AdminClient, topics: list[str]) -> dict[str, int]:
    """Return the largest batch of records that each topic takes, in bytes.

    Where the user may not ask, Kafka's default is taken for the limit.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    deadline = time.monotonic() + CALL_S
    limits: dict[str, int] = {}
    while missing := [name for name in topics if name not in limits]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in missing]
        for resource, answer in client.describe_configs(resources, request_timeout=CALL_S).items():
            try:
                limits[resource.name] = int(answer.result()["max.message.bytes"].value)
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    log.warning(
                        "may not see a topic's configuration; Kafka's default limit is assumed",
                        topic=resource.name,
                        assumed=LEAST_BATCH_BYTES,
                    )
                    limits[resource.name] = LEAST_BATCH_BYTES
                # Another broker than the one that shows a new topic may not know of it yet.
                elif code not in UNKNOWN_TOPIC or time.monotonic() > deadline:
                    raise translated(error, f"configuration of topic {resource.name}") from error
                else:
                    time.sleep(SHOWN_PAUSE_S)
    return limits
