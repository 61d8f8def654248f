"""Deletes old snapshots, by count and by age, and what interrupted ones left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from state.snapshots.manifest import SnapshotId, shard_folder
from state.snapshots.reading import list_snapshots

if TYPE_CHECKING:
    from state.objects import ObjectStore

DAY_US: Final = 86_400 * 1_000_000
LEFTOVER_US: Final = DAY_US
"""A folder without a good manifest may be a snapshot that is being written, for so long."""


class Pruned(NamedTuple):
    """What was deleted: ids of snapshots, and of folders that never became one."""

    snapshots: tuple[str, ...]
    leftovers: tuple[str, ...]


def prune(
    store: ObjectStore,
    application_id: str,
    shard: int,
    *,
    keep: int,
    keep_days: float | None,
    now_us: int,
) -> Pruned:
    """Delete the snapshots of a shard that are neither among the newest nor young enough.

    The newest good one always stays. A manifest goes before its blobs: whatever interrupts this, no
    manifest speaks of a blob that is gone.

    Args:
        store: where they are.
        application_id: whose.
        shard: which.
        keep: so many of the newest stay, at least 1.
        keep_days: younger ones stay as well, however many; None: count alone decides.
        now_us: now, microseconds since the epoch.

    Raises:
        StateError: an object cannot be deleted, because it is locked for one.
    """
    snapshots = list_snapshots(store, application_id, shard)
    old = [
        one
        for one in snapshots[: -max(1, keep)]
        if keep_days is None or one.id.created_us < now_us - keep_days * DAY_US
    ]
    for one in old:
        store.delete(one.manifest)
        for name in store.names(one.folder):
            store.delete(name)
    good = {str(one.id) for one in snapshots}
    leftovers = []
    for name in store.names(shard_folder(application_id, shard)):
        parsed = SnapshotId.parse(name.split("/")[-2])
        if parsed is None or str(parsed) in good or parsed.created_us > now_us - LEFTOVER_US:
            continue
        store.delete(name)
        leftovers.append(str(parsed))
    return Pruned(tuple(str(one.id) for one in old), tuple(dict.fromkeys(leftovers)))
