"""Cells in the store: arrays go out as changed blocks and come back byte for byte."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.errors import StateError
from state.cell_keys import (
    array_of,
    block_key,
    block_number,
    block_prefix,
    chain_checkpoint_key,
    chain_checkpoint_prefix,
    chain_key,
    chain_prefix,
    checkpoint_key,
    learner_key,
    manifest_key,
    manifest_prefix,
    offset_key,
    tenant_of,
)
from state.cell_manifest import MAX_BLOCK_BYTES
from state.cells import (
    CellWriter,
    block_records,
    load_cell,
    load_cells,
    manifests,
    tenants,
)
from state.changelog import StateCheckpoint, encode_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

BLOCK = 64
NOTHING: Mapping[str, NDArray[np.int64]] = {}


class MemoryStore(dict[bytes, bytes]):
    """What a compacted changelog amounts to."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records of a prefix, ordered."""
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix))

    items = scan  # type: ignore[assignment]  # the store's interface, not the dict's

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Keep the last value of each key."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


def changes_of(
    writer: CellWriter,
    arrays: Mapping[str, NDArray[Any]],
    dirty: Mapping[str, NDArray[np.int64]] = NOTHING,
    block_bytes: int = BLOCK,
) -> dict[bytes, bytes | None]:
    records = list(writer.records(arrays, dirty, lambda _: block_bytes))
    assert len({key for key, _ in records}) == len(records)
    return dict(records)


def stored(arrays: Mapping[str, NDArray[Any]], tenant: str = "acme") -> MemoryStore:
    store = MemoryStore()
    store.apply(changes_of(CellWriter(tenant), arrays))
    return store


def same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def test_the_layout_of_keys_is_fixed() -> None:
    """State written today is found by the versions to come: the bytes of the keys do not change."""
    assert offset_key() == b"\x01"
    assert checkpoint_key() == b"\x02"
    assert learner_key() == b"\x07"
    assert chain_key("ab") == b"\x03\x00\x02ab"
    assert chain_checkpoint_key("ab") == b"\x04\x00\x02ab"
    assert manifest_key("ab", "w") == b"\x05\x00\x02ab\x01w"
    assert block_key("ab", "w", 258) == b"\x06\x00\x02ab\x01w\x00\x00\x01\x02"


def test_keys_can_be_read_back() -> None:
    """Whose record it is and of what can be told from a key, in any script."""
    key = block_key("Ärger 🚰", "hlm.delta", 7)
    assert tenant_of(key) == "Ärger 🚰"
    assert array_of(key[:-4]) == ("Ärger 🚰", "hlm.delta")
    assert block_number(key) == 7
    assert array_of(manifest_key("t", "n")) == ("t", "n")
    assert tenant_of(chain_key("t")) == tenant_of(chain_checkpoint_key("t")) == "t"
    assert chain_key("t").startswith(chain_prefix())
    assert chain_checkpoint_key("t").startswith(chain_checkpoint_prefix())


def test_no_prefix_of_one_tenant_or_array_matches_another() -> None:
    """Tenants and arrays whose names begin alike are kept apart."""
    names = ["a", "ab", "a\x00", "", "b", "\x01a"]
    for tenant in names:
        for other in names:
            match = block_key(other, "w", 0).startswith(block_prefix(tenant))
            assert match == (tenant == other)
            match = manifest_key(other, "w").startswith(manifest_prefix(tenant))
            assert match == (tenant == other)
            match = block_key("t", other, 0).startswith(block_prefix("t", tenant))
            assert match == (tenant == other)


def test_blocks_are_in_the_order_of_their_keys() -> None:
    """One ordered scan reads an array from its beginning to its end."""
    keys = [block_key("t", "w", number) for number in (0, 1, 255, 256, 65_536, 2**32 - 1)]
    assert all(low < high for low, high in pairwise(keys))


@pytest.mark.parametrize("key", [b"", b"\x05", b"\x05\x00\x05ab", b"\x05\x00\x01\xff\x01w"])
def test_a_foreign_key_is_refused(key: bytes) -> None:
    """A changelog of another application is not misread as state."""
    with pytest.raises(StateError, match="belongs to another application"):
        array_of(key)


def test_a_key_with_bytes_left_over_is_refused() -> None:
    """The same for a key that only begins like one of ours."""
    with pytest.raises(StateError, match="belongs to another application"):
        array_of(manifest_key("t", "w") + b"x")


