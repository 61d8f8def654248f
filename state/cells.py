"""Cells in the store: arrays go out as the blocks that changed and come back whole.

A cell is a set of named flat arrays. Each is cut into blocks of a fixed number of bytes; a
checkpoint writes the blocks that changed since the last one, and a manifest for each array whose
layout is new. The records are the same in RocksDB and in the compacted changelog, so the last value
of each key is the state.

An array whose length, dtype or block size changes is written anew as a whole; blocks beyond its new
end get tombstones. Kafka forgets tombstones after ``delete.retention.ms``, so a store that slept
longer may keep such blocks: loading goes by the manifest and ignores what lies beyond it.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from schemas.errors import StateError
from state.cell_keys import (
    BLOCK_NUMBER_BYTES,
    array_of,
    block_key,
    block_number,
    block_prefix,
    checkpoint_key,
    manifest_key,
    manifest_prefix,
    tenant_of,
)
from state.cell_manifest import Manifest, decode_manifest, manifest_of
from state.changelog import decode_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

# Blocks are gathered and joined in runs of about this many bytes. Measured with 256-byte blocks:
# 256 KiB to 4 MiB are alike, at 16 MiB emitting is three times slower (out of the caches).
_RUN_BYTES: Final = 1024 * 1024


class Records(Protocol):
    """Anything that holds a shard's records in the byte order of their keys."""

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None."""

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in ascending order of keys."""


