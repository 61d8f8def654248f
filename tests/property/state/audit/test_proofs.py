"""Proofs against pymerkle, another implementation of RFC 9162, and against every kind of damage."""

from __future__ import annotations

from typing import Any

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.audit.errors import BadProof
from state.audit.merkle import CompactRange, leaf_hash
from state.audit.proof import (
    consistency_spans,
    inclusion_spans,
    span_roots,
    verify_consistency,
    verify_inclusion,
)

SIZES = st.integers(1, 70)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


def root_of(leaves: list[bytes]) -> bytes:
    edge = CompactRange()
    edge.extend(leaves)
    return edge.root()


def oracle(size: int) -> Any:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        tree.append_entry(b"%d" % number)
    return tree


@given(size=SIZES, data=st.data())
def test_inclusion_is_what_pymerkle_proves(size: int, data: st.DataObject) -> None:
    """Our proofs are those of another implementation, and each accepts the other's."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    proof = span_roots(leaves, inclusion_spans(index, size))
    theirs = oracle(size).prove_inclusion(index + 1, size)
    assert theirs.path[0] == leaves[index]
    assert set(theirs.path[1:]) == set(proof)
    assert theirs.compute_root() == root_of(leaves)
    verify_inclusion(leaves[index], index, size, proof, root_of(leaves))


@given(first=SIZES, more=st.integers(0, 40))
def test_consistency_is_what_pymerkle_proves(first: int, more: int) -> None:
    """A later tree is proved to begin with an earlier one, with pymerkle's roots."""
    second = first + more
    tree = oracle(second)
    proof = span_roots(leaves_of(second), consistency_spans(first, second))
    before, after = tree.get_root(first), tree.get_root(second)
    tree.prove_consistency(first, second).verify(before, after)
    verify_consistency(first, second, before, after, proof)


@given(size=SIZES, data=st.data())
def test_a_damaged_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    """Another leaf, place, size or hash, one hash more or less: none is accepted."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = root_of(leaves)
    proof = span_roots(leaves, inclusion_spans(index, size))
    with pytest.raises(BadProof):
        verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    with pytest.raises(BadProof):
        verify_inclusion(leaves[index], index, size, [*proof, root], root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        with pytest.raises(BadProof):
            verify_inclusion(leaves[index], index, size, proof[:at] + proof[at + 1 :], root)
        swapped = [*proof[:at], leaf_hash(b"other"), *proof[at + 1 :]]
        with pytest.raises(BadProof):
            verify_inclusion(leaves[index], index, size, swapped, root)
        other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
        with pytest.raises(BadProof):
            verify_inclusion(leaves[index], other, size, proof, root)


@given(first=SIZES, more=st.integers(1, 40), data=st.data())
def test_a_damaged_consistency_proof_is_refused(first: int, more: int, data: st.DataObject) -> None:
    """A tree whose beginning was rewritten is never consistent with what was before."""
    second = first + more
    leaves = leaves_of(second)
    before, after = root_of(leaves[:first]), root_of(leaves)
    proof = span_roots(leaves, consistency_spans(first, second))
    edited = data.draw(st.integers(0, first - 1))
    forged = [*leaves[:edited], leaf_hash(b"other"), *leaves[edited + 1 :]]
    forged_proof = span_roots(forged, consistency_spans(first, second))
    with pytest.raises(BadProof):
        verify_consistency(first, second, before, root_of(forged), forged_proof)
    with pytest.raises(BadProof):
        verify_consistency(first, second, before, after, [*proof, after])
    with pytest.raises(BadProof):
        verify_consistency(first, second, before, after, proof[:-1])
    with pytest.raises(BadProof):
        verify_consistency(first, second, root_of(forged[:first]), after, proof)


EMPTY = b""


@pytest.mark.parametrize(
    ("leaf", "index", "size", "proof", "root"),
    [
        (EMPTY, 0, 1, [], EMPTY),
        (EMPTY, 0, 0, [], EMPTY),
        (bytes(32), 0, 0, [], bytes(32)),
        (bytes(32), 0, 2, [EMPTY], bytes(32)),
        (bytes(32), -1, 1, [], bytes(32)),
        (bytes(31), 0, 1, [], bytes(31)),
    ],
)
def test_inclusion_in_nothing_is_refused(
    leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> None:
    """What the textbook accepts by its letter: empty hashes, a tree of size 0, a place below 0."""
    with pytest.raises(BadProof):
        verify_inclusion(leaf, index, size, proof, root)


@pytest.mark.parametrize(
    ("first", "second", "before", "after", "proof"),
    [
        (0, 0, EMPTY, EMPTY, []),
        (0, 5, bytes(32), bytes(32), []),
        (0, 5, bytes(32), bytes(32), [bytes(32)]),
        (1, 1, EMPTY, EMPTY, []),
        (3, 3, bytes(32), bytes(32), [bytes(32)]),
        (1, 2, bytes(32), bytes(32), []),
        (4, 4, bytes(32), b"\x01" * 32, []),
        (2, 4, EMPTY, EMPTY, [EMPTY]),
        (5, 4, bytes(32), bytes(32), []),
    ],
)
def test_consistency_with_nothing_is_refused(
    first: int, second: int, before: bytes, after: bytes, proof: list[bytes]
) -> None:
    """An empty tree or an empty hash is consistent with anything, and so proves nothing."""
    with pytest.raises(BadProof):
        verify_consistency(first, second, before, after, proof)


def test_no_proof_can_be_asked_of_what_is_not_there() -> None:
    """A leaf beyond the tree, or a log that is shorter than said, is an error, not a proof."""
    with pytest.raises(BadProof):
        inclusion_spans(3, 3)
    with pytest.raises(BadProof):
        consistency_spans(0, 3)
    with pytest.raises(BadProof):
        span_roots(leaves_of(4), inclusion_spans(0, 8))