@pytest.mark.parametrize("tenant", ["x" * 65_536, "\ud800"])
def test_a_tenant_that_fits_no_key_is_refused(tenant: str) -> None:
    """A tenant name that is too long, or no text, is an error in words."""
    with pytest.raises(StateError, match=r"tenant .* cannot be a state key"):
        chain_key(tenant)


def test_an_array_comes_back_as_it_was() -> None:
    """Every dtype and length, block-aligned or not, is restored byte for byte, flat."""
    slot = np.dtype([("id", "<u8"), ("weight", "<f8"), ("n", "u1", (3,))])
    arrays: dict[str, NDArray[Any]] = {
        "floats": np.linspace(-1, 1, 1000),
        "odd.length": np.arange(13, dtype=np.uint8),
        "exactly.one.block": np.arange(BLOCK, dtype=np.uint8),
        "empty": np.empty(0, dtype=np.int32),
        "scalar": np.array(7.5),
        "matrix": np.arange(60.0).reshape(6, 10),
        "not.contiguous": np.arange(60.0).reshape(6, 10).T,
        "slots": np.zeros(50, dtype=slot),
        "nan": np.array([np.nan, -0.0, np.inf]),
        "flags": np.array([True, False]),
    }
    loaded = load_cell(stored(arrays), "acme")
    assert same(loaded, arrays)
    assert all(array.ndim == 1 and array.flags.owndata for array in loaded.values())


def test_an_array_of_many_runs_comes_back_as_it_was() -> None:
    """Large arrays, which are read and written in several runs, are restored byte for byte too."""
    arrays = {"large": np.random.default_rng(0).random(500_001)}
    assert same(load_cell(stored(arrays), "acme"), arrays)


def test_only_what_changed_is_written() -> None:
    """A checkpoint costs what changed since the last one, not what there is."""
    arrays = {"w": np.zeros(1000), "still": np.zeros(1000)}
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, arrays))
    arrays["w"][8] = 1.0  # 8 floats a block: block 1
    arrays["w"][999] = 2.0  # block 124
    changes = changes_of(writer, arrays, {"w": np.array([124, 1])})
    assert changes.keys() == {block_key("acme", "w", 1), block_key("acme", "w", 124)}
    store.apply(changes)
    assert same(load_cell(store, "acme"), arrays)


def test_blocks_are_cut_where_the_array_says() -> None:
    """The bytes of a block are those of the array, the last block ends with it."""
    array = np.arange(20, dtype=np.uint8)
    records = dict(block_records("t", "w", array, 8, [2, 0]))
    assert records == {
        block_key("t", "w", 0): bytes(range(8)),
        block_key("t", "w", 2): bytes(range(16, 20)),
    }


@pytest.mark.parametrize("length", [0, 1, 8, 9, 100])
def test_a_shrunk_array_leaves_nothing_behind(length: int) -> None:
    """Blocks beyond the new end are deleted from store and changelog."""
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, {"w": np.arange(200.0)}))
    arrays = {"w": np.arange(float(length))}
    store.apply(changes_of(writer, arrays))
    assert same(load_cell(store, "acme"), arrays)
    assert len(list(store.scan(block_prefix("acme")))) == -(-length * 8 // BLOCK)


def test_blocks_whose_tombstones_were_missed_are_ignored() -> None:
    """A standby that slept until Kafka forgot the tombstones still loads the right arrays."""
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, {"w": np.arange(200.0), "x": np.arange(3.0)}))
    arrays = {"w": np.arange(20.0), "x": np.arange(0.0)}
    changes = changes_of(writer, arrays)
    assert None in changes.values()
    store.apply({key: value for key, value in changes.items() if value is not None})
    assert same(load_cell(store, "acme"), arrays)


def test_blocks_of_an_array_that_is_gone_are_ignored() -> None:
    """The same if the tombstone of the manifest was seen and those of the blocks were missed."""
    store = stored({"a": np.arange(9.0), "gone": np.arange(9.0), "z": np.arange(9.0)})
    del store[manifest_key("acme", "gone")]
    assert same(load_cell(store, "acme"), {"a": np.arange(9.0), "z": np.arange(9.0)})


