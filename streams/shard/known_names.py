"""The names that a tenant's events have had, with their ids: most names of a stream come again.

fastavro makes a dictionary of an event's names, and each name is hashed from its own string: read
so, an event of 30 names takes 32 µs, 20 times a packed one (``docs/decisions/0007``). Here a kernel
looks names up by the bytes that stand in the event. Where one is not known, or anything is odd (a
name twice in one map), the event goes through the codec, and the names it had are known from then
on. So what is known decides the speed and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.shard.event_spans import ABSENT, WORD
from streams.shard.name_kernels import (
    ARENA_BYTES,
    MAX_CONTEXT,
    MAX_NAME_BYTES,
    SLOT_DTYPE,
    TALLIES,
    Slots,
    learn_row,
    look_up_rows,
    move_names,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from schemas.hashing import FeatureHasher
    from streams.shard.event_table import EventTable
    from streams.shard.normal_form import NormalForm

# At most half the slots are used. With 2^17 the table holds the 2^16 names that a FeatureHasher
# keeps too, in 4 MiB, and 4 MiB of text, 64 bytes a name; it begins with 16 KiB of both.
FIRST_SLOTS: Final = 1 << 8
MOST_SLOTS: Final = 1 << 17
ARENA_BYTES_A_SLOT: Final = 32


class KnownNames:
    """A table of names; grows by doubling, and forgets everything when full.

    Args:
        hasher: of the tenant; gives the ids, and the secret that the table is keyed with.
    """

    def __init__(self, hasher: FeatureHasher) -> None:
        self.hasher = hasher
        self._key = np.array(
            [hasher.secret(b"known names, low"), hasher.secret(b"known names, high")], np.uint64
        )
        self._text = np.empty(MAX_NAME_BYTES, np.uint8)
        self._context = np.empty(MAX_CONTEXT, np.uint64)
        self._forget()

    def look_up(self, table: EventTable, rows: npt.NDArray[np.int64], first: int) -> int:
        """Look up the maps of events until one has something that is not known.

        Args:
            table: the batch; what is found goes there.
            rows: int64[m], parsed events of the tenant.
            first: index in ``rows`` to begin with.

        Returns:
            The index in ``rows`` of the event that is to go through the codec; m if there is none.
        """
        index, table.next_word = look_up_rows(
            table.events,
            table.spans,
            rows,
            first,
            self._key,
            self._slots,
            self._arena,
            self._tallies,
            self._text,
            self._context,
            table.looked_up,
            table.next_word,
        )
        return index

    def learn(self, table: EventTable, row: int, parts: NormalForm) -> None:
        """Learn the names of an event that went through the codec. O(bytes of its maps).

        Args:
            table: the batch, without the parts.
            row: the event, which is parsed.
            parts: what the codec made of it.
        """
        span = table.spans[row]
        features = np.frombuffer(parts.features, "<u8")
        context = np.frombuffer(parts.context, "<u8")
        named = len(features) - span["features_bytes"] // WORD
        if (named, len(context)) != (span["feature_entries"], span["context_entries"]):
            return  # a name came twice: ids and entries do not pair
        forgotten = False
        while not learn_row(
            table.events,
            table.spans,
            row,
            features,
            context,
            self._key,
            self._slots,
            self._arena,
            self._tallies,
            self._text,
        ):
            if len(self._slots) < MOST_SLOTS:
                self._grow()
            elif not forgotten:
                self._forget()
                forgotten = True
            else:
                return  # one event has more names than the table takes

    def _forget(self) -> None:
        self._slots = _free_slots(FIRST_SLOTS)
        self._arena = np.empty(FIRST_SLOTS * ARENA_BYTES_A_SLOT, np.uint8)
        self._tallies = np.zeros(TALLIES, np.int64)

    def _grow(self) -> None:
        slots = _free_slots(2 * len(self._slots))
        move_names(self._slots, slots)
        arena = np.empty(len(slots) * ARENA_BYTES_A_SLOT, np.uint8)
        used = int(self._tallies[ARENA_BYTES])
        arena[:used] = self._arena[:used]
        self._slots, self._arena = slots, arena


def _free_slots(count: int) -> Slots:
    slots = np.zeros(count, SLOT_DTYPE)
    slots["length"] = ABSENT
    return slots
