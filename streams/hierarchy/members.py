"""What a shard of tokens holds of one tenant beside its streams: a chain, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.shard.judging import JudgedTenant
from streams.shard.tenant import VERSIONS_ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from state import cells
    from state.audit.chain import Chain
    from streams.keys import KeyVersions

_COUNTS: Final = "counts"
_FIRST: Final = np.zeros(1, np.int64)


class StreamTenant(JudgedTenant):
    """A tenant whose streams are read.

    Args:
        chain, versions, writer: as for ``Member``.
        arrays: as it was written last; None: it is new.
    """

    __slots__ = ("_counts",)

    def __init__(
        self,
        chain: Chain,
        versions: KeyVersions,
        writer: cells.CellWriter,
        arrays: Mapping[str, np.ndarray] | None,
    ) -> None:
        super().__init__(chain, versions, writer)
        self._counts = np.zeros(1, np.int64) if arrays is None else arrays[_COUNTS].copy()
        self.touched = arrays is None

    @property
    def steps(self) -> int:
        """Verdicts so far."""
        return int(self._counts[0])

    def count(self, verdicts: int) -> None:
        """Count verdicts that have become steps of the chain."""
        self._counts[0] += verdicts

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Records of what changed since the last call."""
        arrays = {_COUNTS: self._counts, VERSIONS_ARRAY: np.array(self.versions, np.int64)}
        return self.writer.records(arrays, {_COUNTS: _FIRST}, lambda name: arrays[name].nbytes)

    def describe(self) -> dict[str, float]:
        """Return gauges by name: there are none but that of its chain."""
        return {}
