from __future__ import annotations

import pytest

from schemas.errors import StateError
from state.audit.merkle import EMPTY_ROOT, CompactRange, leaf_hash, leaf_hashes, node_hash

# The test tree of Certificate Transparency's reference implementation (RFC 6962).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """The roots of the published test tree come out at every size."""
    edge = CompactRange()
    edge.extend(leaf_hash(leaf) for leaf in LEAVES[:size])
    assert edge.root().hex() == ROOTS[size]


def test_leaf_and_node_hashes_cannot_stand_for_each_other() -> None:
    """Two hashes passed off as a leaf do not give the hash of their parent."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_leaves_in_one_buffer_hash_like_single_leaves() -> None:
    """Hashing a block of rows in one go gives what hashing each leaf gives."""
    rows = [bytes([number]) * 5 + b"tail" for number in range(7)]
    assert leaf_hashes(b"".join(rows), 9, 5) == [leaf_hash(row[:5]) for row in rows]


def test_a_range_at_the_largest_size_holds_64_hashes() -> None:
    """State stays bounded however long a log grows."""
    edge = CompactRange(2**64 - 1, [bytes(32)] * 64)
    assert len(edge.to_bytes()) == 8 + 64 * 32
    assert edge.root() != EMPTY_ROOT


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(1, []), (2, [bytes(32)] * 2), (1, [bytes(31)]), (-1, [bytes(32)]), (2**64, [bytes(32)])],
)
def test_a_range_that_cannot_be_is_refused(size: int, hashes: list[bytes]) -> None:
    """Damaged state is refused instead of producing roots that nobody can verify."""
    with pytest.raises(StateError, match="restore the chain"):
        CompactRange(size, hashes)


@pytest.mark.parametrize("keep", [0, 7, 8, 39, 41])
def test_bytes_that_break_off_are_refused(keep: int) -> None:
    """A cut or overlong value from the table is refused and says where to restore from."""
    data = CompactRange(1, [bytes(32)]).to_bytes() + b"\x00"
    with pytest.raises(StateError, match="restore the chain"):
        CompactRange.from_bytes(data[:keep])
