"""What a shard of tokens holds of one tenant beside its streams: a chain, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.hierarchy.sealed import closed
from streams.shard.judging import JudgedTenant
from streams.shard.tenant import VERSIONS_ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from state import cells
    from state.audit.chain import Chain
    from state.encryption.names import Names
    from streams.keys import KeyVersions

_COUNTS: Final = "counts"
_FIRST: Final = np.zeros(1, np.int64)
_STEPS, _NAMES = range(2)


def counts_of(arrays: Mapping[str, np.ndarray] | None) -> NDArray[np.int64]:
    """Return a tenant's counts from its arrays; None: it is new."""
    return np.zeros(2, np.int64) if arrays is None else arrays[_COUNTS].copy()


def names_version(counts: NDArray[np.int64]) -> int:
    """Return the version of the data key that hides the names of streams; 0: nothing does."""
    return int(counts[_NAMES])


class StreamTenant(JudgedTenant):
    """A tenant whose streams are read.

    Args:
        chain, versions, writer: as for ``Member``.
        counts: int64 [2]: verdicts so far, and the version of the data key that hides the names of
            streams; 0: they are in the clear.
        names: what hides them, if anything does.

    Attributes:
        names: as given.
        changed: what is to be written of its streams, by key as their driver has it.
        left: keys of records that were in the clear and are to be deleted.
    """

    __slots__ = ("_counts", "changed", "left", "names")

    def __init__(
        self,
        chain: Chain,
        versions: KeyVersions,
        writer: cells.CellWriter,
        counts: NDArray[np.int64],
        names: Names | None,
    ) -> None:
        super().__init__(chain, versions, writer)
        self._counts = counts
        self._counts[_NAMES] = 0 if names is None else names.version
        self.names = names
        self.changed: dict[bytes, bytes | None] = {}
        self.left: list[bytes] = []

    @property
    def steps(self) -> int:
        """Verdicts so far."""
        return int(self._counts[_STEPS])

    def count(self, verdicts: int) -> None:
        """Count verdicts that have become steps of the chain."""
        self._counts[_STEPS] += verdicts

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Records of what changed since the last call."""
        arrays = {_COUNTS: self._counts, VERSIONS_ARRAY: np.array(self.versions, np.int64)}
        yield from self.writer.records(arrays, {_COUNTS: _FIRST}, lambda name: arrays[name].nbytes)
        changed, self.changed = self.changed, {}
        left, self.left = self.left, []
        yield from dict.fromkeys(left).items()
        yield from closed(changed, self.names)

    def describe(self) -> dict[str, float]:
        """Return gauges by name: there are none but that of its chain."""
        return {}
