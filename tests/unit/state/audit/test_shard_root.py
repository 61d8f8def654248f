"""The root of a shard, made by the chains of its cells and recomputed from their checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from state.audit.chain import Chain
from state.audit.checkpoint import Checkpoint
from state.audit.leaf import SNAPSHOT, mark_row
from state.audit.merkle import leaf_hash
from state.audit.proof import verify_inclusion
from state.audit.report import Locator, Reason
from state.audit.shard_root import ShardRoot, ShardRootVerifier, SnapshotsHead, cell_leaf

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from state.audit.shard_root import ShardFault

    Rows = np.ndarray[Any, np.dtype[Any]]
    MakeRows = Callable[[int], Rows]

TENANTS = ("acme", "globex", "initech")
MANIFEST = bytes(range(32))


class ShardUnderTest:
    """Cells of one shard and the checkpoints that their units of work closed with."""

    def __init__(self, make: MakeRows) -> None:
        self.rows = make(40)
        self.chains = {name: Chain(f"weir/{name}/0") for name in TENANTS}
        self.root = ShardRoot()
        self.checkpoints: list[Checkpoint] = []
        self.manifests: list[bytes] = []

    def unit(self, **steps: int) -> None:
        """Step cells, and sign with all of them in the root."""
        for name, count in steps.items():
            chain = self.chains[name]
            chain.append(self.rows[chain.size : chain.size + count])
            self.root.put(chain.standing())
        self._sign(*steps)

    def snapshot(self, manifest: bytes) -> None:
        """Mark a snapshot in every cell's chain."""
        self.root.snapshots = self.root.snapshots.after(manifest)
        self.manifests.append(manifest)
        for chain in self.chains.values():
            chain.append(mark_row(SNAPSHOT, chain.size, manifest))
            self.root.put(chain.standing())
        self._sign(*self.chains)

    def _sign(self, *names: str) -> None:
        shard = self.root.commitment()
        self.checkpoints += [self.chains[n].standing()._replace(shard=shard) for n in names]

    def verify(self, *, whole: bool = True) -> list[Reason]:
        """Give the reasons why the checkpoints do not hold together."""
        verifier = ShardRootVerifier(whole=whole)
        for manifest in self.manifests:
            verifier.snapshot(manifest)
        faults: list[ShardFault] = []
        for number, checkpoint in enumerate(self.checkpoints):
            faults += verifier.take(Locator("checkpoints", 0, number), checkpoint)
        faults += verifier.finish()
        return [fault.reason for fault in faults]


@pytest.fixture
def shard(rows_of: MakeRows) -> ShardUnderTest:
    """Three cells, four units of work and a snapshot."""
    made = ShardUnderTest(rows_of)
    made.unit(acme=3)
    made.unit(acme=2, globex=4)
    made.snapshot(MANIFEST)
    made.unit(initech=1)
    made.unit(acme=1, globex=1, initech=1)
    return made


def test_an_honest_shard_holds(shard: ShardUnderTest) -> None:
    """Every root can be recomputed from the checkpoints before it."""
    assert shard.verify() == []
    assert len({checkpoint.shard for checkpoint in shard.checkpoints}) == 5


def test_a_checkpoint_reads_back_with_its_shard(shard: ShardUnderTest) -> None:
    """The shard's line survives the note, and is strict about its parts."""
    text = shard.checkpoints[-1].text()
    assert Checkpoint.parse(text) == shard.checkpoints[-1]
    assert text.splitlines()[4].split(" ")[0] == "shard"


@pytest.mark.parametrize("place", range(9))
def test_another_head_of_any_cell_is_found(shard: ShardUnderTest, place: int) -> None:
    """A tenant that is shown another history than its shard committed to shows in the root."""
    forged = shard.checkpoints[place]._replace(head=bytes(32))
    shard.checkpoints[place] = forged
    assert Reason.SHARD_ROOT in shard.verify()


def test_a_cell_that_is_left_out_is_found(shard: ShardUnderTest) -> None:
    """A whole cell cannot be kept from the auditor of its shard."""
    shard.checkpoints = [c for c in shard.checkpoints if "globex" not in c.origin]
    assert Reason.SHARD_ROOT in shard.verify()
    assert shard.verify(whole=False) == []  # a tenant alone sees its own only


def test_a_shard_that_went_back_is_found(shard: ShardUnderTest) -> None:
    """Units of work cannot change places."""
    shard.checkpoints = [*shard.checkpoints[1:3], shard.checkpoints[0], *shard.checkpoints[3:]]
    assert Reason.SHARD_ORDER in shard.verify()


def test_a_snapshot_without_its_mark_is_found(shard: ShardUnderTest) -> None:
    """A snapshot that the records do not tell of, or another manifest than marked, is found."""
    shard.manifests = [bytes(32)]
    assert shard.verify() == [Reason.SNAPSHOTS]


def test_a_cells_place_in_the_root_can_be_proved(shard: ShardUnderTest) -> None:
    """A tenant needs its own checkpoint and a few hashes, not the others' logs."""
    checkpoint = next(c for c in reversed(shard.checkpoints) if "globex" in c.origin)
    assert checkpoint.shard is not None
    index, leaves, hashes = shard.root.prove(checkpoint.origin)
    assert (index, leaves) == (1, 4)
    leaf = leaf_hash(cell_leaf(checkpoint))
    verify_inclusion(leaf, index, leaves, hashes, checkpoint.shard.root)


def test_the_head_of_the_snapshots_survives_a_restart() -> None:
    """A worker that goes on counts snapshots from where the one before stood."""
    head = SnapshotsHead().after(MANIFEST).after(bytes(32))
    assert SnapshotsHead.from_bytes(head.to_bytes()) == head
    assert head.number == 2
