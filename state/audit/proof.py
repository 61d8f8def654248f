"""Inclusion and consistency proofs of RFC 9162, sections 2.1.3 and 2.1.4 (those of RFC 6962).

A proof is a list of roots of subtrees, each over a range of leaves. Which ranges follows from two
numbers alone, so a proof is made in one pass over the leaf hashes, in memory for one compact range
and the O(log n) roots of the proof.

The verifiers refuse what the algorithms of the RFC, taken by the letter, let through: a tree of
size 0, of which nothing can be a member and with which anything is consistent; hashes of any length
but 32 bytes, the empty one above all; and a consistency "proof" of hashes between equal sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from state.audit.errors import BadProof
from state.audit.merkle import HASH_BYTES, MAX_SIZE, CompactRange, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Span(NamedTuple):
    """Leaves ``start .. stop-1`` of a tree."""

    start: int
    stop: int


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Name the subtrees whose roots prove that leaf ``index`` is in a tree of ``size`` leaves.

    PATH of RFC 9162, section 2.1.3.1, the nearest to the leaf first. O(log size).

    Raises:
        BadProof: there is no such leaf.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}: they are counted from 0")
    spans = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            spans.append(Span(middle, stop))
            stop = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Name the subtrees whose roots prove that a tree of ``second`` leaves begins with ``first``.

    SUBPROOF of RFC 9162, section 2.1.4.1. O(log second).

    Raises:
        BadProof: the sizes are not 1 ≤ first ≤ second.
    """
    if not 1 <= first <= second <= MAX_SIZE:
        raise BadProof(f"no proof leads from {first} to {second} leaves: 1 ≤ first ≤ second")
    spans = []
    start, stop, whole = 0, second, True
    while first != stop:
        middle = start + _split(stop - start)
        if first <= middle:
            spans.append(Span(middle, stop))
            stop = middle
        else:
            spans.append(Span(start, middle))
            start, whole = middle, False
    if not whole:
        spans.append(Span(start, stop))
    return spans[::-1]


def span_roots(leaves: Iterable[bytes], spans: Sequence[Span]) -> list[bytes]:
    """Compute the roots of subtrees in one pass.

    Args:
        leaves: hashes of the leaves, from the first; read up to the last that is needed.
        spans: subtrees that do not overlap, in any order.

    Returns:
        A root for each span, in the order given. One hash a leaf within the spans; O(log) memory.

    Raises:
        BadProof: there are fewer leaves.
    """
    roots: dict[Span, bytes] = {}
    ordered = iter(sorted(spans))
    span = next(ordered, None)
    edge = CompactRange()
    for number, leaf in enumerate(leaves):
        if span is None:
            break
        if number < span.start:
            continue
        edge.append(leaf)
        if number + 1 == span.stop:
            roots[span] = edge.root()
            edge = CompactRange()
            span = next(ordered, None)
    if span is not None:
        raise BadProof(f"the log has fewer leaves than the {span.stop} that the proof speaks of")
    return [roots[span] for span in spans]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf is in a tree (RFC 9162, section 2.1.3.2).

    Args:
        leaf: hash of the leaf, 32 bytes.
        index: its number, from 0.
        size: leaves in the tree.
        proof: roots of subtrees, the nearest to the leaf first.
        root: root of the tree, 32 bytes.

    Raises:
        BadProof: it does not prove that.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}")
    _check_hashes(leaf, root, *proof)
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise BadProof(f"the proof of leaf {index} in {size} has too many hashes")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadProof(f"the proof of leaf {index} in {size} has too few hashes")
    if r != root:
        raise BadProof(f"the proof of leaf {index} in {size} gives {r.hex()}, not {root.hex()}")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that one tree begins with all of another (RFC 9162, section 2.1.4.2).

    Args:
        first: leaves of the smaller tree, at least 1.
        second: leaves of the larger one.
        first_root: root of the smaller, 32 bytes.
        second_root: root of the larger.
        proof: roots of subtrees; none where the sizes are equal.

    Raises:
        BadProof: it does not prove that.
    """
    if not 1 <= first <= second <= MAX_SIZE:
        raise BadProof(f"nothing can be proved from {first} to {second} leaves")
    _check_hashes(first_root, second_root, *proof)
    if first == second:
        if proof or first_root != second_root:
            raise BadProof(f"two trees of {first} leaves are the same or they are a fork")
        return
    if not proof:
        raise BadProof(f"the proof from {first} to {second} has no hashes")
    if _folded(first, second, first_root, proof) != (first_root, second_root):
        raise BadProof(f"the proof from {first} to {second} leaves gives other roots")


def _folded(
    first: int, second: int, first_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Compute both roots from the hashes of a consistency proof."""
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise BadProof(f"the proof from {first} to {second} has too many hashes")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadProof(f"the proof from {first} to {second} has too few hashes")
    return fr, sr


def _split(size: int) -> int:
    """Give the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_hashes(*hashes: bytes) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:
            raise BadProof(f"a hash of {len(one)} bytes where {HASH_BYTES} are due")
