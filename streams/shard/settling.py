"""What becomes of destroyed keys and changed quotas: an engine's units of work without events.

Both are somebody's decision, of which the log of events does not tell. So they take effect between
two units of work, in one of their own that is a checkpoint (``settle``), and a re-step begins
behind it. Between a key's destruction and that unit the tenant is passed over where its cell would
be loaded, and its chain is taken as it was committed (``streams.shard.erasure``).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.errors import StateError
from state import cell_keys, cells
from state.audit.chain import Chain
from streams.settings import QuotaSettings
from streams.shard.erasure import ErasedTenants, keys_of_cell
from streams.shard.quotas import Quotas
from streams.shard.trail import Trail
from streams.shard.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from state.encryption.sealing import OpenedRecords
    from state.snapshots.writing import About
    from streams.keys import CellKeys
    from streams.shard.encode import MessageCodecs
    from streams.shard.unit import UnitOfWork


class Settling(Trail):
    """What an engine does for tenants that were erased, and for quotas that are new.

    Args:
        shard, keys, codecs, application_id, source_topic: as for ``Trail``.
        quotas: bounds of each tenant; None: there are none.

    Attributes:
        quotas: the bounds, and which of them were in force when.
    """

    def __init__(
        self,
        shard: int,
        keys: CellKeys,
        codecs: MessageCodecs,
        application_id: str,
        source_topic: str,
        quotas: QuotaSettings | None,
    ) -> None:
        super().__init__(shard, keys, codecs, application_id, source_topic)
        self.quotas = Quotas(quotas or QuotaSettings())
        self._vault = Vault(keys, application_id, shard)
        self._erased = ErasedTenants()
        self._expected: frozenset[str] | None = None

    @abstractmethod
    def forget(self, tenant: str) -> None:
        """Drop all that is known of a tenant beside its cell."""

    @property
    def unsettled(self) -> bool:
        """Keys were destroyed, or quotas changed: ``settle`` is due."""
        gone = self._erased.pending or self._vault.gone(self.members)
        return self.next_offset is not None and bool(gone or self.quotas.changed)

    def settle(self) -> UnitOfWork:
        """Erase the tenants whose keys were destroyed, and let changed quotas count.

        Returns:
            A unit of work without records; see ``mark_snapshot`` for what must follow.

        Raises:
            Bug: the shard has not begun.
        """
        unit = self.pause()
        self.quotas.change(unit.next_offset)
        for tenant in self._vault.gone(self.members):
            at = self.members.pop(tenant)
            self.forget(tenant)
            self._vault.forget(tenant)
            self._erased.add(tenant, at.chain, list(at.writer.keys()))
        marked = []
        for tenant, values in self._erased.mark(unit.next_offset):
            unit.state.update(self._erased.changes(tenant))
            unit.outputs["audit"] += self._codecs.audit(tenant, values)
            marked.append(tenant)
        self._sign(unit, marked)
        unit.erased = tuple(marked)
        return unit

    def is_erased(self, tenant: str) -> bool:
        """Tell whether a tenant's keys were destroyed."""
        return tenant in self._erased or self._vault.destroyed(tenant)

    # -- chains -----------------------------------------------------------------------------------

    def chain(self, tenant: str) -> Chain:
        """Return a tenant's audit chain, an erased one's too.

        Raises:
            KeyError: the shard has no such tenant.
        """
        return super().chain(tenant) if tenant in self.members else self._erased.chains[tenant]

    def _grown(self) -> Iterator[Chain]:
        yield from super()._grown()
        yield from self._erased.grown()

    def begin_epoch(self, chains: Mapping[str, bytes], entry: bytes) -> UnitOfWork:
        """Go on with other chains; see ``Trail``. An erased tenant keeps its chain as it is."""
        living = {tenant: of for tenant, of in chains.items() if not self.is_erased(tenant)}
        for tenant in chains.keys() - living.keys():
            self._erased.adopt(self._log_name(tenant), tenant, chains[tenant])
        unit = super().begin_epoch(living, entry)
        unit.state.update(self._erased.records())
        return unit

    def about(self, created_us: int) -> About:
        """Give what a snapshot of the shard says beside its records; see ``Trail``.

        Erased tenants have chains in it, and no versions of secrets.
        """
        about = super().about(created_us)
        gone = self._erased.chains
        living = {t: {**of, **self._vault.versions(t)} for t, of in about.key_versions.items()}
        return replace(
            about,
            origins={**about.origins, **{tenant: of.origin for tenant, of in gone.items()}},
            key_versions={**living, **{tenant: {} for tenant in gone}},
        )

    # -- restoring --------------------------------------------------------------------------------

    def readable(
        self, store: cells.Records, where: str, application_id: str | None = None
    ) -> OpenedRecords:
        """Return a shard's records with what is encrypted opened; see ``Vault.opened``."""
        return self._vault.opened(store, where, application_id)

    def load_erased(self, store: cells.Records) -> None:
        """Take what is left of erased tenants, before the cells of the others are loaded."""
        self._erased.load(store, self._log_name)
        for tenant in cells.tenants(store):
            if self._vault.destroyed(tenant) and tenant not in self._erased:
                value = store.get(cell_keys.chain_checkpoint_key(tenant)) or b""
                chain = Chain.from_bytes(self._log_name(tenant), value)
                self._erased.add(tenant, chain, keys_of_cell(store, tenant))

    def expect(self, tenants: Iterable[str]) -> None:
        """Take in no others in the re-step that follows, until ``compare_chains``."""
        self._expected = frozenset(tenants)

    def compare_chains(self, committed: Iterable[tuple[str, bytes]]) -> None:
        """Check after a re-step that every chain stands where the last unit of work left it.

        Raises:
            StateError: one does not: the same log gave other bytes.
        """
        chains = dict(committed)
        self._expected = None
        for tenant in sorted(chains.keys() | self.members.keys()):
            at = self.members.get(tenant)
            if at is None and self.is_erased(tenant):
                # Its events cannot be stepped again.
                self._erased.adopt(self._log_name(tenant), tenant, chains[tenant])
            elif at is None or at.chain.to_bytes() != chains.get(tenant):
                raise StateError(
                    f"shard {self.shard}, tenant {tenant!r}: re-stepping {self._source_topic} to "
                    f"offset {self.next_offset} gave another audit chain than the one committed. "
                    "The configuration, the keys or the program differ from those that wrote it: "
                    "start with the same ones (another release can take over once these have "
                    "stopped in order), or begin anew under another application id"
                )
