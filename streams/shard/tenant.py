"""What a shard holds of one tenant: a cell, its chain, and what its checkpoints need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.blocks import BLOCK_BYTES, all_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.fusion.cell import Cell
    from operators.seeds import Seeds
    from state import cells
    from state.audit.chain import Chain
    from streams.keys import KeyVersions
    from streams.shard.stepping import Memory
    from streams.shard.unit import Message

VERSIONS_ARRAY = "key_versions"
"""Name under which a cell's key versions travel beside its arrays."""

BUCKET_ARRAY = "quota_bucket"
"""Name under which the bucket of a tenant's rate travels, where there was a quota."""


class Tenant:
    """One cell, its chain, and what its checkpoints need."""

    __slots__ = (
        "bucket",
        "cell",
        "chain",
        "listed",
        "memory",
        "seeds",
        "touched",
        "versions",
        "writer",
    )

    def __init__(
        self,
        cell: Cell,
        chain: Chain,
        seeds: Seeds,
        versions: KeyVersions,
        writer: cells.CellWriter,
        memory: Memory,
        bucket: np.ndarray[Any, np.dtype[np.float64]] | None = None,
    ) -> None:
        self.bucket = bucket
        self.cell = cell
        self.memory = memory
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
        memory = self.memory.to_state()
        arrays = {**self.cell.to_state(), VERSIONS_ARRAY: versions, **memory}
        sizes = {VERSIONS_ARRAY: versions.nbytes} | dict.fromkeys(memory, BLOCK_BYTES)
        dirty = self.cell.take_dirty() | {name: all_blocks(of) for name, of in memory.items()}
        if self.bucket is not None:
            arrays[BUCKET_ARRAY] = self.bucket
            sizes[BUCKET_ARRAY] = self.bucket.nbytes
            dirty[BUCKET_ARRAY] = all_blocks(self.bucket)
        return self.writer.records(
            arrays,
            dirty,
            lambda name: sizes.get(name) or self.cell.block_bytes(name),
        )


class Outputs(NamedTuple):
    """What a tenant's steps of a batch give out, and where in the batch each came from."""

    predicted: np.ndarray
    predictions: list[Message]
    audited: np.ndarray
    audit: list[Message]


def in_order(outputs: list[Outputs]) -> tuple[list[Message], list[Message]]:
    """Return all tenants' predictions and audit records in the order of the log."""
    if len(outputs) == 1:
        return outputs[0].predictions, outputs[0].audit
    return (
        _sorted([of.predicted for of in outputs], [of.predictions for of in outputs]),
        _sorted([of.audited for of in outputs], [of.audit for of in outputs]),
    )


def _sorted(positions: list[np.ndarray], messages: list[list[Message]]) -> list[Message]:
    order = np.argsort(np.concatenate([[], *positions]), kind="stable").tolist()
    together = [item for of in messages for item in of]
    return [together[row] for row in order]
