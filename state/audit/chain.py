"""The audit chain of one cell: records linked by their hashes, with the Merkle tree over them.

A record's ``prev`` is the leaf hash of the record before it (zeros at first), so the records form
a chain; the same leaf hashes are the leaves of an RFC 6962 tree, whose root a checkpoint signs.

It stands on the hot path, under the GIL. Measured on one core of an AMD EPYC with SHA
instructions, batches of 1,024 leaves of 400 bytes: linking and hashing 0.57 µs a record, the tree
0.29 µs, where SHA-256 of the leaf alone takes 0.42 µs (``python -m state.audit.bench`` prints the
whole). What was tried and is slower, per record: one ``sha256(prefix ‖ leaf)`` each 0.61 µs; two
updates instead of joining body and prev 0.70 µs; memoryviews into one buffer that is patched in
place 1.44 µs; tree nodes one leaf at a time 0.41 µs. SHA-256 written in numba releases the GIL and
takes 1.18 µs for the chain alone, since it cannot reach the SHA instructions; and whoever verifies
a log would have to install numba.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import Bug, StateError
from state.audit.checkpoint import Checkpoint, CheckpointNote
from state.audit.leaf import BODY_BYTES, LEAF_BYTES, LEAF_DTYPE
from state.audit.merkle import HASH_BYTES, CompactRange, leaf_hasher

if TYPE_CHECKING:
    from state.audit.checkpoint import ShardCommitment
    from state.audit.note import Signer

NO_PREV: Final = bytes(HASH_BYTES)
"""``prev`` of the first record, and the head of a chain without records."""

_VERSION: Final = 1
_HEADER: Final = struct.Struct(f"<B{HASH_BYTES}s")  # version of this layout, head


class Chain:
    """Appends records to the audit log of one cell.

    Not safe for threads; one task owns a shard. After a failed unit of work the chain is ahead of
    what was committed and must be restored, as the cell must.

    Args:
        origin: name of the log, see ``checkpoint.origin_of``.
    """

    __slots__ = ("_range", "head", "origin")

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.head = NO_PREV
        self._range = CompactRange()

    @property
    def size(self) -> int:
        """Records appended so far."""
        return self._range.size

    def root(self) -> bytes:
        """Give the RFC 6962 root over all records appended, 32 bytes."""
        return self._range.root()

    def append(self, rows: np.ndarray[Any, np.dtype[Any]]) -> list[bytes]:
        """Link rows to the chain and hash them.

        Args:
            rows: leaves in order, ``LEAF_DTYPE[n]``, complete but for ``prev``, which is filled in.

        Returns:
            n values for Kafka, without wire header: leaf, then its hash (the record's ``curr``).

        Raises:
            Bug: rows are of another dtype.
        """
        if rows.dtype != LEAF_DTYPE or rows.ndim != 1:
            raise Bug(f"audit rows are {rows.dtype}[{rows.shape}], not LEAF_DTYPE[n]")
        before = head = self.head
        raw = rows.tobytes()
        values = []
        hashes = []
        for at in range(0, len(raw), LEAF_BYTES):
            leaf = raw[at : at + BODY_BYTES] + head
            hasher = leaf_hasher()
            hasher.update(leaf)
            head = hasher.digest()
            values.append(leaf + head)
            hashes.append(head)
        linked = b"".join((before, *hashes))[: len(hashes) * HASH_BYTES]
        rows["prev"] = np.frombuffer(linked, np.uint8).reshape(len(rows), HASH_BYTES)
        self._range.extend(hashes)
        self.head = head
        return values

    def standing(self) -> Checkpoint:
        """Give what the log commits to at its present size, to be signed."""
        return Checkpoint(self.origin, self.size, self._range.root(), self.head)

    def checkpoint(self, signer: Signer, shard: ShardCommitment | None = None) -> CheckpointNote:
        """Sign what the log commits to at its present size.

        Args:
            signer: signs.
            shard: what the whole shard commits to at this moment.
        """
        return CheckpointNote.sign(self.standing()._replace(shard=shard), signer)

    def to_bytes(self) -> bytes:
        """Write the chain's state: version, head, size and at most 64 hashes, little-endian."""
        return _HEADER.pack(_VERSION, self.head) + self._range.to_bytes()

    @classmethod
    def from_bytes(cls, origin: str, data: bytes) -> Chain:
        """Restore a chain from what ``to_bytes`` wrote.

        Raises:
            StateError: the bytes are damaged, or were written by another version.
        """
        if len(data) < _HEADER.size:
            raise StateError(
                f"the chain of {origin} has {len(data)} bytes: restore it from the changelog"
            )
        version, head = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise StateError(
                f"the chain of {origin} was written in layout {version} and this release reads "
                f"{_VERSION}: run the release that wrote it"
            )
        chain = cls(origin)
        chain.head = head
        chain._range = CompactRange.from_bytes(data[_HEADER.size :])
        if not chain.size:
            last = NO_PREV
        elif chain.size & 1:  # the last leaf of a tree of odd size is a subtree of its own
            last = chain._range.hashes[-1]
        else:
            last = head
        if head != last:
            raise StateError(
                f"the head of the chain of {origin} is not its last leaf: restore it from the "
                "changelog"
            )
        return chain
