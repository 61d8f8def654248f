"""Whatever happens to a cell's arrays, store and changelog give them back byte for byte."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from state.cell_keys import checkpoint_key
from state.cells import CellWriter, load_cell, load_cells, manifests, tenants
from state.changelog import StateCheckpoint, encode_checkpoint
from state.store import ShardStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from numpy.typing import NDArray

BLOCK_BYTES = {"weights": 64, "counts": 24, "flags": 7}
DTYPES = {"weights": "<f8", "counts": "<i4", "flags": "u1"}
NAMES = st.sampled_from(sorted(BLOCK_BYTES))
TENANTS = st.sampled_from(["a", "ab", "ß"])
LENGTHS = st.integers(0, 60)
BYTES = st.randoms(use_true_random=False)


class Compacted(dict[bytes, bytes]):
    """The last value of each key, in the order of keys."""

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        """Records whose key starts with a prefix."""
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix))


class Cells(RuleBasedStateMachine):
    """Live cells beside a real store and the changelog that both are fed from.

    Whatever is still uncommitted when the worker restarts is lost, in memory too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "shard"
        self.store = ShardStore(self.path)
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.cells: dict[str, dict[str, NDArray[Any]]] = {}
        self.dirty: dict[str, dict[str, set[int]]] = {}
        self.writers: dict[str, CellWriter] = {}
        self.committed: dict[str, dict[str, NDArray[Any]]] = {}
        self.dropped = False

    def teardown(self) -> None:
        """Close what is open."""
        self.store.close()
        self.folder.cleanup()

    def random_array(self, name: str, length: int, source: Random) -> NDArray[Any]:
        """An array with arbitrary bytes."""
        dtype = np.dtype(DTYPES[name])
        return np.frombuffer(source.randbytes(length * dtype.itemsize), dtype=dtype).copy()

    @rule(tenant=TENANTS, name=NAMES, length=LENGTHS, source=BYTES)
    def reallocate(self, tenant: str, name: str, length: int, source: Random) -> None:
        """An array appears, grows or shrinks: all of its blocks count as changed."""
        old = self.cells.setdefault(tenant, {}).get(name)
        new = self.random_array(name, length, source)
        if old is not None:  # what was there moves along
            kept = min(len(old), length)
            new[:kept] = old[:kept]
        self.cells[tenant][name] = new
        blocks = -(-new.nbytes // BLOCK_BYTES[name])
        self.dirty.setdefault(tenant, {})[name] = set(range(blocks))

    @rule(tenant=TENANTS, name=NAMES, position=st.integers(0, 59), source=BYTES)
    def mutate(self, tenant: str, name: str, position: int, source: Random) -> None:
        """A step changes an element."""
        array = self.cells.get(tenant, {}).get(name)
        if array is None or position >= len(array):
            return
        array[position] = self.random_array(name, 1, source)[0]
        first = position * array.itemsize
        blocks = range(
            first // BLOCK_BYTES[name], (first + array.itemsize - 1) // BLOCK_BYTES[name] + 1
        )
        self.dirty.setdefault(tenant, {}).setdefault(name, set()).update(blocks)

    @rule(tenant=TENANTS, name=NAMES)
    def drop(self, tenant: str, name: str) -> None:
        """A new version no longer has an array; a cell always has one at least."""
        arrays = self.cells.get(tenant, {})
        if name in arrays and len(arrays) > 1:
            del arrays[name]
            self.dirty.get(tenant, {}).pop(name, None)
            self.dropped = True

    @rule()
    def checkpoint(self) -> None:
        """What changed goes to the changelog, and after the commit to the store."""
        changes: dict[bytes, bytes | None] = {}
        for tenant, arrays in self.cells.items():
            writer = self.writers.setdefault(tenant, CellWriter(tenant))
            dirty = {
                name: np.array(sorted(blocks), dtype=np.int64)
                for name, blocks in self.dirty.get(tenant, {}).items()
            }
            changes.update(writer.records(arrays, dirty, BLOCK_BYTES.__getitem__))
        checkpoint = StateCheckpoint(len(self.changelog), len(self.cells), 1)
        changes[checkpoint_key()] = encode_checkpoint(checkpoint)
        self.dirty.clear()
        self.changelog.extend(changes.items())
        self.store.write(changes, changelog_offset=len(self.changelog))
        self.committed = {
            tenant: {name: array.copy() for name, array in arrays.items()}
            for tenant, arrays in self.cells.items()
        }
        self.check(self.store)

    @rule()
    def restart(self) -> None:
        """The worker stops in the middle and starts again from its store."""
        self.store.close()
        self.store = ShardStore(self.path)
        self.check(self.store)
        self.cells = dict(load_cells(self.store))
        self.writers = {
            tenant: CellWriter(tenant, manifests(self.store, tenant))
            for tenant in tenants(self.store)
        }
        self.dirty.clear()

    @rule()
    def restore_from_compacted_changelog(self) -> None:
        """A wiped folder is restored from what compaction left."""
        last = dict(self.changelog)
        self.check(Compacted({k: v for k, v in last.items() if v is not None}))

    @precondition(lambda self: not self.dropped)
    @rule(slept_at=st.floats(0, 1))
    def wake_after_tombstones_were_compacted_away(self, slept_at: float) -> None:
        """A standby that slept for long reads the rest without any tombstone."""
        cut = int(slept_at * len(self.changelog))
        seen = {k: v for k, v in dict(self.changelog[:cut]).items() if v is not None}
        rest = {k: v for k, v in dict(self.changelog[cut:]).items() if v is not None}
        self.check(Compacted(seen | rest))

    def check(self, store: ShardStore | Compacted) -> None:
        """The store holds the committed arrays, and nothing else."""
        assert set(tenants(store)) == self.committed.keys()
        for tenant, arrays in self.committed.items():
            loaded = load_cell(store, tenant)
            assert loaded.keys() == arrays.keys()
            for name, array in arrays.items():
                assert loaded[name].dtype == array.dtype
                assert loaded[name].tobytes() == array.tobytes()


TestCells = Cells.TestCase
TestCells.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
