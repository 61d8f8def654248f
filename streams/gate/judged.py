"""What a shard of messages holds of one tenant: a chain, and what it remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.gate.memory import block_bytes
from streams.shard.judging import JudgedTenant
from streams.shard.tenant import VERSIONS_ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state import cells
    from state.audit.chain import Chain
    from streams.gate.memory import TenantMemory
    from streams.keys import KeyVersions


class Judged(JudgedTenant):
    """A tenant whose messages are judged."""

    __slots__ = ("memory",)

    def __init__(
        self, chain: Chain, versions: KeyVersions, writer: cells.CellWriter, memory: TenantMemory
    ) -> None:
        super().__init__(chain, versions, writer)
        self.memory = memory

    @property
    def steps(self) -> int:
        """Verdicts so far."""
        return self.memory.steps

    def count(self, verdicts: int) -> None:
        """Count verdicts that have become steps of the chain."""
        self.memory.steps += verdicts

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Records of what changed since the last call."""
        versions = np.array(self.versions, np.int64)
        arrays = {**self.memory.to_state(), VERSIONS_ARRAY: versions}
        return self.writer.records(arrays, self.memory.take_dirty(), block_bytes)
