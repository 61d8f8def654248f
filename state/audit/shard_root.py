r"""The root of a shard: what all its cells and snapshots commit to together.

It is the root of an RFC 6962 tree whose leaves are texts, each beginning with its kind:

    ``cell\n`` and the cell's part of its checkpoint (origin, size, root, chain head), one a cell,
    in the order of the origins' UTF-8;

    ``snapshots\n<how many>\n<base64 of their head>\n``, the last leaf, where
    head = SHA-256(head before ‖ SHA-256 of the manifest), 32 zeros at first.

Every checkpoint carries the root that its shard had when it was signed. So two tenants of a shard
who compare what they hold see whether they were told the same, and whoever reads the checkpoints of
all cells in order can recompute every root. A cell's leaf holds its root and chain head, which
nobody can guess: a tenant who is given the leaf hashes of others learns nothing of them.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.errors import StateError
from state.audit.checkpoint import Checkpoint, ShardCommitment
from state.audit.merkle import HASH_BYTES, CompactRange, leaf_hash
from state.audit.proof import inclusion_spans, span_roots
from state.audit.report import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.audit.report import Locator

NO_SNAPSHOTS: Final = bytes(HASH_BYTES)
_COUNT_BYTES: Final = 8


class SnapshotsHead(NamedTuple):
    """What a shard commits to of its snapshots: how many there were, and the head of their chain.

    Args:
        number: manifests so far.
        head: 32 bytes.
    """

    number: int = 0
    head: bytes = NO_SNAPSHOTS

    def after(self, manifest: bytes) -> SnapshotsHead:
        """Give the head once one more manifest (its SHA-256, 32 bytes) has been appended."""
        return SnapshotsHead(self.number + 1, hashlib.sha256(self.head + manifest).digest())

    def leaf(self) -> bytes:
        """Write the leaf of the shard's tree."""
        return f"snapshots\n{self.number}\n{base64.b64encode(self.head).decode()}\n".encode()

    def to_bytes(self) -> bytes:
        """Write the count, unsigned 64 bits little-endian, then the head."""
        return self.number.to_bytes(_COUNT_BYTES, "little") + self.head

    @classmethod
    def from_bytes(cls, data: bytes) -> SnapshotsHead:
        """Read what ``to_bytes`` wrote.

        Raises:
            StateError: it has another length.
        """
        if len(data) != _COUNT_BYTES + HASH_BYTES:
            raise StateError(
                f"the shard's record of its snapshots has {len(data)} bytes: it is damaged; delete "
                "the state folder, it will be restored from the changelog"
            )
        return cls(int.from_bytes(data[:_COUNT_BYTES], "little"), data[_COUNT_BYTES:])


def cell_leaf(cell: Checkpoint) -> bytes:
    """Write the leaf of a cell in the shard's tree."""
    return f"cell\n{cell.cell_text()}".encode()


class ShardRoot:
    """Follows where the cells of a shard stand, and gives the root over all of them.

    O(cells) for each root; at a thousand cells some 0.4 ms.

    Args:
        snapshots: what the shard commits to of its snapshots.
    """

    def __init__(self, snapshots: SnapshotsHead | None = None) -> None:
        self.snapshots = snapshots or SnapshotsHead()
        self._leaves: dict[bytes, bytes] = {}
        self._sizes: dict[bytes, int] = {}

    def put(self, cell: Checkpoint) -> None:
        """Take where a cell stands now, in the place of where it stood."""
        name = cell.origin.encode()
        self._leaves[name] = leaf_hash(cell_leaf(cell))
        self._sizes[name] = cell.size

    @property
    def records(self) -> int:
        """Records of all cells."""
        return sum(self._sizes.values())

    def leaf_hashes(self) -> list[bytes]:
        """Give the hashes of all leaves in their order."""
        cells = [self._leaves[name] for name in sorted(self._leaves)]
        return [*cells, leaf_hash(self.snapshots.leaf())]

    def commitment(self) -> ShardCommitment:
        """Give what the shard commits to now."""
        edge = CompactRange()
        edge.extend(self.leaf_hashes())
        return ShardCommitment(self.records, edge.root(), *self.snapshots)

    def prove(self, origin: str) -> tuple[int, int, list[bytes]]:
        """Prove that a cell stands in the shard's tree as it was put last.

        Returns:
            Number of its leaf, leaves of the tree, and the hashes of the proof.

        Raises:
            KeyError: there is no such cell.
        """
        hashes = self.leaf_hashes()
        index = {name: number for number, name in enumerate(sorted(self._leaves))}[origin.encode()]
        return index, len(hashes), span_roots(hashes, inclusion_spans(index, len(hashes)))