def block_records(
    tenant: str, name: str, array: NDArray[Any], block_bytes: int, blocks: Iterable[int]
) -> Iterator[tuple[bytes, bytes]]:
    """Records of some blocks of an array.

    The bytes are copied as the iterator advances, so it must be used up before the array changes.
    Cost: O(bytes of the blocks), a megabyte at a time.

    Args:
        tenant: whose array it is.
        name: of the array.
        array: any shape and dtype without objects; copied first unless C-contiguous.
        block_bytes: bytes of a block; the last one ends with the array.
        blocks: numbers of the blocks, in any order.

    Yields:
        Key and value, in the order of ``blocks``, but a shorter last block comes at the end.

    Raises:
        StateError: a block lies outside the array, or the array cannot be stored.
    """
    manifest = manifest_of(name, array, block_bytes)
    numbers = np.fromiter(blocks, dtype=np.int64) if not isinstance(blocks, np.ndarray) else blocks
    outside = numbers[(numbers < 0) | (numbers >= manifest.blocks)]
    if outside.size:
        raise StateError(
            f"state of tenant {tenant!r}: block {outside[0]} of array {name!r} was reported as "
            f"changed, but the array has {manifest.blocks} blocks"
        )
    flat = array.reshape(-1).view(np.uint8)
    whole = manifest.nbytes // block_bytes
    table = flat[: whole * block_bytes].view(f"V{block_bytes}")
    full = numbers[numbers < whole]
    run = max(1, _RUN_BYTES // block_bytes)
    prefix = np.frombuffer(block_prefix(tenant, name), dtype=np.uint8)
    for start in range(0, full.size, run):
        part = full[start : start + run]
        yield from zip(_block_keys(prefix, part), table[part].tolist(), strict=True)
    if full.size < numbers.size:
        yield block_key(tenant, name, whole), flat[whole * block_bytes :].tobytes()


def _block_keys(prefix: NDArray[np.uint8], numbers: NDArray[Any]) -> list[bytes]:
    """All keys in a few array operations: packing them one by one costs more than the blocks."""
    keys = np.empty((numbers.size, prefix.size + BLOCK_NUMBER_BYTES), dtype=np.uint8)
    keys[:, : prefix.size] = prefix
    keys[:, prefix.size :] = numbers.astype(">u4").view(np.uint8).reshape(-1, BLOCK_NUMBER_BYTES)
    as_bytes: list[bytes] = keys.view(f"V{keys.shape[1]}").reshape(-1).tolist()
    return as_bytes


class CellWriter:
    """Turns what changed in one cell into records, checkpoint after checkpoint.

    It remembers the layout that the changelog has of each array, to know when an array must be
    written anew and which of its old blocks are to be deleted. After an aborted transaction it is
    ahead of the changelog, like the cell itself: load both again.

    Args:
        tenant: whose cell it is.
        stored: layouts that the store has, from `manifests`; none for a new cell.

    Attributes:
        tenant: as given.
    """

    def __init__(self, tenant: str, stored: Mapping[str, Manifest] | None = None) -> None:
        self.tenant = tenant
        self._stored = dict(stored or {})

    def records(
        self,
        arrays: Mapping[str, NDArray[Any]],
        dirty: Mapping[str, NDArray[np.int64]],
        block_bytes: Callable[[str], int],
    ) -> Iterator[tuple[bytes, bytes | None]]:
        """Records that bring the store from the last checkpoint to the cell as it is now.

        The iterator must be used up before the cell takes its next step. Within it no key occurs
        twice, so the order of its records is of no account.

        Args:
            arrays: every array of the cell, as ``Cell.to_state`` gives them.
            dirty: numbers of the blocks that changed since the last call, without repetition.
            block_bytes: bytes of a block of the named array.

        Yields:
            Key and value; the value None is a tombstone.

        Raises:
            StateError: an array cannot be stored, or a changed block lies outside of it.
        """
        tenant = self.tenant
        for name, array in arrays.items():
            manifest = manifest_of(name, array, block_bytes(name))
            stored = self._stored.get(name)
            blocks: Iterable[int] = dirty.get(name, ())
            if manifest != stored:
                yield manifest_key(tenant, name), manifest.encode()
                yield from self._beyond(name, stored, manifest.blocks)
                blocks = np.arange(manifest.blocks)
                self._stored[name] = manifest
            yield from block_records(tenant, name, array, manifest.block_bytes, blocks)
        for name in self._stored.keys() - arrays.keys():
            yield manifest_key(tenant, name), None
            yield from self._beyond(name, self._stored.pop(name), 0)

    def keys(self) -> Iterator[bytes]:
        """Keys of all records that the store has of the cell. O(blocks)."""
        for name, manifest in self._stored.items():
            yield manifest_key(self.tenant, name)
            yield from (block_key(self.tenant, name, n) for n in range(manifest.blocks))

    def _beyond(
        self, name: str, stored: Manifest | None, blocks: int
    ) -> Iterator[tuple[bytes, None]]:
        for number in range(blocks, stored.blocks if stored else 0):
            yield block_key(self.tenant, name, number), None


def tenants(store: Records) -> list[str]:
    """Tenants that have arrays in the store, in the order of their keys.

    Cost: O(arrays of all tenants).
    """
    return [
        tenant for tenant, _ in groupby(tenant_of(k) for k, _ in store.items(manifest_prefix()))
    ]


def manifests(store: Records, tenant: str) -> dict[str, Manifest]:
    """Layouts of a tenant's arrays by name; empty if the store has none.

    Raises:
        StateError: a manifest cannot be read.
    """
    found: dict[str, Manifest] = {}
    for key, value in store.items(manifest_prefix(tenant)):
        _, name = array_of(key)
        found[name] = decode_manifest(tenant, name, value)
    return found


def load_cell(store: Records, tenant: str) -> dict[str, NDArray[Any]]:
    """A tenant's arrays, flat, byte for byte as they were written last.

    One ordered scan of the tenant's blocks; beside the arrays it needs a few megabytes. The store
    must not be written meanwhile.

    Args:
        store: the shard's records.
        tenant: whose arrays to load.

    Returns:
        Array name to array of one dimension, owned by the caller; empty if the store has none.

    Raises:
        StateError: a block is missing or has a wrong length, or a manifest cannot be read.
    """
    layouts = manifests(store, tenant)
    arrays = {name: np.empty(m.elements, dtype=m.dtype) for name, m in layouts.items()}
    complete = {name for name, manifest in layouts.items() if not manifest.blocks}
    blocks = groupby(store.items(block_prefix(tenant)), key=_array_part)
    for array_part, records in blocks:
        _, name = array_of(array_part)
        if name in layouts:
            _fill(
                arrays[name], layouts[name], records, f"state of tenant {tenant!r}: array {name!r}"
            )
            complete.add(name)
    for name in layouts.keys() - complete:
        raise _missing(f"state of tenant {tenant!r}: array {name!r}", 0)
    return arrays


def load_cells(
    store: Records, passed_over: Callable[[str], bool] = lambda _: False
) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Every tenant's arrays, one tenant after the other, in the order of the keys.

    Args:
        store: the shard's records.
        passed_over: tells of tenants whose arrays are not to be loaded.

    Raises:
        StateError: as `load_cell`, or the store does not have as many tenants as its checkpoint
            record says.
    """
    found = tenants(store)
    record = store.get(checkpoint_key())
    expected = decode_checkpoint(record).tenants if record is not None else 0
    if len(found) != expected:
        raise StateError(
            f"the state has arrays of {len(found)} tenants, its checkpoint record says {expected}: "
            "delete the state folder, it will be restored from the changelog"
        )
    for tenant in found:
        if not passed_over(tenant):
            yield tenant, load_cell(store, tenant)


def _array_part(record: tuple[bytes, bytes]) -> bytes:
    return record[0][:-BLOCK_NUMBER_BYTES]


def _fill(
    array: NDArray[Any], manifest: Manifest, records: Iterator[tuple[bytes, bytes]], where: str
) -> None:
    """Copy ordered block records into an array and make sure that none is missing or too short."""
    flat = array.view(np.uint8).data
    size = manifest.block_bytes
    run = max(1, _RUN_BYTES // size)
    done = 0
    while done < manifest.blocks:
        part = list(islice(records, min(run, manifest.blocks - done)))
        stop = done + len(part)
        # Keys ascend without repetition, so the last number tells that none before it is missing.
        if not part or block_number(part[-1][0]) != stop - 1:
            numbers = {block_number(key) for key, _ in part}
            raise _missing(where, next(n for n in range(done, stop + 1) if n not in numbers))
        span = flat[done * size : stop * size]
        values = [value for _, value in part]
        joined = b"".join(values)
        if len(joined) != len(span) or any(len(value) != size for value in values[:-1]):
            raise _damaged(where, done, values, manifest)
        span[:] = joined
        done = stop


def _missing(where: str, number: int) -> StateError:
    return StateError(
        f"{where} lacks block {number}: delete the state folder, it will be restored from the "
        "changelog; if the block is missing there too, restore a snapshot"
    )


def _damaged(where: str, first: int, values: list[bytes], manifest: Manifest) -> StateError:
    size = manifest.block_bytes
    for number, value in enumerate(values, first):
        expected = min(size, manifest.nbytes - number * size)
        if len(value) != expected:
            break
    return StateError(
        f"{where} has a damaged block {number}: {len(value)} bytes instead of {expected}; delete "
        "the state folder, it will be restored from the changelog"
    )
