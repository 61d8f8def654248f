"""The compact range against the recursive definition of RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from state.audit.merkle import EMPTY_ROOT, CompactRange, leaf_hash

LEAVES = st.lists(st.binary(max_size=8), max_size=70)


def merkle_tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = merkle_tree_hash(leaves[:split]), merkle_tree_hash(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(leaves=LEAVES, cuts=st.lists(st.integers(0, 70), max_size=6))
def test_root_is_the_rfc_6962_root_however_appends_are_batched(
    leaves: list[bytes], cuts: list[int]
) -> None:
    """Any other RFC 6962 implementation computes the same root, whatever the batches were."""
    edge = CompactRange()
    bounds = [0, *sorted(min(cut, len(leaves)) for cut in cuts), len(leaves)]
    for start, stop in itertools.pairwise(bounds):
        edge.extend([leaf_hash(leaf) for leaf in leaves[start:stop]])
        assert edge.size == stop
        assert edge.root() == merkle_tree_hash(leaves[:stop])


@given(leaves=LEAVES)
def test_appending_one_by_one_gives_the_range_of_a_batch(leaves: list[bytes]) -> None:
    """A worker that commits one record at a time writes the same chain as one that batches."""
    single, batch = CompactRange(), CompactRange()
    for leaf in leaves:
        single.append(leaf_hash(leaf))
    batch.extend(leaf_hash(leaf) for leaf in leaves)
    assert (single.size, single.hashes) == (batch.size, batch.hashes)


@given(before=LEAVES, after=LEAVES)
def test_a_restored_range_goes_on_where_the_saved_one_stood(
    before: list[bytes], after: list[bytes]
) -> None:
    """A restart from the saved bytes leads to the root of a run without a restart."""
    edge = CompactRange()
    edge.extend(leaf_hash(leaf) for leaf in before)
    restored = CompactRange.from_bytes(edge.to_bytes())
    restored.extend(leaf_hash(leaf) for leaf in after)
    assert restored.root() == merkle_tree_hash(before + after)
    assert len(restored.hashes) == (len(before) + len(after)).bit_count()


def test_empty_tree_has_the_hash_of_nothing() -> None:
    """A cell that has not stepped yet has the root that RFC 6962 gives the empty tree."""
    assert CompactRange().root() == EMPTY_ROOT == merkle_tree_hash([])
