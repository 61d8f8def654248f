"""The Faust application: agents that feed shards, tables whose partitions are shards.

Faust decides which worker owns which partition and which is its standby, and fetches. What it would
do less safely — restoring, writing tables, committing — the shards do (see ``streams.shard``), and
``streams.standby`` keeps the standbys.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import faust
from faust.stores import base

from schemas.errors import Bug
from streams.kafka.assignor import ShardAssignor
from streams.kafka.credentials import faust_credentials
from streams.kafka.fetch import BatchApp, FetchedBatch, ShardTableManager
from streams.kafka.topics import SOURCE_ROLE, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.types import TP

    from streams.settings import Settings
    from streams.shards import Shards

# A fetch is bounded in bytes; this bound on records must not cut it shorter.
POLL_RECORDS = 20_000
FETCH_BYTES = 4 * 1024 * 1024
REQUEST_S = 90.0  # Faust's default; it must exceed the session timeout
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}


class ShardTableStore(base.Store[bytes, bytes]):
    """What Faust sees of the shards' tables: rebalances, and how far they have come."""

    def __init__(self, *args: Any, shards: Shards, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shards = shards

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the changelog offset that the partition's table has reached."""
        return self._shards.store(tp.partition).changelog_offset

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - the interface names it
        newly_assigned: set[TP],  # noqa: ARG002 - the same
        generation_id: int = 0,  # noqa: ARG002 - the same
    ) -> None:
        """Bring the shards of the new assignment up before Faust looks at any offset."""
        changelogs = self.table.changelog_topic.topics
        standbys = {
            tp.partition for tp in self.app.assignor.assigned_standbys() if tp.topic in changelogs
        }
        mine = {tp.partition for tp in assigned if tp.topic in changelogs} - standbys
        await self._shards.assign(mine, standbys)

    def apply_changelog_batch(self, *_: Any, **__: Any) -> None:
        """Refuse: shards restore themselves, and ``Standbys`` keeps the standby tables."""
        raise Bug("Faust read a changelog that it was told nothing of")

    def reset_state(self) -> None:
        """Refuse: Faust's reset would delete tables under the shards' feet."""
        raise Bug("tables are reset by deleting their folder while the worker is down")

    async def backup_partition(self, *_: Any, **__: Any) -> None:
        """Refuse: a copy of a table without its place in the changelog is of no use."""
        raise Bug("Faust's backups of tables are not used; the changelog is the backup")

    def restore_backup(self, *_: Any, **__: Any) -> None:
        """Refuse, as above."""
        raise Bug("Faust's backups of tables are not used; the changelog is the backup")


class ShardTable(faust.Table[bytes, bytes]):
    """The table whose partitions are the shards' state."""

    def __init__(self, *args: Any, shards: Shards, **kwargs: Any) -> None:
        self._shards = shards
        super().__init__(*args, **kwargs)

    def _new_store_by_url(self, url: Any) -> ShardTableStore:
        return ShardTableStore(url, self.app, self, loop=self.loop, shards=self._shards)

    def send_changelog(self, partition: int | None, *_: Any, **__: Any) -> Any:
        """Send nothing: the unit of work writes the changelog in its transaction."""
        return types.SimpleNamespace(message=types.SimpleNamespace(partition=partition))


class Fed(NamedTuple):
    """What an agent feeds.

    Attributes:
        role: of the topic that it reads.
        table: name of the table that its shards keep.
        shards: of this worker, empty.
    """

    role: str
    table: str
    shards: Shards


def build_app(
    settings: Settings, shards: Shards, partitions: int, url: str, others: Sequence[Fed] = ()
) -> BatchApp:
    """Wire agents, tables and shards together.

    Args:
        settings: all of them; ``broker.bootstrap`` known.
        shards: the shards of this worker, empty.
        partitions: of the source topics and the changelogs.
        url: where other workers reach this one's HTTP server; told to the whole group.
        others: what else is read, its shards empty.
    """
    all_fed = (Fed(SOURCE_ROLE, TABLE_NAME, shards), *others)
    fed = {settings.topics.name(one.role): one for one in all_fed}
    stream = settings.stream
    assert settings.broker.bootstrap is not None
    app = BatchApp(
        settings.application_id,
        state_offset=lambda topic, partition: fed[topic].shards.next_offset(partition),
        batch_topics=frozenset(fed),
        # Half of what a shard gathers for anyway: an event waits little longer, if at all.
        fetch_wait_ms=max(1, stream.gather_ms // 2),
        failed=shards.failed,
        TableManager=ShardTableManager,
        PartitionAssignor=ShardAssignor,
        broker=[f"kafka://{address}" for address in settings.broker.bootstrap.split(",")],
        broker_client_id=f"weir-{settings.application_id}",
        broker_credentials=faust_credentials(settings.broker),
        store="rocksdb://",
        datadir=str(settings.state_dir / "faust"),
        web_enabled=False,
        canonical_url=url,
        autodiscover=False,
        topic_disable_leader=True,
        # They are there. Faust would ask one broker to make them, and fail if that one is away.
        topic_allow_declare=False,
        topic_partitions=partitions,
        table_standby_replicas=stream.standby_replicas,
        consumer_group_instance_id=stream.static_member,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_records=POLL_RECORDS,
        broker_session_timeout=float(stream.session_timeout_s),
        broker_heartbeat_interval=stream.session_timeout_s / 4,
        broker_rebalance_timeout=60.0,
        broker_request_timeout=max(REQUEST_S, 2.0 * stream.session_timeout_s),
        stream_wait_empty=False,
        # The shards' watchdog does this, knowing what progress is.
        broker_commit_livelock_soft_timeout=86_400.0,
        stream_processing_timeout=86_400.0,
        recovery_consistency_check=False,
    )
    for topic, one in fed.items():
        _feed(app, topic, partitions, one)
    return app


def _feed(app: BatchApp, topic: str, partitions: int, fed: Fed) -> None:
    """Let an agent feed shards with a topic, and pause them before they are taken away."""
    shards = fed.shards
    app.tables.add(
        ShardTable(
            app,
            name=fed.table,
            partitions=partitions,
            shards=shards,
            key_type=bytes,
            value_type=bytes,
        )
    )

    @app.agent(app.topic(topic, partitions=partitions, **RAW), name=f"weir-{fed.role}")
    async def ingest(stream: Any) -> None:
        async for event in stream.noack().events():
            batch: FetchedBatch = event.value
            event.ack()
            await shards.offer(event.message.partition, batch)

    async def pause(_: Any, revoked: set[TP], **__: Any) -> None:
        await shards.pause({tp.partition for tp in revoked if tp.topic == topic})

    cast("Any", app.on_partitions_revoked).connect(pause, weak=False)
