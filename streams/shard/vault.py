"""The data keys as one shard uses them: records sealed and opened, destroyed keys noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import BadMessage
from schemas.reasons import Reason
from state.encryption.names import Names
from state.encryption.sealing import OpenedRecords, Opener, SealPlace, seal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.cells import Records
    from state.secrets import Secret
    from streams.keys import CellKeys

    Changes = Iterable[tuple[bytes, bytes | None]]


class Vault:
    """What a shard needs of encryption; with encryption off it seals nothing.

    The key with which a tenant's records are sealed changes at a checkpoint and nowhere else, so a
    unit of work is sealed with one version.

    Args:
        keys: of the application.
        application_id: whose records they are.
        shard: partition number.

    Attributes:
        accept_clear: whether records may lie in the clear.
    """

    def __init__(self, keys: CellKeys, application_id: str, shard: int) -> None:
        self._store = keys.data_keys
        self.accept_clear = keys.accept_clear or keys.data_keys is None
        self._place = SealPlace(application_id, shard)
        self._current: dict[str, Secret] = {}
        self._looked = 0

    @property
    def on(self) -> bool:
        """Tell whether state is encrypted."""
        return self._store is not None

    def destroyed(self, tenant: str) -> bool:
        """Tell whether a tenant's keys were destroyed."""
        return self._store is not None and self._store.destroyed(tenant)

    def gone(self, tenants: Iterable[str]) -> list[str]:
        """Give those of the tenants whose keys were destroyed. Cheap where nothing has changed."""
        if self._store is None or self._looked == self._store.changes:
            return []
        changes = self._store.changes
        found = sorted(filter(self._store.destroyed, tenants))
        if not found:
            self._looked = changes
        return found

    def admit(self, tenant: str) -> None:
        """Have the key of a tenant that comes to the shard, and make its first if it has none.

        Raises:
            BadMessage: its keys were destroyed.
            SecretError: the key cannot be had.
        """
        if self._store is None or tenant in self._current:
            return
        if self._store.destroyed(tenant):
            raise erased(tenant)
        self._current[tenant] = self._store.current(tenant)

    def versions(self, tenant: str) -> dict[str, int]:
        """Return the version of a tenant's data key by a name for it; empty without encryption."""
        key = self._current.get(tenant)
        return {} if key is None else {"data": key.version}

    def names(self, tenant: str, version: int) -> Names | None:
        """Return what hides a tenant's names in keys of records; None without encryption.

        Args:
            tenant: whose.
            version: of its data key; 0: the one that the vault seals with now.

        Raises:
            SecretError: the key cannot be had.
        """
        if self._store is None:
            return None
        key = self._store.get(tenant, version) if version else self._current[tenant]
        return Names(key, tenant, self._place)

    def forget(self, tenant: str) -> None:
        """Drop the key of a tenant that was erased."""
        self._current.pop(tenant, None)

    def seal(self, tenant: str, changes: Changes) -> Changes:
        """Seal what a checkpoint writes of a tenant, with the newest version of its key.

        Raises:
            SecretError: the key cannot be had.
        """
        store = self._store
        if store is None:
            return changes
        if not store.destroyed(tenant):
            self._current[tenant] = store.current(tenant)
        # A key that has just been destroyed seals once more: the tenant goes with the next unit.
        return seal(changes, tenant, self._current[tenant], self._place)

    def opener(self, where: str, application_id: str | None = None) -> Opener:
        """Return what opens sealed values of this shard.

        Args:
            where: they are; for the messages of errors.
            application_id: whose they are, if another's.
        """
        place = self._place
        if application_id is not None:
            place = place._replace(application_id=application_id)
        return Opener(self._store, place, where)

    def opened(
        self, records: Records, where: str, application_id: str | None = None
    ) -> OpenedRecords:
        """Return records of this shard with what is sealed opened; arguments as for ``opener``."""
        return OpenedRecords(
            records,
            self.opener(where, application_id),
            accept_clear=self.accept_clear,
            where=where,
        )


def erased(tenant: str) -> BadMessage:
    """Return the reason why events of an erased tenant are not taken."""
    return BadMessage(Reason.TENANT_ERASED, f"the data keys of tenant {tenant!r} were destroyed")
