"""The audit side of a shard's engine: marks, signed checkpoints, epochs."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from schemas.errors import Bug
from state import cell_keys, cells, changelog
from state.audit.chain import Chain
from state.audit.checkpoint import origin_of
from state.audit.leaf import EPOCH, SNAPSHOT, mark_row
from state.audit.shard_root import ShardRoot, SnapshotsHead
from state.snapshots.writing import About
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from streams.keys import CellKeys
    from streams.shard.encode import MessageCodecs
    from streams.shard.tenant import Tenant


class Trail(ABC):
    """What an engine does with its chains, whatever its cells do.

    Args:
        shard: partition number.
        keys: secrets; signs.
        codecs: encodes records and checkpoints.
        application_id: first part of the audit logs' names.
        source_topic: named in snapshots.

    Attributes:
        next_offset: source offset that the cells have reached; None before the first event.
        members: tenants by name.
    """

    def __init__(
        self,
        shard: int,
        keys: CellKeys,
        codecs: MessageCodecs,
        application_id: str,
        source_topic: str,
    ) -> None:
        self.shard = shard
        self.next_offset: int | None = None
        self.members: dict[str, Tenant] = {}
        self._keys = keys
        self._codecs = codecs
        self._application_id = application_id
        self._source_topic = source_topic
        self._root = ShardRoot()

    @property
    def label(self) -> int | str:
        """The shard's name in metrics and logs."""
        return self.shard

    @abstractmethod
    def member(self, tenant: str) -> Tenant:
        """Return a tenant, with an empty cell if it is new."""

    @abstractmethod
    def add_checkpoint(self, unit: UnitOfWork) -> None:
        """Add to the unit all state that changed since the last checkpoint."""

    def chain(self, tenant: str) -> Chain:
        """Return a tenant's audit chain.

        Raises:
            KeyError: the shard has no such tenant.
        """
        return self.members[tenant].chain

    def append(self, _tenant: str, chain: Chain, leaves: np.ndarray) -> list[bytes]:
        """Append the leaves of a batch to a tenant's chain; a replay puts marks between them."""
        return chain.append(leaves)

    def mark_snapshot(self, manifest: bytes) -> UnitOfWork:
        """Record in every cell's chain, and in the shard's root, that a snapshot was taken.

        Args:
            manifest: SHA-256 of its manifest.

        Returns:
            A unit of work without records. It must be a checkpoint (see ``add_checkpoint``): a
            re-step goes by the log of events, which does not tell of it.
        """
        self._root.snapshots = self._root.snapshots.after(manifest)
        return self.mark(dict.fromkeys(self.members, SNAPSHOT), manifest)

    def mark(self, kinds: Mapping[str, float], digest: bytes) -> UnitOfWork:
        """Append a mark to the chains of tenants; see ``mark_snapshot`` for what must follow.

        Args:
            kinds: tenant → kind of the mark, one of ``state.audit.leaf.MARKS``.
            digest: SHA-256 of what it is about.

        Raises:
            Bug: the shard has not begun.
        """
        if self.next_offset is None:
            raise Bug(f"shard {self.shard} was to be marked before its first event")
        unit = UnitOfWork(next_offset=self.next_offset, records=0)
        unit.outputs |= {"predictions": [], "audit": []}
        for tenant, kind in kinds.items():
            at = self.members[tenant]
            values = at.chain.append(mark_row(kind, at.cell.steps, digest))
            at.touched = True
            unit.state[cell_keys.chain_key(tenant)] = at.chain.to_bytes()
            unit.outputs["audit"] += self._codecs.audit(tenant, values)
        self._sign(unit, list(kinds))
        unit.state[cell_keys.offset_key()] = changelog.encode_offset(unit.next_offset)
        unit.state[cell_keys.snapshots_key()] = self._root.snapshots.to_bytes()
        return unit

    def _sign(self, unit: UnitOfWork, tenants: list[str]) -> None:
        """Add the signed checkpoints of the tenants that a unit has records of."""
        if not tenants:
            return
        for chain in self._grown():
            self._root.put(chain.standing())
        shard = self._root.commitment()
        unit.outputs["audit-checkpoints"] = [
            self._codecs.checkpoint(
                tenant, self.shard, self.chain(tenant).checkpoint(self._keys.signer, shard)
            )
            for tenant in tenants
        ]

    def _grown(self) -> Iterator[Chain]:
        """Give the chains that are others than at the last call."""
        for at in self.members.values():
            if at.listed != at.chain.size:
                at.listed = at.chain.size
                yield at.chain

    def pause(self) -> UnitOfWork:
        """Return a unit of work of nothing, to which a checkpoint can be added.

        Raises:
            Bug: the shard has not begun.
        """
        return self.mark({}, b"")

    def begin_epoch(self, chains: Mapping[str, bytes], entry: bytes) -> UnitOfWork:
        """Go on with other chains than the cells', which were set back to an earlier moment.

        Args:
            chains: tenant → chain as of now (``Chain.to_bytes``); they grow by a mark that says to
                which step the cell was set back. Tenants that have no cell at the earlier moment
                begin anew.
            entry: what is recorded of the epoch; the marks hold its SHA-256.

        Returns:
            A unit of work that writes the whole state.
        """
        for tenant, chain in chains.items():
            at = self.member(tenant)
            at.chain = Chain.from_bytes(self._log_name(tenant), chain)
            at.writer = cells.CellWriter(tenant)
        unit = self.mark(dict.fromkeys(sorted(chains), EPOCH), hashlib.sha256(entry).digest())
        self.add_checkpoint(unit)
        return unit

    def about(self, created_us: int) -> About:
        """Give what a snapshot of the shard says beside its records.

        Args:
            created_us: now, microseconds since the epoch.
        """
        return About(
            application_id=self._application_id,
            shard=self.shard,
            source_topic=self._source_topic,
            snapshots=self._root.snapshots.number,
            created_us=created_us,
            origins={tenant: at.chain.origin for tenant, at in self.members.items()},
            key_versions={t: at.versions._asdict() for t, at in self.members.items()},
        )

    def restore_snapshots(self, record: bytes | None) -> None:
        """Take what the shard commits to of its snapshots; None: there were none.

        Raises:
            StateError: the record is damaged.
        """
        self._root.snapshots = (
            SnapshotsHead() if record is None else SnapshotsHead.from_bytes(record)
        )

    def _log_name(self, tenant: str) -> str:
        return origin_of(self._application_id, tenant, self.shard)
