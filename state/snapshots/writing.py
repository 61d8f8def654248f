"""Makes a snapshot: blobs first, then the manifest that names them, whose hash names itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.errors import StateError
from schemas.registry import load
from state import cell_keys
from state.audit.chain import Chain
from state.changelog import decode_checkpoint, decode_offset
from state.snapshots.blobs import parts_of
from state.snapshots.manifest import (
    CellEntry,
    Manifest,
    Part,
    SnapshotId,
    manifest_name,
    shard_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from schemas.registry import SchemaName
    from state.cells import Records
    from state.objects import ObjectStore

SCHEMAS: Final[tuple[SchemaName, ...]] = (
    "event",
    "prediction",
    "audit_record",
    "audit_checkpoint",
    "quarantine",
)


@dataclass(frozen=True)
class About:
    """What a snapshot says beside the records.

    Attributes:
        application_id: whose state it is.
        shard: partition number.
        source_topic: what the state was learnt from.
        snapshots: snapshots that the shard had before.
        created_us: now, in microseconds since the epoch.
        origins: tenant → name of its audit log.
        key_versions: tenant → name of a secret → version; never the secret.
    """

    application_id: str
    shard: int
    source_topic: str
    snapshots: int
    created_us: int
    origins: Mapping[str, str]
    key_versions: Mapping[str, Mapping[str, int]]


class Written(NamedTuple):
    """A finished snapshot: its manifest, and the SHA-256 of its bytes."""

    manifest: Manifest
    digest: bytes


class Cancelled(Exception):  # noqa: N818 - it names what happened
    """The snapshot was given up, because the shard is closed; what was written is no snapshot."""


def write_snapshot(
    store: ObjectStore,
    view: Records,
    about: About,
    going_on: Callable[[], bool] = lambda: True,
) -> Written:
    """Write a snapshot of a shard.

    Args:
        store: where to.
        view: the shard's records as of one checkpoint; nothing may change them meanwhile.
        about: what goes into the manifest.
        going_on: asked before each object; False gives the snapshot up.

    Returns:
        What was written. One pass over the records; memory for one part.

    Raises:
        StateError: the view is of no checkpoint, or the store cannot be written.
        Cancelled: ``going_on`` said no.
    """
    committed, checkpoint = view.get(cell_keys.offset_key()), view.get(cell_keys.checkpoint_key())
    if committed is None or checkpoint is None:
        raise StateError(f"shard {about.shard} has no checkpoint yet: there is nothing to snapshot")
    reached = decode_checkpoint(checkpoint)
    if reached.source_offset != decode_offset(committed):
        raise StateError(
            f"the state of shard {about.shard} stands at offset {reached.source_offset} and "
            f"{decode_offset(committed)} is committed: snapshots are taken at checkpoints"
        )
    name = SnapshotId(about.shard, reached.source_offset, about.created_us)
    folder = f"{shard_folder(about.application_id, about.shard)}/{name}"

    def put(prefix: str, records: Iterable[tuple[bytes, bytes]]) -> tuple[Part, ...]:
        parts = []
        for number, (data, count) in enumerate(parts_of(records)):
            if not going_on():
                raise Cancelled
            part = f"{prefix}-{number:03d}.blob"
            store.put(f"{folder}/{part}", data)
            parts.append(Part(part, len(data), count, hashlib.sha256(data).hexdigest()))
        return tuple(parts)

    shard_parts = put("shard", _shard_records(view))
    cells = []
    for number, tenant in enumerate(sorted(about.origins, key=str.encode)):
        chain = _chain(view, tenant, about.origins[tenant])
        cells.append(
            CellEntry(
                tenant=tenant,
                origin=chain.origin,
                records=chain.size,
                root=chain.root().hex(),
                head=chain.head.hex(),
                key_versions=dict(about.key_versions[tenant]),
                parts=put(f"cell-{number:05d}", _cell_records(view, tenant)),
            )
        )
    manifest = Manifest(
        id=str(name),
        application_id=about.application_id,
        source_topic=about.source_topic,
        source_offset=reached.source_offset,
        created_us=about.created_us,
        cell_format=reached.app_format,
        schemas={schema: load(schema).sha256.hex() for schema in SCHEMAS},
        snapshots=about.snapshots,
        shard_parts=shard_parts,
        cells=tuple(cells),
    )
    data = manifest.to_bytes()
    if not going_on():
        raise Cancelled
    store.put(f"{folder}/{manifest_name(data)}", data)
    return Written(manifest, hashlib.sha256(data).digest())


def _chain(view: Records, tenant: str, origin: str) -> Chain:
    value = view.get(cell_keys.chain_key(tenant))
    if value is None or value != view.get(cell_keys.chain_checkpoint_key(tenant)):
        raise StateError(f"the chain of {origin} is not that of the checkpoint: try again")
    return Chain.from_bytes(origin, value)


def _shard_records(view: Records) -> Iterator[tuple[bytes, bytes]]:
    for key in cell_keys.shard_keys():
        value = view.get(key)
        if value is not None:
            yield key, value


def _cell_records(view: Records, tenant: str) -> Iterator[tuple[bytes, bytes]]:
    for key in (cell_keys.chain_key(tenant), cell_keys.chain_checkpoint_key(tenant)):
        value = view.get(key)
        assert value is not None
        yield key, value
    erased = view.get(cell_keys.erased_key(tenant))
    if erased is not None:
        yield cell_keys.erased_key(tenant), erased
    for prefix in cell_keys.cell_prefixes(tenant):
        yield from view.items(prefix)