class ShardFault(NamedTuple):
    """A checkpoint whose shard line does not hold.

    Attributes:
        reason: what is wrong with it.
        locator: where it stands.
        origin: of the cell that it is of.
        size: its tree size.
        detail: in words.
    """

    reason: Reason
    locator: Locator
    origin: str
    size: int
    detail: str


class _Step(NamedTuple):
    """Snapshots that came between two units of work."""

    locator: Locator
    checkpoint: Checkpoint
    before: SnapshotsHead
    after: SnapshotsHead


class ShardRootVerifier:
    """Recomputes the shard's root from the checkpoints of its cells, in order.

    All checkpoints of a unit of work carry the same root, which covers them all: it is compared
    when another one comes, and at the end. Each new snapshot must be one that a mark in the records
    tells of; the marks may come before the checkpoints or after.

    Memory: O(cells), and some 100 bytes a snapshot.

    Args:
        whole: the checkpoints of all cells are given, so that roots can be recomputed; otherwise
            only order and snapshots are checked.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._root = ShardRoot()
        self._last: tuple[Locator, Checkpoint, ShardCommitment] | None = None
        self._compared = True
        self._steps: list[_Step] = []
        self._manifests: set[bytes] = set()

    def snapshot(self, manifest: bytes) -> None:
        """Take the SHA-256 of a manifest that a mark in the records tells of."""
        self._manifests.add(manifest)

    def take(self, locator: Locator, checkpoint: Checkpoint) -> Iterator[ShardFault]:
        """Take the next checkpoint of any cell; yields what does not hold of those before it."""
        shard = checkpoint.shard
        if self._last is not None and shard != self._last[2]:
            yield from self._compare()
        self._root.put(checkpoint)
        if shard is None:
            return
        if self._last is not None and shard != self._last[2]:
            before = self._last[2]
            if shard.records < before.records or shard.snapshots < before.snapshots:
                detail = (
                    f"{shard.records} records of all cells and {shard.snapshots} snapshots after "
                    f"{before.records} and {before.snapshots}"
                )
                yield self._fault(Reason.SHARD_ORDER, locator, checkpoint, detail)
            elif shard[2:] != before[2:]:
                heads = SnapshotsHead(*before[2:]), SnapshotsHead(*shard[2:])
                self._steps.append(_Step(locator, checkpoint, *heads))
        self._last = locator, checkpoint, shard
        self._compared = False

    def finish(self) -> Iterator[ShardFault]:
        """Compare the last root, and the snapshots with the marks."""
        yield from self._compare()
        for locator, checkpoint, before, after in self._steps:
            if not any(before.after(manifest) == after for manifest in self._manifests):
                detail = (
                    f"snapshot {after.number} with head {after.head.hex()}: no mark in the records "
                    "leads there"
                )
                yield self._fault(Reason.SNAPSHOTS, locator, checkpoint, detail)

    def _compare(self) -> Iterator[ShardFault]:
        if self._last is None or self._compared or not self._whole:
            return
        locator, checkpoint, shard = self._last
        self._compared = True
        self._root.snapshots = SnapshotsHead(*shard[2:])
        ours = self._root.commitment()
        if ours != shard:
            detail = (
                f"signed {shard.records} records and root {shard.root.hex()}, the cells' latest "
                f"checkpoints give {ours.records} and {ours.root.hex()}"
            )
            yield self._fault(Reason.SHARD_ROOT, locator, checkpoint, detail)

    @staticmethod
    def _fault(reason: Reason, locator: Locator, of: Checkpoint, detail: str) -> ShardFault:
        return ShardFault(reason, locator, of.origin, of.size, detail)