def test_a_grown_array_is_written_whole() -> None:
    """An array that was reallocated is complete in the store whatever was reported as changed."""
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, {"w": np.arange(10.0)}))
    arrays = {"w": np.arange(100.0, 300.0)}
    store.apply(changes_of(writer, arrays, {"w": np.array([3])}))
    assert same(load_cell(store, "acme"), arrays)


def test_another_dtype_or_block_size_is_written_whole() -> None:
    """An upgrade may change how an array is laid out: the old records do not mix with the new."""
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, {"w": np.arange(100.0)}))
    retyped = {"w": np.arange(100, dtype=np.int64)}
    store.apply(changes_of(writer, retyped))
    assert same(load_cell(store, "acme"), retyped)
    store.apply(changes_of(writer, retyped, block_bytes=256))
    assert same(load_cell(store, "acme"), retyped)
    assert len(list(store.scan(block_prefix("acme")))) == 4


def test_an_array_that_is_gone_is_deleted() -> None:
    """An array that a new version no longer has does not come back at the next restart."""
    writer = CellWriter("acme")
    store = MemoryStore()
    store.apply(changes_of(writer, {"w": np.arange(100.0), "old": np.arange(100.0)}))
    store.apply(changes_of(writer, {"w": np.arange(100.0)}))
    assert load_cell(store, "acme").keys() == {"w"}
    assert not list(store.scan(block_prefix("acme", "old")))


def test_a_writer_goes_on_from_what_the_store_has() -> None:
    """After a restart the first checkpoint is small like any other, and shrinking still deletes."""
    store = stored({"w": np.arange(100.0)})
    writer = CellWriter("acme", manifests(store, "acme"))
    arrays = load_cell(store, "acme")
    assert changes_of(writer, arrays) == {}
    arrays["w"] = arrays["w"][:10]
    store.apply(changes_of(writer, arrays))
    assert len(list(store.scan(block_prefix("acme")))) == 2


def test_a_missing_block_is_named() -> None:
    """A hole in the state is an error that names tenant, array and block, wherever it is."""
    for number in (0, 1, 77, 124):
        store = stored({"a": np.zeros(9), "w": np.zeros(1000), "z": np.zeros(9)})
        del store[block_key("acme", "w", number)]
        with pytest.raises(StateError, match=rf"'acme'.*'w' lacks block {number}: delete"):
            load_cell(store, "acme")


def test_an_array_without_any_block_is_named() -> None:
    """The same if all of an array is gone."""
    store = stored({"w": np.zeros(5)})
    del store[block_key("acme", "w", 0)]
    with pytest.raises(StateError, match=r"'acme'.*'w' lacks block 0"):
        load_cell(store, "acme")


@pytest.mark.parametrize("number", [0, 77, 124])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_damaged_block_is_named(number: int, change: int) -> None:
    """A block of a wrong length is an error that names tenant, array and block."""
    store = stored({"w": np.zeros(1000)})
    store[block_key("acme", "w", number)] = bytes(BLOCK + change)
    with pytest.raises(StateError, match=rf"'acme'.*'w' has a damaged block {number}: "):
        load_cell(store, "acme")


def test_two_wrong_lengths_that_cancel_out_are_found() -> None:
    """Bytes that slid from one block into the next do not pass as whole."""
    store = stored({"w": np.zeros(1000)})
    store[block_key("acme", "w", 5)] = bytes(BLOCK - 8)
    store[block_key("acme", "w", 6)] = bytes(BLOCK + 8)
    with pytest.raises(StateError, match="damaged block 5: 56 bytes instead of 64"):
        load_cell(store, "acme")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"", "format nothing"),
        (b"\x02" + bytes(20), "format 02"),
        (b"\x01", "damaged"),
        (b"\x01" + bytes(12) + b'"no such dtype"', "damaged"),
        (b"\x01" + bytes(12) + b"[[", "damaged"),
        (b"\x01" + bytes(12) + b"\xff", "damaged"),
        (b"\x01" + bytes(12) + b'[["a"]]', "damaged"),
        (b"\x01" + bytes(12) + b"{}", "damaged"),
        (b"\x01" + bytes(12) + b"null", "damaged"),
        (b"\x01" + bytes(12) + b'"|O"', "damaged"),
        (b"\x01" + bytes(12) + b'"<f8"', "damaged"),  # blocks of no bytes
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(value: bytes, what: str) -> None:
    """Damaged or newer manifests are errors that name tenant and array."""
    store = MemoryStore({manifest_key("acme", "w"): value})
    with pytest.raises(StateError, match=rf"'acme': manifest of array 'w'.*{what}"):
        load_cell(store, "acme")


