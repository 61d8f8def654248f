"""What a shard holds of one tenant: a cell, its chain, and what its checkpoints need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.fusion.cell import Cell
    from operators.seeds import Seeds
    from state import cells
    from state.audit.chain import Chain
    from streams.keys import KeyVersions
    from streams.shard.unit import Message

VERSIONS_ARRAY = "key_versions"
"""Name under which a cell's key versions travel beside its arrays."""

BUCKET_ARRAY = "quota_bucket"
"""Name under which the bucket of a tenant's rate travels, where there was a quota."""

_ONE_BLOCK = np.zeros(1, np.int64)


class Tenant:
    """One cell, its chain, and what its checkpoints need."""

    __slots__ = ("bucket", "cell", "chain", "listed", "seeds", "touched", "versions", "writer")

    def __init__(
        self,
        cell: Cell,
        chain: Chain,
        seeds: Seeds,
        versions: KeyVersions,
        writer: cells.CellWriter,
        bucket: np.ndarray[Any, np.dtype[np.float64]] | None = None,
    ) -> None:
        self.bucket = bucket
        self.cell = cell
        self.chain = chain
        self.seeds = seeds
        self.versions = versions
        self.writer = writer
        self.touched = False
        # Size of the chain as the shard's root has it.
        self.listed = -1

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Records of what changed since the last call."""
        versions = np.array(self.versions, dtype=np.int64)
        arrays = {**self.cell.to_state(), VERSIONS_ARRAY: versions}
        sizes = {VERSIONS_ARRAY: versions.nbytes}
        dirty = self.cell.take_dirty()
        if self.bucket is not None:
            arrays[BUCKET_ARRAY] = self.bucket
            sizes[BUCKET_ARRAY] = self.bucket.nbytes
            dirty[BUCKET_ARRAY] = _ONE_BLOCK
        return self.writer.records(
            arrays,
            dirty,
            lambda name: sizes.get(name) or self.cell.block_bytes(name),
        )


class Outputs(NamedTuple):
    """What a tenant's steps of a batch give out."""

    positions: np.ndarray
    predictions: list[Message]
    audit: list[Message]


def in_order(outputs: list[Outputs]) -> tuple[list[Message], list[Message]]:
    """Return all tenants' predictions and audit records in the order of the log."""
    if len(outputs) == 1:
        return outputs[0].predictions, outputs[0].audit
    order = np.argsort(np.concatenate([[], *(of.positions for of in outputs)])).tolist()
    predictions = [item for of in outputs for item in of.predictions]
    audit = [item for of in outputs for item in of.audit]
    return [predictions[row] for row in order], [audit[row] for row in order]
