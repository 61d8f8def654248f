"""Snapshots as commands see them: listed, checked, and brought into an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from operators.hlm.membership import Membership, membership
from schemas.errors import ConfigError, StateError
from state.audit.leaf import COLUMN, RECORD_DTYPE, SNAPSHOT, record_numbers
from state.objects import ObjectStore
from state.snapshots.reading import find_snapshot, load_snapshot
from streams.keys import CellKeys
from streams.messages import build_codecs
from streams.shard import restore
from streams.shard.engine import Engine

if TYPE_CHECKING:
    from state.snapshots.manifest import Manifest
    from state.snapshots.reading import Snapshot
    from streams.settings import Settings
    from streams.trail import TrailLog


class CheckedCell(NamedTuple):
    """What a check found of one cell.

    Attributes:
        tenant: whose.
        records: audit records as of the snapshot.
        membership: whether every id of the linear model is found where it stands; None: the
            tenant's keys were destroyed, and nobody can tell any more.
        marked: whether the audit log has a mark of this snapshot; None: not looked for.
    """

    tenant: str
    records: int
    membership: Membership | None
    marked: bool | None

    @property
    def holds(self) -> bool:
        """Nothing is wrong with it."""
        found = self.membership is None or self.membership.holds
        return found and self.marked is not False


def snapshot_store(settings: Settings) -> ObjectStore:
    """Return where the settings have snapshots.

    Raises:
        ConfigError: nowhere.
    """
    if settings.snapshots.url is None:
        raise ConfigError(
            "snapshots.url (WEIR_SNAPSHOTS__URL) names no store: set it to a folder or to "
            "s3://bucket/prefix, for the workers too"
        )
    return ObjectStore(settings.snapshots.url)


def build_engine(settings: Settings, shard: int) -> Engine:
    """Return the empty engine of a shard, as a worker builds it.

    Raises:
        ConfigError: settings cannot be used.
        SecretError: a secret is missing.
    """
    return Engine(
        shard,
        settings.learner,
        CellKeys.open(settings),
        build_codecs(settings),
        application_id=settings.application_id,
        source_topic=settings.topics.name("events"),
        max_event_bytes=settings.stream.max_event_bytes,
        max_tenants=settings.stream.max_tenants,
        labels=settings.labels,
        quotas=settings.quotas,
    )


def load_into(engine: Engine, store: ObjectStore, snapshot: Snapshot) -> Manifest:
    """Put the cells of a snapshot into an empty engine.

    Raises:
        StateError: the snapshot is damaged.
        ConfigError: it was learnt with other settings.
        SecretError: a version of a secret that it needs is not here.
    """
    manifest, records = load_snapshot(store, snapshot)
    where = f"{store.url}/{snapshot.folder}"
    restore.load_records(engine, records, where, manifest.application_id)
    return manifest


def check_snapshot(
    settings: Settings, store: ObjectStore, snapshot: Snapshot, logs: dict[str, TrailLog] | None
) -> list[CheckedCell]:
    """Load a snapshot whole and look into its cells.

    Args:
        settings: of the application.
        store: where it lies.
        snapshot: which.
        logs: tenant → audit log, to look for the mark; None: not to.

    Raises:
        StateError: an object is damaged or missing.
    """
    engine = build_engine(settings, snapshot.id.shard)
    manifest = load_into(engine, store, snapshot)
    tenants = engine.tenants
    return [
        CheckedCell(
            cell.tenant,
            cell.records,
            membership(tenants[cell.tenant].hlm) if cell.tenant in tenants else None,
            None if logs is None else is_marked(logs[cell.tenant], snapshot.digest),
        )
        for cell in manifest.cells
    ]


def is_marked(log: TrailLog, digest: bytes) -> bool:
    """Tell whether an audit log has a mark of a snapshot. O(records)."""
    wanted = np.frombuffer(digest, np.uint8)
    for record in log.records():
        if record_numbers(record)[0, COLUMN["format"]] == SNAPSHOT and np.array_equal(
            np.frombuffer(record, RECORD_DTYPE)["leaf"]["event_digest"][0], wanted
        ):
            return True
    return False


def named_snapshot(store: ObjectStore, application_id: str, shard: int, name: str) -> Snapshot:
    """Return a snapshot by its id, or the newest for ``latest``.

    Raises:
        StateError: there is none.
    """
    found = find_snapshot(store, application_id, shard, name)
    if found is None:
        raise StateError(
            f"{store.url} has no snapshot {name!r} of shard {shard} of {application_id}: "
            "`weir snapshot list` shows what is there"
        )
    return found
