"""What the gate remembers of a tenant: its threads, its latest messages, its thresholds.

All of it is flat arrays, which travel in checkpoints block by block as a cell's do. Names are kept
as keyed 64-bit hashes: two of one hash come once in 2^64 / names.

    threads.names     uint64 [n]        hash of each thread
    threads.turns     int64 [n]         when it was used last; 0: the place is free
    threads.memory    float32 [n, 256]  the scanner's memory of it
    judged.names      uint64 [n]        hash of each message, a ring
    judged.keys       uint32 [n]        CRC-32 of its Kafka key
    judged.marks      uint8 [n]         bits of ``HELD`` and so on; 0: the place is free
    counts            int64 [6]         steps, turns, ring, labels, confirmed, predictions
    shift             float64 [1]       of the thresholds
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.thresholds import Thresholds
from schemas.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    Array = npt.NDArray[Any]

MEMORY_WIDTH: Final = 256
FIRST: Final = 64
"""Places at first; they double as they fill."""

JUDGED: Final = 1
HELD: Final = 2
PREDICTED: Final = 4
LABELLED: Final = 8

_BLOCKS: Final = {"threads.memory": 4 * MEMORY_WIDTH}
_BLOCK_BYTES: Final = 512
_HASH_BYTES: Final = 8


def block_bytes(name: str) -> int:
    """Bytes of a block of an array: a thread's memory stands alone, other arrays change little."""
    return _BLOCKS.get(name, _BLOCK_BYTES)


