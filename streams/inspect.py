"""What there is: topics and offsets, shards with their lag and worker, cells with their chains.

Everything is read from the cluster, and beside it from the state folder of this machine as far as
it is here and no worker holds it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin._listoffsets import OffsetSpec

from schemas.errors import BadMessage, BrokerUnavailable, StateError
from state import cell_keys, cells, changelog
from state.store import ShardStore
from streams.audit_reader import read_checkpoint, tenant_of
from streams.gate.topics import (
    CHECKPOINTS_ROLE,
    MESSAGES_ROLE,
    messages_application,
    messages_changelog,
    output_roles,
)
from streams.kafka.clients import client_config, retried
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import (
    CALL_S,
    OUTPUT_ROLES,
    SOURCE_ROLE,
    TOKENS_CHECKPOINTS_ROLE,
    TOKENS_OUTPUT_ROLES,
    TOKENS_ROLE,
    TOKENS_TABLE_NAME,
    admin,
    changelog_name,
    partition_counts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from confluent_kafka.admin import AdminClient

    from streams.settings import Settings

GROUP_S: Final = 15
"""How long a broker that has just started may take to know the coordinator of the group."""

NO_GROUP: Final = "None"
"""State of a group that was never there."""

LATEST_CHECKPOINTS: Final = 5_000
"""Offsets at the end of each partition that are searched for the last checkpoint of each cell."""


@dataclass(frozen=True)
class TopicReport:
    """One topic of the application.

    Attributes:
        name: full name.
        role: what it is for; ``changelog`` for the state's.
        starts: first offset of each partition; empty if the topic is not there.
        ends: last stable offset of each partition.
    """

    name: str
    role: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def offsets(self) -> int:
        """Offsets in the log: records, and the markers of transactions."""
        return sum(self.ends) - sum(self.starts)


@dataclass(frozen=True)
class LocalState:
    """A shard's table on this machine.

    Attributes:
        source_offset: what its outputs have reached; None before the first unit of work.
        checkpoint_offset: what its arrays have reached.
        changelog_offset: of the last changelog record in it.
        tenants: whose cells it holds.
        bytes_on_disk: about.
    """

    source_offset: int | None
    checkpoint_offset: int | None
    changelog_offset: int | None
    tenants: tuple[str, ...]
    bytes_on_disk: int


@dataclass(frozen=True)
class ShardReport:
    """One shard.

    Attributes:
        source: role of the topic that it takes: ``events``, ``messages`` or ``tokens``.
        shard: partition number.
        start: first offset of the source partition.
        end: last stable offset of the source partition.
        committed: offset that the group has committed; None before the first unit of work.
        worker: member of the group that serves it; None where none does.
        local: its table on this machine; None where there is none, or it cannot be read.
        unreadable: why it cannot be read.
    """

    source: str
    shard: int
    start: int
    end: int
    committed: int | None
    worker: str | None
    local: LocalState | None
    unreadable: str | None

    @property
    def lag(self) -> int:
        """Records that wait."""
        return max(0, self.end - (self.start if self.committed is None else self.committed))


@dataclass(frozen=True)
class CellReport:
    """The audit log of one cell, as its latest checkpoint has it.

    Attributes:
        source: role of the topic whose shards have it.
        tenant: whose.
        shard: where.
        size: records, one for each step.
        root: RFC 6962 root over them.
        chain_head: leaf hash of the last.
    """

    source: str
    tenant: str
    shard: int
    size: int
    root: bytes
    chain_head: bytes


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        bootstrap: the cluster.
        application_id: the application, and its consumer group.
        group_state: as Kafka calls it; ``Stable`` while workers serve.
        topics: source, outputs, changelog.
        shards: none if the source topic is not there.
        cells: of which a checkpoint was found.
        searched_all: whether all checkpoints were looked at, so that no cell is missing.
    """

    bootstrap: str
    application_id: str
    group_state: str
    topics: list[TopicReport]
    shards: list[ShardReport]
    cells: list[CellReport]
    searched_all: bool


def inspect_application(settings: Settings) -> Report:
    """Look at an application.

    Args:
        settings: ``broker.bootstrap`` known.

    Raises:
        BrokerUnavailable: the cluster does not answer, or not to this user.
    """
    assert settings.broker.bootstrap is not None
    client = admin(settings.broker)
    counts = partition_counts(client, settings.broker.bootstrap)
    try:
        topics = _topics(settings, client, counts)
        state, workers = _group(settings, client)
        shards: list[ShardReport] = []
        cells_found: list[CellReport] = []
        searched_all = True
        for kind in _kinds(settings):
            shards += _shards(kind, settings, topics, workers)
            found, whole = _cells(kind, settings, topics)
            cells_found += found
            searched_all = searched_all and whole
    except KafkaException as error:
        raise BrokerUnavailable(
            f"{settings.broker.bootstrap} does not tell: {error.args[0].str()}; check the brokers "
            "and the rights of the application's user"
        ) from error
    return Report(
        settings.broker.bootstrap,
        settings.application_id,
        state,
        topics,
        shards,
        cells_found,
        searched_all,
    )


