"""What engines have in common that judge: each verdict is a step of its tenant's audit chain.

What they keep of a tenant is small, or changes a little at a time: it travels whole with every unit
of work, which is a checkpoint. So nothing is judged again after a restart, which another processor
might do to other bits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import BadMessage, StateError
from schemas.reasons import Reason
from state import cell_keys, cells, changelog
from state.audit.chain import Chain
from streams import verdicts
from streams.keys import KeyVersions
from streams.shard.settling import Settling
from streams.shard.tenant import VERSIONS_ARRAY, Member
from streams.shard.vault import erased

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

    from state.encryption.sealing import OpenedRecords
    from streams.kafka.fetch import SourceRecord
    from streams.keys import CellKeys
    from streams.shard.encode import TrailCodecs
    from streams.shard.unit import UnitOfWork


class JudgedTenant(Member):
    """A tenant whose texts are judged."""

    __slots__ = ()

    @abstractmethod
    def count(self, verdicts: int) -> None:
        """Count verdicts that have become steps of the chain."""


J = TypeVar("J", bound=JudgedTenant)


class Judging(Settling[J]):
    """The tenants of a shard whose verdicts are audited.

    Args:
        shard, keys, codecs, application_id, source_topic: as for ``Trail``.
        max_tenants: what comes of further ones is quarantined.
    """

    def __init__(
        self,
        shard: int,
        keys: CellKeys,
        codecs: TrailCodecs,
        application_id: str,
        source_topic: str,
        max_tenants: int,
    ) -> None:
        super().__init__(shard, keys, codecs, application_id, source_topic, None)
        self._max_tenants = max_tenants

    # -- tenants ----------------------------------------------------------------------------------

    @abstractmethod
    def _made(
        self,
        chain: Chain,
        versions: KeyVersions,
        writer: cells.CellWriter,
        arrays: Mapping[str, np.ndarray] | None,
    ) -> J:
        """Make a tenant.

        Args:
            chain: its audit chain.
            versions: of the secrets that it began with.
            writer: of its arrays.
            arrays: that it is to go on from; None: it is new.
        """

    def _admitted(self, tenant: str) -> J:
        """Return a tenant that is served, or that may be.

        Raises:
            BadMessage: there is no room for another one, or its keys were destroyed.
        """
        if tenant in self.members:
            return self.members[tenant]
        if self.is_erased(tenant):
            raise erased(tenant)
        if len(self.members) >= self._max_tenants:
            raise BadMessage(
                Reason.UNKNOWN_TENANT,
                f"the shard serves stream.max_tenants = {self._max_tenants} tenants already",
            )
        return self._new(tenant)

    def member(self, tenant: str) -> J:
        """Return a tenant, without memory if it is new."""
        if tenant not in self.members:
            self.members[tenant] = self._new(tenant)
        return self.members[tenant]

    def _new(self, tenant: str) -> J:
        self._vault.admit(tenant)
        chain = Chain(self._log_name(tenant))
        return self._made(chain, self._keys.current, cells.CellWriter(tenant), None)

    # -- units of work ----------------------------------------------------------------------------

    def _append(
        self, unit: UnitOfWork, tenant: str, at: J, times: Sequence[int], values: Sequence[bytes]
    ) -> list[bytes]:
        """Make verdicts steps of their tenant's chain.

        Args:
            unit: takes the audit records.
            tenant: whose.
            at: it.
            times: event time of each verdict, microseconds.
            values: bare Avro bytes of each.

        Returns:
            The digest of each, which its record holds.
        """
        digests = [verdicts.verdict_digest(value) for value in values]
        leaves = verdicts.verdict_leaves(at.steps, times, digests)
        unit.outputs["audit"] += self._codecs.audit(tenant, at.chain.append(leaves))
        at.count(len(digests))
        at.touched = True
        return digests

    def _close(
        self,
        unit: UnitOfWork,
        grown: Iterable[str],
        rejected: Sequence[tuple[BadMessage, SourceRecord]],
    ) -> None:
        """Put into a unit what stands at the end of each: chains, state, the offset, rejects.

        Args:
            unit: of all records up to its offset.
            grown: tenants whose chains have grown.
            rejected: records that could not be used, in order, and why.
        """
        signed = list(grown)
        for tenant in signed:
            unit.state[cell_keys.chain_key(tenant)] = self.members[tenant].chain.to_bytes()
        self._sign(unit, signed)
        self.next_offset = unit.next_offset
        unit.state[cell_keys.offset_key()] = changelog.encode_offset(unit.next_offset)
        unit.quarantined = Counter(error.reason for error, _ in rejected)
        unit.quarantine += [
            self._codecs.quarantine(error, self._source_topic, self.shard, record)
            for error, record in rejected
        ]
        self.add_checkpoint(unit)

    # -- state ------------------------------------------------------------------------------------

    def add_checkpoint(self, unit: UnitOfWork) -> None:
        """Add to the unit all state that changed since the last checkpoint."""
        self._add_members(unit)

    def check_settings(self, store: cells.Records) -> None:
        """Take what the shard commits to beside its tenants; no setting is part of the state."""
        self.restore_snapshots(store.get(cell_keys.snapshots_key()))

    def load(self, store: OpenedRecords, tenant: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a tenant back as the last unit of work left it.

        Raises:
            StateError: it has arrays but no audit chain, or either is damaged.
        """
        chain = store.get(cell_keys.chain_checkpoint_key(tenant))
        if chain is None:
            raise StateError(
                f"shard {self.label} has arrays of tenant {tenant!r} but no audit chain: delete "
                "the state folder, it will be restored from the changelog"
            )
        found = dict(arrays)
        versions = KeyVersions(*found.pop(VERSIONS_ARRAY).tolist())
        self._vault.admit(tenant)
        # What lies there in the clear is written anew as a whole, encrypted.
        anew = self._vault.on and not store.sealed(tenant)
        writer = cells.CellWriter(tenant, None if anew else cells.manifests(store, tenant))
        at = self._made(Chain.from_bytes(self._log_name(tenant), chain), versions, writer, found)
        at.touched = anew
        self.members[tenant] = at
