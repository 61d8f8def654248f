"""The tenants of a shard of tokens, and the table of their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.hierarchy.members import StreamTenant, counts_of, names_version
from streams.hierarchy.sealed import StreamTable
from streams.kafka.topics import TOKENS_ROLE, tokens_application
from streams.shard.cell_formats import STREAMS
from streams.shard.judging import Judging
from streams.shard.vault import erased

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from state import cells
    from state.audit.chain import Chain
    from state.encryption.names import Names
    from state.encryption.sealing import OpenedRecords
    from state.stream_keys import StreamKey
    from streams.hierarchy.step import Table
    from streams.keys import CellKeys, KeyVersions
    from streams.shard.encode import TrailCodecs
    from streams.shard.unit import UnitOfWork


class StreamTenants(Judging[StreamTenant]):
    """What an engine of streams does for tenants, whatever it makes of their streams.

    Args:
        shard, keys, codecs, source_topic, max_tenants: as for ``Judging``.
        application_id: of the whole application.
    """

    formats = STREAMS

    def __init__(
        self,
        shard: int,
        keys: CellKeys,
        codecs: TrailCodecs,
        application_id: str,
        source_topic: str,
        max_tenants: int,
    ) -> None:
        application = tokens_application(application_id)
        super().__init__(shard, keys, codecs, application, source_topic, max_tenants)
        # Tenants whose records are to be encrypted.
        self._in_the_clear: list[str] = []
        self._table: StreamTable

    @property
    def label(self) -> int | str:
        """The shard's name in metrics and logs."""
        return f"{TOKENS_ROLE}-{self.shard}"

    @property
    def tenants(self) -> Mapping[str, StreamTenant]:
        """The tenants, for metrics and inspection."""
        # A copy at once: others ask while the shard's own thread adds tenants.
        return dict(tuple(self.members.items()))

    def _made(
        self,
        chain: Chain,
        versions: KeyVersions,
        writer: cells.CellWriter,
        arrays: Mapping[str, np.ndarray] | None,
    ) -> StreamTenant:
        counts = counts_of(arrays)
        names = self._vault.names(writer.tenant, names_version(counts))
        at = StreamTenant(chain, versions, writer, counts, names)
        at.touched = arrays is None
        return at

    def _admitted(self, tenant: str) -> StreamTenant:
        """Return a tenant that is served; one whose keys were destroyed is not, at once."""
        if self.is_erased(tenant):
            raise erased(tenant)
        return super()._admitted(tenant)

    def _names(self, tenant: str) -> Names | None:
        at = self.members.get(tenant)
        return None if at is None else at.names

    def load(self, store: OpenedRecords, tenant: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a tenant back as the last unit of work left it; see ``Judging``."""
        super().load(store, tenant, arrays)
        if self._vault.on and not store.sealed(tenant):
            self._in_the_clear.append(tenant)

    def settle(self) -> UnitOfWork:
        """Erase tenants whose keys were destroyed, their streams too; see ``Settling``."""
        unit = super().settle()
        for tenant in unit.erased:
            unit.state |= dict.fromkeys((key for key, _ in self._table.lying(tenant)), None)
        return unit

    # -- the table --------------------------------------------------------------------------------

    def _open_table(self, table: Table) -> None:
        """Take the table in which all tenants' streams lie; the tenants have been loaded."""
        self._table = StreamTable(table, self._vault, self._names, f"streams of {self.label}")
        for tenant in self._in_the_clear:
            at = self.members[tenant]
            lying = dict(self._table.lying(tenant))
            at.changed, at.left = dict(lying), list(lying)
        self._in_the_clear.clear()

    def _changed(self, key: StreamKey, state: Mapping[bytes, bytes | None]) -> None:
        """Note what is to be written of a stream."""
        at = self.members[key.tenant]
        at.changed |= state
        at.touched = True