def _topics(settings: Settings, client: AdminClient, counts: dict[str, int]) -> list[TopicReport]:
    roles = {settings.topics.name(role): role for role in (SOURCE_ROLE, *OUTPUT_ROLES)}
    roles[changelog_name(settings.application_id)] = "changelog"
    if settings.messages.enabled:
        ours = (MESSAGES_ROLE, *output_roles(settings).values())
        roles |= {settings.topics.name(role): role for role in ours}
        roles[messages_changelog(settings.application_id)] = "messages-changelog"
    if settings.hierarchy.enabled:
        ours = (TOKENS_ROLE, *TOKENS_OUTPUT_ROLES.values())
        roles |= {settings.topics.name(role): role for role in ours}
        tokens = changelog_name(settings.application_id, TOKENS_TABLE_NAME)
        roles[tokens] = "tokens-changelog"
    partitions = [TopicPartition(name, p) for name in roles for p in range(counts.get(name, 0))]
    starts = _offsets(client, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    ends = _offsets(client, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    return [
        TopicReport(
            name,
            role,
            tuple(starts[name, p] for p in range(counts.get(name, 0))),
            tuple(ends[name, p] for p in range(counts.get(name, 0))),
        )
        for name, role in roles.items()
    ]


def _offsets(
    client: AdminClient, partitions: Iterable[TopicPartition], which: OffsetSpec
) -> dict[tuple[str, int], int]:
    request = dict.fromkeys(partitions, which)
    if not request:
        return {}
    answers = client.list_offsets(
        request, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=CALL_S
    )
    return {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}


def _group(settings: Settings, client: AdminClient) -> tuple[str, dict[int, str]]:
    """Return the group's state, and who serves which shard."""
    group = settings.application_id
    source = settings.topics.name(SOURCE_ROLE)

    def ask() -> Any:
        return client.describe_consumer_groups([group], request_timeout=CALL_S)[group].result()

    try:
        described = retried(ask, f"asking for the consumer group {group}", GROUP_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return NO_GROUP, {}
        raise
    workers = {
        assigned.partition: f"{member.group_instance_id or member.client_id} {member.host}"
        for member in described.members
        for assigned in member.assignment.topic_partitions
        if assigned.topic == source
    }
    return described.state.name.title(), workers


def _committed(settings: Settings, group: str, source: TopicReport) -> dict[int, int]:
    # A consumer that never joins: the admin client's own call for this crashes the interpreter
    # where the group's coordinator is not known yet (confluent-kafka 2.16.0).
    consumer = Consumer(client_config(settings.broker, group_id=group))
    partitions = [TopicPartition(source.name, shard) for shard in range(len(source.ends))]
    try:
        found = retried(
            lambda: consumer.committed(partitions, timeout=CALL_S),
            f"asking for the offsets of the group {group}",
            GROUP_S,
        )
    finally:
        consumer.close()
    return {tp.partition: tp.offset for tp in found if tp.offset >= 0}


class _Kind(NamedTuple):
    """Shards of one source: its role, their consumer group, tables and audit trail."""

    source: str
    group: str
    folder: Path
    checkpoints: str


def _kinds(settings: Settings) -> list[_Kind]:
    group = settings.application_id
    found = [_Kind(SOURCE_ROLE, group, settings.state_dir, "audit-checkpoints")]
    if settings.messages.enabled:
        ours = messages_application(group)
        found.append(_Kind(MESSAGES_ROLE, ours, settings.messages_dir, CHECKPOINTS_ROLE))
    if settings.hierarchy.enabled:
        found.append(_Kind(TOKENS_ROLE, group, settings.tokens_dir, TOKENS_CHECKPOINTS_ROLE))
    return found


def _shards(
    kind: _Kind, settings: Settings, topics: list[TopicReport], workers: dict[int, str]
) -> list[ShardReport]:
    [source] = [topic for topic in topics if topic.role == kind.source]
    committed = _committed(settings, kind.group, source) if source.ends else {}
    return [
        ShardReport(
            kind.source,
            shard,
            start,
            end,
            committed.get(shard),
            workers.get(shard),
            *_local(kind.folder / f"shard-{shard:05d}"),
        )
        for shard, (start, end) in enumerate(zip(source.starts, source.ends, strict=True))
    ]


def _local(path: Path) -> tuple[LocalState | None, str | None]:
    if not path.exists():
        return None, None
    try:
        with ShardStore(path, read_only=True) as store:
            source = store.get(cell_keys.offset_key())
            checkpoint = store.get(cell_keys.checkpoint_key())
            found = LocalState(
                source_offset=None if source is None else changelog.decode_offset(source),
                checkpoint_offset=None
                if checkpoint is None
                else changelog.decode_checkpoint(checkpoint).source_offset,
                changelog_offset=store.changelog_offset,
                tenants=tuple(cells.tenants(store)),
                bytes_on_disk=store.size_bytes(),
            )
    except StateError as error:
        return None, str(error)
    return found, None


def _cells(
    kind: _Kind, settings: Settings, topics: list[TopicReport]
) -> tuple[list[CellReport], bool]:
    [trail] = [topic for topic in topics if topic.role == kind.checkpoints]
    reader = PartitionReader(settings.broker)
    latest: dict[tuple[int, str], CellReport] = {}
    searched_all = True
    for shard, (start, end) in enumerate(zip(trail.starts, trail.ends, strict=True)):
        first = max(start, end - LATEST_CHECKPOINTS)
        searched_all = searched_all and first == start
        for batch in reader.read(trail.name, shard, first, end):
            for record in batch:
                tenant = tenant_of(record.key)
                # A message that is no checkpoint is what `weir verify` is there to find.
                with suppress(BadMessage):
                    note = read_checkpoint(record.value)
                    latest[shard, tenant] = CellReport(
                        kind.source, tenant, shard, note.tree_size, note.root, note.chain_head
                    )
    reader.close()
    return [cell for _, cell in sorted(latest.items())], searched_all
