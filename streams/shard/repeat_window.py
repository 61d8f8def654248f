"""Which events of a tenant have been before: the names of the latest ones.

A producer that did not hear an acknowledgement sends again, and Kafka may then hold an event twice.
Entity and event id together are hashed to 64 bits under the cell's salt; the window holds the
latest so many of these. Two names of one hash, which costs the second its step, come once in
2^64 / window events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import StateError
from streams.shard import window_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from streams.shard.columns import Text

    Words = npt.NDArray[np.uint64]

RING: Final = "memory.window"
STATE: Final = "memory.window_state"
_FIRST: Final = 256
_MASK: Final = 2**64 - 1


class RepeatWindow:
    """The latest names of one tenant.

    Memory grows with the names to 8 bytes each and four slots of 16 bytes in a table.

    Args:
        window: names that are remembered; 0: none are.
        key: 64 bits that nobody outside knows.
    """

    def __init__(self, window: int, key: int) -> None:
        self._window = window
        self._key = np.uint64(key & _MASK)
        self._ring = np.zeros(min(_FIRST, max(1, window)), np.uint64)
        self._keys = np.zeros(4 * _FIRST, np.uint64)
        self._turns = np.zeros(4 * _FIRST, np.int64)
        self._state = np.zeros(kernels.STATE_WORDS, np.int64)

    def hashes(self, ids: Text, event_ids: Text) -> Words:
        """Hash names. O(bytes of the names).

        Args:
            ids: entity ids.
            event_ids: ids of the events, over the same bytes.
        """
        out = np.empty(len(ids.starts), np.uint64)
        raw = np.frombuffer(ids.raw, np.uint8)
        kernels.hash_names(
            raw, ids.starts, ids.lengths, event_ids.starts, event_ids.lengths, self._key, out
        )
        return out

    def scan(self, hashes: Words, start: int, stop: int) -> int:
        """Remember names up to the first that is a repetition, and return where it stands."""
        if not self._window:
            return stop
        self._make_room(stop - start)
        return int(
            kernels.scan(
                hashes,
                start,
                stop,
                self._keys,
                self._turns,
                self._ring,
                self._state,
                self._window,
            )
        )

    def forget(self, h: np.uint64) -> None:
        """Take back that a name was seen: its event was refused, and may come again."""
        if self._window:
            kernels.forget(h, self._keys, self._turns, self._ring)

    def __contains__(self, h: np.uint64) -> bool:
        return bool(
            self._window and kernels.contains(h, self._keys, self._turns, self._state, self._window)
        )

    def _make_room(self, more: int) -> None:
        count = int(self._state[kernels.COUNT])
        size = len(self._ring)
        if size < self._window and count + more > size:
            while size < min(self._window, count + more):
                size = min(self._window, 2 * size)
            ring = np.zeros(size, np.uint64)
            ring[:count] = self._ring[:count]  # it has not gone round yet
            self._ring = ring
        if 2 * (int(self._state[kernels.USED]) + more) > len(self._keys):
            slots = len(self._keys)
            while 4 * (min(count, self._window) + more) > slots:
                slots *= 2
            self._fill(slots)

    def _fill(self, slots: int) -> None:
        self._keys = np.zeros(slots, np.uint64)
        self._turns = np.zeros(slots, np.int64)
        kernels.rebuild(self._keys, self._turns, self._ring, self._state, self._window)

    def to_state(self) -> dict[str, npt.NDArray[Any]]:
        """The window as named flat arrays; none before the first name."""
        if not self._state[kernels.COUNT]:
            return {}
        return {RING: self._ring, STATE: self._state[:1]}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what ``to_state`` gave.

        Raises:
            StateError: the arrays do not fit the settings.
        """
        if RING not in arrays:
            return
        ring, state = arrays[RING], arrays[STATE]
        count = int(state[0])
        if len(ring) > self._window or (count > len(ring) and len(ring) != self._window):
            raise StateError(
                f"the window of event names was saved with {len(ring)} places and "
                f"labels.repeat_window is {self._window}: set it back"
            )
        self._ring = ring.astype(np.uint64)
        self._state[kernels.COUNT] = count
        slots = 4 * _FIRST
        while 4 * min(count, self._window) > slots:
            slots *= 2
        self._fill(slots)