class _Table:
    """Places by name, in arrays that grow up to a bound."""

    def __init__(self, prefix: str, most: int, columns: Mapping[str, tuple[Any, int]]) -> None:
        self._prefix = prefix
        self._most = most
        self._columns = dict(columns)
        places = min(FIRST, most)
        self.arrays = {
            name: np.zeros(places * width, dtype) for name, (dtype, width) in columns.items()
        }
        self._places: dict[int, int] = {}
        self._dirty: dict[str, set[int]] = {name: set() for name in columns}

    def __len__(self) -> int:
        return len(self.arrays["names"])

    def __contains__(self, name: int) -> bool:
        return name in self._places

    def find(self, name: int) -> int | None:
        """Return the place of a name."""
        return self._places.get(name)

    def put(self, name: int, place: int) -> None:
        """Give a name a place, which whoever had it loses."""
        before = int(self.arrays["names"][place])
        if self._places.get(before) == place:
            del self._places[before]
        self.write("names", place, name)
        self._places[name] = place

    def write(self, column: str, place: int, value: Any) -> None:
        """Set what stands at a place."""
        width = self._columns[column][1]
        array = self.arrays[column]
        array[place * width : (place + 1) * width] = value
        size = block_bytes(f"{self._prefix}.{column}")
        row = width * array.itemsize
        self._dirty[column].update(range(place * row // size, ((place + 1) * row - 1) // size + 1))

    def read(self, column: str, place: int) -> Array:
        """Return what stands at a place, a copy."""
        width = self._columns[column][1]
        return self.arrays[column][place * width : (place + 1) * width].copy()

    def room(self) -> bool:
        """Let there be a free place if the bound allows; tell whether there is."""
        places = len(self)
        if len(self._places) < places:
            return True
        if places >= self._most:
            return False
        more = min(places, self._most - places)
        for name, (dtype, width) in self._columns.items():
            grown = np.zeros(more * width, dtype)
            self.arrays[name] = np.concatenate([self.arrays[name], grown])
        return True

    def to_state(self) -> dict[str, Array]:
        return {f"{self._prefix}.{name}": array for name, array in self.arrays.items()}

    def take_dirty(self) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
        for name, blocks in self._dirty.items():
            yield f"{self._prefix}.{name}", np.array(sorted(blocks), np.int64)
            blocks.clear()

    def load(self, arrays: Mapping[str, Array], used: str) -> None:
        """Take arrays as ``to_state`` gave them; a place is taken where ``used`` is not 0."""
        found = {name: arrays[f"{self._prefix}.{name}"] for name in self._columns}
        places = len(found["names"])
        if any(len(found[name]) != places * width for name, (_, width) in self._columns.items()):
            raise StateError(
                f"the arrays of {self._prefix} are of different lengths: delete the state folder, "
                "it will be restored from the changelog"
            )
        self.arrays = found
        taken = np.flatnonzero(found[used]).tolist()
        self._places = {int(found["names"][place]): place for place in taken}


class TenantMemory:
    """What the gate remembers of one tenant.

    Args:
        threads: most threads.
        window: most messages.
        key: 64 bits that nobody outside knows.

    Attributes:
        thresholds: see ``operators.dlp.thresholds``.
        steps: verdicts so far.
    """

    def __init__(self, threads: int, window: int, key: int) -> None:
        self._key = key.to_bytes(_HASH_BYTES, "little")
        self._threads = _Table(
            "threads",
            threads,
            {"names": (np.uint64, 1), "turns": (np.int64, 1), "memory": (np.float32, MEMORY_WIDTH)},
        )
        self._judged = _Table(
            "judged",
            window,
            {"names": (np.uint64, 1), "keys": (np.uint32, 1), "marks": (np.uint8, 1)},
        )
        self.thresholds = Thresholds()
        self.steps = 0
        self._turns = 0
        self._ring = 0

    def name(self, *parts: str) -> int:
        """Return the hash of a name of several parts, 64 bits."""
        text = b"".join(len(part.encode()).to_bytes(4, "little") + part.encode() for part in parts)
        digest = hashlib.blake2b(text, digest_size=_HASH_BYTES, key=self._key).digest()
        return int.from_bytes(digest, "little")

    # -- threads ----------------------------------------------------------------------------------

    def recall(self, thread: int) -> npt.NDArray[np.float32] | None:
        """Return the memory of a thread; None: there is none (any more)."""
        place = self._threads.find(thread)
        return None if place is None else self._threads.read("memory", place)

    def remember(self, thread: int, memory: npt.NDArray[np.float32]) -> None:
        """Keep the memory of a thread; the one that was used longest ago may have to go."""
        table = self._threads
        place = table.find(thread)
        if place is None:
            turns = table.arrays["turns"]
            if table.room():
                turns = table.arrays["turns"]
                place = int(np.flatnonzero(turns == 0)[0])
            else:
                place = int(turns.argmin())
            table.put(thread, place)
        self._turns += 1
        table.write("turns", place, self._turns)
        table.write("memory", place, memory)

    # -- messages ---------------------------------------------------------------------------------

    def was_judged(self, message: int) -> bool:
        """Tell whether a message is among the latest."""
        return message in self._judged

    def judge(self, message: int, key: int, marks: int) -> None:
        """Put a message among the latest; the oldest goes.

        Args:
            message: hash of its name.
            key: CRC-32 of its Kafka key.
            marks: bits.
        """
        table = self._judged
        if self._ring >= len(table):
            self._ring = self._ring if table.room() and self._ring < len(table) else 0
        place = self._ring
        table.put(message, place)
        table.write("keys", place, key)
        table.write("marks", place, JUDGED | marks)
        self._ring = place + 1

    def take(self, message: int, mark: int) -> bool:
        """Set a mark of a message that is held and lacks it; tell whether there was such a one."""
        place = self._judged.find(message)
        if place is None:
            return False
        marks = int(self._judged.arrays["marks"][place])
        if not marks & HELD or marks & mark:
            return False
        self._judged.write("marks", place, marks | mark)
        return True

    def awaited(self) -> npt.NDArray[np.uint32]:
        """Return the CRC-32 of the keys of held messages, for whoever looks for news of them."""
        marks = self._judged.arrays["marks"]
        waits = (marks & HELD != 0) & (marks & (PREDICTED | LABELLED) != PREDICTED | LABELLED)
        keys: npt.NDArray[np.uint32] = self._judged.arrays["keys"][waits]
        return keys

    # -- state ------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Array]:
        """Return all of it as named flat arrays."""
        known = self.thresholds
        counts = (
            self.steps, self._turns, self._ring, known.labels, known.confirmed, known.predictions
        )  # fmt: skip
        return {
            **self._threads.to_state(),
            **self._judged.to_state(),
            "counts": np.array(counts, np.int64),
            "shift": np.array([known.shift]),
        }

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the blocks that changed since the last call."""
        first = np.zeros(1, np.int64)
        return {
            **dict(self._threads.take_dirty()),
            **dict(self._judged.take_dirty()),
            "counts": first,
            "shift": first,
        }

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what ``to_state`` gave.

        Raises:
            StateError: arrays do not fit each other.
        """
        self._threads.load(arrays, "turns")
        self._judged.load(arrays, "marks")
        counts = arrays["counts"].tolist()
        self.steps, self._turns, self._ring = counts[:3]
        self.thresholds = Thresholds(float(arrays["shift"][0]), *counts[3:])

    def describe(self) -> dict[str, float]:
        """Return what there is to see of it."""
        known = self.thresholds
        return {
            "threshold_shift": known.shift,
            "verdict_labels": known.labels,
            "verdict_labels_confirmed": known.confirmed,
            "thread_memories": int(np.count_nonzero(self._threads.arrays["turns"])),
        }