def test_tenants_do_not_mix() -> None:
    """Each tenant gets its own arrays back and none of the others'."""
    cells = {
        tenant: {"w": np.full(20, number, dtype=np.float64), tenant: np.arange(3)}
        for number, tenant in enumerate(["a", "ab", "b", "long name", "ß"])
    }
    store = MemoryStore()
    for tenant, arrays in cells.items():
        store.apply(changes_of(CellWriter(tenant), arrays))
    store[checkpoint_key()] = encode_checkpoint(StateCheckpoint(9, len(cells), 1))
    store[chain_key("not in the checkpoint yet")] = b""
    assert sorted(tenants(store)) == sorted(cells)
    loaded = dict(load_cells(store))
    assert loaded.keys() == cells.keys()
    assert all(same(loaded[tenant], cells[tenant]) for tenant in cells)


def test_a_state_without_a_tenant_it_should_have_is_refused() -> None:
    """A checkpoint record that speaks of more tenants than there are stops the shard."""
    store = stored({"w": np.zeros(5)})
    store[checkpoint_key()] = encode_checkpoint(StateCheckpoint(9, 2, 1))
    with pytest.raises(StateError, match="arrays of 1 tenants, its checkpoint record says 2"):
        dict(load_cells(store))


def test_arrays_without_a_checkpoint_record_are_refused() -> None:
    """Arrays of which nobody knows where they stand are not used."""
    with pytest.raises(StateError, match="checkpoint record says 0"):
        dict(load_cells(stored({"w": np.zeros(5)})))


def test_an_empty_store_has_no_cells() -> None:
    """A new shard starts from nothing."""
    assert dict(load_cells(MemoryStore())) == {}
    assert load_cell(MemoryStore(), "acme") == {}


@pytest.mark.parametrize("block_bytes", [0, -1, MAX_BLOCK_BYTES + 1])
def test_a_block_size_that_fits_no_message_is_refused(block_bytes: int) -> None:
    """A block that Kafka would refuse is refused before anything is written."""
    with pytest.raises(StateError, match="array 'w' cannot be stored: blocks of"):
        changes_of(CellWriter("acme"), {"w": np.zeros(5)}, block_bytes=block_bytes)


def test_the_largest_block_size_works() -> None:
    """The stated limit itself is allowed."""
    writer, store = CellWriter("acme"), MemoryStore()
    arrays = {"w": np.arange(200_000.0)}
    store.apply(changes_of(writer, arrays, block_bytes=MAX_BLOCK_BYTES))
    assert same(load_cell(store, "acme"), arrays)


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype(object),
        np.dtype("V0"),
        np.dtype({"names": ["a", "b"], "formats": ["<u8", "<u8"], "offsets": [8, 0]}),
    ],
)
def test_an_array_whose_bytes_do_not_tell_it_whole_is_refused(dtype: np.dtype[Any]) -> None:
    """What could not be restored is not stored."""
    with pytest.raises(StateError, match="array 'w' cannot be stored: the bytes of dtype"):
        changes_of(CellWriter("acme"), {"w": np.zeros(5, dtype=dtype)})


def test_an_array_of_too_many_blocks_is_refused() -> None:
    """An array whose blocks cannot be numbered is refused with the way out."""
    array = np.lib.stride_tricks.as_strided(np.zeros(1, dtype=np.uint8), (2**32 + 1,), (0,))
    with pytest.raises(StateError, match="can be numbered, use larger ones"):
        dict(block_records("acme", "w", array, 1, []))


@pytest.mark.parametrize("number", [-1, 13, 2**40])
def test_a_changed_block_outside_the_array_is_refused(number: int) -> None:
    """A wrong report of changes is found when it is made, not at the next restore."""
    writer = CellWriter("acme")
    changes_of(writer, {"w": np.zeros(100)})
    with pytest.raises(StateError, match=rf"block {number} of array 'w'.*has 13 blocks"):
        changes_of(writer, {"w": np.zeros(100)}, {"w": np.array([number])})
