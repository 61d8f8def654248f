"""What the gate remembers is bounded, and comes back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from state import cells
from streams.gate.memory import FIRST, MEMORY_WIDTH, TenantMemory, block_bytes

THREADS, WINDOW = FIRST + 10, FIRST + 6


def filled(count: int) -> TenantMemory:
    memory = TenantMemory(THREADS, WINDOW, 7)
    for number in range(count):
        memory.remember(memory.name("thread", str(number)), vector(number))
        memory.judge(memory.name(str(number)), number, number % 4)
    return memory


def vector(number: int) -> Any:
    return np.full(MEMORY_WIDTH, number, np.float32)


def test_the_thread_that_was_used_longest_ago_goes_first() -> None:
    """Whoever is written to stays."""
    memory = filled(THREADS)
    first, second = memory.name("thread", "0"), memory.name("thread", "1")
    memory.remember(first, vector(100))
    memory.remember(memory.name("thread", "new"), vector(5))
    assert memory.recall(second) is None
    kept = memory.recall(first)
    assert kept is not None
    assert kept[0] == 100
    assert memory.describe()["thread_memories"] == THREADS


def test_the_oldest_messages_are_forgotten() -> None:
    """The window holds so many, in the order in which they came."""
    memory = filled(2 * WINDOW + 3)
    known = [memory.was_judged(memory.name(str(number))) for number in range(2 * WINDOW + 3)]
    assert known == [False] * (WINDOW + 3) + [True] * WINDOW


def test_changes_bring_another_store_to_the_same_state() -> None:
    """Block by block, through growth and wrapping; what is loaded goes on alike."""
    memory, writer, store = TenantMemory(THREADS, WINDOW, 7), cells.CellWriter("acme"), {}
    for number in range(3 * WINDOW):
        memory.remember(memory.name("thread", str(number % 90)), vector(number))
        memory.judge(memory.name(str(number)), number, 2)
        memory.take(memory.name(str(number)), 4 if number % 2 else 8)
        changed = dict(writer.records(memory.to_state(), memory.take_dirty(), block_bytes))
        store.update({key: value for key, value in changed.items() if value is not None})
    loaded = TenantMemory(THREADS, WINDOW, 7)
    loaded.load(cells.load_cell(Stored(store), "acme"))
    for name, array in memory.to_state().items():
        assert np.array_equal(loaded.to_state()[name], array), name
    for number in range(50):
        for one in (memory, loaded):
            one.remember(one.name("thread", f"late {number}"), vector(number))
            one.judge(one.name(f"late {number}"), number, 0)
    for name, array in memory.to_state().items():
        assert np.array_equal(loaded.to_state()[name], array), name


def test_one_message_changes_little() -> None:
    """However much is remembered, one message writes 4 KB."""
    memory, writer = TenantMemory(10_000, 10_000, 7), cells.CellWriter("acme")
    for number in range(10_000):
        memory.remember(number, vector(number))
        memory.judge(number, number, 0)
    dict(writer.records(memory.to_state(), memory.take_dirty(), block_bytes))
    memory.remember(memory.name("thread", "new"), vector(1))
    memory.judge(memory.name("new"), 1, 0)
    changes = dict(writer.records(memory.to_state(), memory.take_dirty(), block_bytes))
    assert sum(len(value or b"") for value in changes.values()) < 4_000


class Stored:
    """Records in a dictionary."""

    def __init__(self, records: dict[bytes, bytes]) -> None:
        self._records = records

    def get(self, key: bytes) -> bytes | None:
        """Value at a key."""
        return self._records.get(key)

    def items(self, prefix: bytes) -> Any:
        """Records of a prefix."""
        return ((k, v) for k, v in sorted(self._records.items()) if k.startswith(prefix))
