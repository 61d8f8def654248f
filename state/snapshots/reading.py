"""Finds and loads snapshots; what does not fit its checksum is refused, never used in part."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.errors import StateError
from state import cell_keys
from state.audit.chain import Chain
from state.snapshots.blobs import records_of
from state.snapshots.manifest import (
    Manifest,
    Part,
    SnapshotId,
    manifest_hash,
    shard_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.objects import ObjectStore

_LATEST: Final = "latest"


class Snapshot(NamedTuple):
    """A snapshot in a store.

    Attributes:
        id: its name.
        folder: where it lies.
        manifest: name of the object of its manifest.
        digest: SHA-256 of its manifest, 32 bytes.
    """

    id: SnapshotId
    folder: str
    manifest: str
    digest: bytes


class SnapshotRecords:
    """The records of a shard in memory, in the order of their keys; see ``state.cells.Records``.

    Args:
        records: key → value.
    """

    def __init__(self, records: dict[bytes, bytes]) -> None:
        self._records = records
        self._keys = sorted(records)

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None."""
        return self._records.get(key)

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in ascending order of keys."""
        for at in range(bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[at]
            if not key.startswith(prefix):
                return
            yield key, self._records[key]


def list_snapshots(store: ObjectStore, application_id: str, shard: int) -> list[Snapshot]:
    """Give the snapshots of a shard, the oldest first: those whose manifest is whole.

    Raises:
        StateError: the store does not answer.
    """
    found = []
    for name in store.names(shard_folder(application_id, shard)):
        digest = manifest_hash(name)
        folder = name.rpartition("/")[0]
        parsed = SnapshotId.parse(folder.rpartition("/")[2])
        if digest is None or parsed is None:
            continue
        if hashlib.sha256(store.get(name)).digest() == digest:
            found.append(Snapshot(parsed, folder, name, digest))
    return sorted(found, key=lambda one: (one.id.created_us, one.id.source_offset))


def find_snapshot(
    store: ObjectStore, application_id: str, shard: int, name: str
) -> Snapshot | None:
    """Give a snapshot of a shard by its id, or the newest one for ``latest``."""
    snapshots = list_snapshots(store, application_id, shard)
    if name == _LATEST:
        return snapshots[-1] if snapshots else None
    return next((one for one in snapshots if str(one.id) == name), None)


def newest_before(
    store: ObjectStore, application_id: str, shard: int, offset: int
) -> Snapshot | None:
    """Give the snapshot whose state stands nearest to a source offset, at it or before."""
    fitting = [
        one
        for one in list_snapshots(store, application_id, shard)
        if one.id.source_offset <= offset
    ]
    return max(fitting, key=lambda one: (one.id.source_offset, one.id.created_us), default=None)


def read_manifest(store: ObjectStore, snapshot: Snapshot) -> Manifest:
    """Read what a snapshot holds.

    Raises:
        StateError: the manifest is damaged or of another version.
    """
    where = f"{store.url}/{snapshot.manifest}"
    data = store.get(snapshot.manifest)
    if hashlib.sha256(data).digest() != snapshot.digest:
        raise StateError(f"{where} does not give the hash in its name: use another snapshot")
    manifest = Manifest.from_bytes(data, where)
    if manifest.id != str(snapshot.id):
        raise StateError(f"{where} is the manifest of {manifest.id}, not of {snapshot.id}")
    return manifest


def load_snapshot(store: ObjectStore, snapshot: Snapshot) -> tuple[Manifest, SnapshotRecords]:
    """Load all records of a snapshot, and check every object of it.

    Raises:
        StateError: an object is missing or damaged, or the chains are not those of the manifest.
    """
    manifest = read_manifest(store, snapshot)
    records: dict[bytes, bytes] = {}
    for part in manifest.parts:
        records.update(_records(store, snapshot, part))
    for cell in manifest.cells:
        value = records.get(cell_keys.chain_key(cell.tenant))
        where = f"{store.url}/{snapshot.folder}: the chain of {cell.origin}"
        if value is None:
            raise StateError(f"{where} is missing: use another snapshot")
        chain = Chain.from_bytes(cell.origin, value)
        stated = (cell.records, cell.root, cell.head)
        if (chain.size, chain.root().hex(), chain.head.hex()) != stated:
            raise StateError(f"{where} is not the one that the manifest states: use another")
    return manifest, SnapshotRecords(records)


def _records(store: ObjectStore, snapshot: Snapshot, part: Part) -> Iterator[tuple[bytes, bytes]]:
    name = f"{snapshot.folder}/{part.name}"
    where = f"{store.url}/{name}"
    data = store.get(name)
    if len(data) != part.bytes or hashlib.sha256(data).hexdigest() != part.sha256:
        raise StateError(
            f"{where} has {len(data)} bytes that do not give the manifest's checksum: it was "
            "damaged or changed; use another snapshot"
        )
    count = 0
    for key, value in records_of(data, where):
        yield key, value
        count += 1
    if count != part.records:
        raise StateError(f"{where} has {count} records instead of {part.records}")
