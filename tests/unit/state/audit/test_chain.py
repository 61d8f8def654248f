from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import Bug, StateError
from state.audit.chain import NO_PREV, Chain
from state.audit.checkpoint import Checkpoint
from state.audit.leaf import LEAF_BYTES, LEAF_DTYPE, RECORD_BYTES, RECORD_DTYPE, blank_rows
from state.audit.merkle import EMPTY_ROOT, CompactRange
from state.audit.note import Signer

ORIGIN = "weir/acme/0"


def random_rows(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[Any]]:
    data = np.random.default_rng(seed).bytes(count * LEAF_BYTES)
    return np.frombuffer(data, LEAF_DTYPE).copy()


def test_each_record_names_the_hash_of_the_one_before() -> None:
    """A reader can follow the chain with nothing but SHA-256."""
    prev = NO_PREV
    for value in Chain(ORIGIN).append(random_rows(5)):
        assert len(value) == RECORD_BYTES
        leaf, curr = value[:LEAF_BYTES], value[LEAF_BYTES:]
        assert leaf[-32:] == prev
        assert hashlib.sha256(b"\x00" + leaf).digest() == curr
        prev = curr


def test_rows_get_their_prev_and_keep_the_rest() -> None:
    """What the step recorded travels unchanged, beside the link that the chain adds."""
    rows = random_rows(4)
    original = rows.copy()
    chain = Chain(ORIGIN)
    values = chain.append(rows[:1]) + chain.append(rows[1:])
    records = np.frombuffer(b"".join(values), RECORD_DTYPE)
    assert records["leaf"].tobytes() == rows.tobytes()
    for name in LEAF_DTYPE.names or ():
        if name != "prev":
            assert rows[name].tobytes() == original[name].tobytes()


@pytest.mark.parametrize("cuts", [[3], [1, 1, 1], [2, 0, 5], [8, 9]])
def test_batches_leave_no_trace(cuts: list[int]) -> None:
    """However a stream is cut into units of work, its log and its root are the same."""
    rows = random_rows(sum(cuts))
    whole, cut = Chain(ORIGIN), Chain(ORIGIN)
    values = whole.append(rows.copy())
    start = 0
    pieces: list[bytes] = []
    for count in cuts:
        pieces += cut.append(rows[start : start + count])
        start += count
    assert pieces == values
    assert (cut.size, cut.head, cut.root()) == (whole.size, whole.head, whole.root())


def test_rows_with_gaps_between_them_are_linked_alike() -> None:
    """A view that skips rows is appended as the rows that it shows."""
    rows = random_rows(6)
    dense = rows[::2].copy()
    assert Chain(ORIGIN).append(rows[::2]) == Chain(ORIGIN).append(dense)
    assert rows[::2].tobytes() == dense.tobytes()


def test_a_restored_chain_goes_on_where_it_stood() -> None:
    """A restart in the middle of a log cannot be told from the log."""
    rows = random_rows(11)
    whole, first = Chain(ORIGIN), Chain(ORIGIN)
    values = whole.append(rows.copy())
    first.append(rows[:7])
    second = Chain.from_bytes(ORIGIN, first.to_bytes())
    assert second.append(rows[7:]) == values[7:]
    assert second.to_bytes() == whole.to_bytes()


def test_a_checkpoint_signs_size_root_and_head() -> None:
    """A unit of work closes with a signature over everything that was recorded so far."""
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    chain = Chain(ORIGIN)
    assert chain.checkpoint(signer).open([signer.verifier]) == Checkpoint(
        ORIGIN, 0, EMPTY_ROOT, NO_PREV
    )
    values = chain.append(random_rows(3))
    tree = CompactRange()
    tree.extend(value[LEAF_BYTES:] for value in values)
    assert chain.checkpoint(signer).open([signer.verifier]) == Checkpoint(
        ORIGIN, 3, tree.root(), values[-1][LEAF_BYTES:]
    )


def test_rows_of_another_layout_are_a_bug() -> None:
    """A mistake in the caller stops the worker before anything is committed."""
    with pytest.raises(Bug, match="LEAF_DTYPE"):
        Chain(ORIGIN).append(np.zeros(3))
    with pytest.raises(Bug, match="LEAF_DTYPE"):
        Chain(ORIGIN).append(blank_rows(4).reshape(2, 2))


@pytest.mark.parametrize(
    ("size", "damage"),
    [
        *[(size, damage) for size in (0, 1, 2, 3) for damage in ("cut", "version", "longer")],
        *[(size, "head") for size in (0, 1, 3)],  # of an even tree the last leaf is not kept
        (0, "empty"),
    ],
)
def test_a_damaged_chain_is_refused(size: int, damage: str) -> None:
    """State that was damaged on disk is refused, and the message says what to do."""
    chain = Chain(ORIGIN)
    chain.append(random_rows(size))
    data = chain.to_bytes()
    damaged = {
        "cut": data[:-1],
        "version": b"\x02" + data[1:],
        "head": data[:1] + bytes([1]) * 32 + data[33:],
        "longer": data + bytes(32),
        "empty": b"",
    }[damage]
    with pytest.raises(StateError, match=r"restore|run the release"):
        Chain.from_bytes(ORIGIN, damaged)
