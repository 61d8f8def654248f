"""Kernels that look the names of events up by their bytes, and that learn new ones.

The names stand in a hash table with open addressing and linear probing, at most half full: a slot
says where in the arena a name's bytes are, and the 64-bit id it has. Its hash is SipHash-1-3 under
a secret key (Aumasson and Bernstein, 2012), so nobody can choose names that meet in one place.

Everything here walks maps that ``streams.shard.event_spans`` has walked before: lengths and counts
are known to be sound, and text to be UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from operators.kernel_cache import use_folder_of_these_sources
from streams.shard.event_spans import ABSENT, WORD, Spans

if TYPE_CHECKING:
    import numpy.typing as npt

use_folder_of_these_sources()

MAX_NAME_BYTES: Final = 1_024
"""Longest name, or ``name=value`` of a context, that is learnt."""

MAX_CONTEXT: Final = 32
"""Most entries of a context that are looked up: each one's name is held to all before it."""

SLOT_DTYPE: Final = np.dtype(
    [
        ("hash", np.uint64),
        ("id", np.uint64),
        ("seen", np.int64),  # the map that had the name last, as CLOCK counts them
        ("start", np.int32),  # in the arena
        ("length", np.int32),  # ABSENT: the slot is free
    ]
)
"""One slot of the table: half a cache line."""

Slots = np.ndarray[Any, Any]

NAMES: Final = 0
ARENA_BYTES: Final = 1
CLOCK: Final = 2
TALLIES: Final = 3
"""What a table counts: names, bytes in use of the arena, maps looked up."""

_EQUALS: Final = np.uint8(ord("="))
# Initial state of SipHash: "somepseudorandomlygeneratedbytes".
_V0: Final = np.uint64(0x736F6D6570736575)
_V1: Final = np.uint64(0x646F72616E646F6D)
_V2: Final = np.uint64(0x6C7967656E657261)
_V3: Final = np.uint64(0x7465646279746573)
_LAST: Final = np.uint64(0xFF)


@njit(cache=True, nogil=True)
def _turn(x: np.uint64, left: int) -> np.uint64:  # pragma: no cover - compiled
    return (x << np.uint64(left)) | (x >> np.uint64(64 - left))


@njit(cache=True, nogil=True)
def _round(
    v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:  # pragma: no cover - compiled
    v0 += v1
    v2 += v3
    v1 = _turn(v1, 13) ^ v0
    v3 = _turn(v3, 16) ^ v2
    v0 = _turn(v0, 32)
    v2 += v1
    v0 += v3
    v1 = _turn(v1, 17) ^ v2
    v3 = _turn(v3, 21) ^ v0
    return v0, v1, _turn(v2, 32), v3


@njit(cache=True, nogil=True)
def _word(blob: npt.NDArray[np.uint8], at: int) -> np.uint64:  # pragma: no cover - compiled
    """Read eight bytes, little-endian."""
    # An unsigned index cannot count from the end: only then is this one load and not eight.
    first = np.uint64(at)
    word = np.uint64(0)
    for place in range(WORD):
        word |= np.uint64(blob[first + np.uint64(place)]) << np.uint64(8 * place)
    return word


@njit(cache=True, nogil=True)
def _rest(
    blob: npt.NDArray[np.uint8], start: int, length: int
) -> np.uint64:  # pragma: no cover - compiled
    """Read the bytes of a part that make no whole word."""
    rest = length % WORD
    if rest == 0:
        return np.uint64(0)
    if length > WORD:
        return _word(blob, start + length - WORD) >> np.uint64(8 * (WORD - rest))
    word = np.uint64(0)
    for place in range(rest):
        word |= np.uint64(blob[np.uint64(start + place)]) << np.uint64(8 * place)
    return word


@njit(cache=True, nogil=True)
def sip_hash(
    key: npt.NDArray[np.uint64], text: npt.NDArray[np.uint8], start: int, length: int
) -> np.uint64:  # pragma: no cover - compiled
    """Return the SipHash-1-3 of a part of ``text`` under uint64[2]."""
    v0, v1, v2, v3 = key[0] ^ _V0, key[1] ^ _V1, key[0] ^ _V2, key[1] ^ _V3
    for at in range(start, start + length - length % WORD, WORD):
        word = _word(text, at)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
        v0 ^= word
    word = np.uint64(length) << np.uint64(56) | _rest(text, start, length)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
    v0, v1, v2, v3 = _round(v0 ^ word, v1, v2 ^ _LAST, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True, nogil=True)
def _same(
    one: npt.NDArray[np.uint8], at: int, other: npt.NDArray[np.uint8], other_at: int, length: int
) -> bool:  # pragma: no cover - compiled
    for place in range(0, length - length % WORD, WORD):
        if _word(one, at + place) != _word(other, other_at + place):
            return False
    return _rest(one, at, length) == _rest(other, other_at, length)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _find(
    text: npt.NDArray[np.uint8],
    start: int,
    length: int,
    hashed: np.uint64,
    slots: Slots,
    arena: npt.NDArray[np.uint8],
) -> int:  # pragma: no cover - compiled
    """Return a name's slot, or, below ABSENT, ABSENT - 1 less the free one where it belongs."""
    mask = len(slots) - 1
    at = np.int64(hashed & np.uint64(mask))
    while slots[at].length != ABSENT:
        slot = slots[at]
        if (
            slot.hash == hashed
            and slot.length == length
            and _same(arena, slot.start, text, start, length)
        ):
            return at  # type: ignore[return-value]
        at = (at + 1) & mask
    return ABSENT - 1 - at  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _length(blob: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:  # pragma: no cover - compiled
    """Read a length that is known to be sound; give it and where it ends."""
    byte = np.uint64(blob[at])
    value = byte & np.uint64(0x7F)
    shift = np.uint64(7)
    while byte >= np.uint64(0x80):
        at += 1
        byte = np.uint64(blob[at])
        value |= (byte & np.uint64(0x7F)) << shift
        shift += np.uint64(7)
    half = np.int64(value >> np.uint64(1))
    return -half - 1 if value & np.uint64(1) else half, at + 1  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _block(blob: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:  # pragma: no cover - compiled
    """Read the head of a map's block; give its entries and where they begin."""
    count, at = _length(blob, at)
    if count < 0:
        count = -count
        _, at = _length(blob, at)
    return count, at


@njit(cache=True, nogil=True)
def _entry(
    blob: npt.NDArray[np.uint8], left: int, at: int
) -> tuple[int, int, int]:  # pragma: no cover - compiled
    """Go to the next entry of a map.

    Returns:
        How many more its block has, the length of its name, and where the name begins.
    """
    if left == 0:
        left, at = _block(blob, at)
    length, name = _length(blob, at)
    return left - 1, length, name


@njit(cache=True, nogil=True)
def _join(
    blob: npt.NDArray[np.uint8], name: int, length: int, text: npt.NDArray[np.uint8]
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Write a context's entry as ``name=value``; give its length and where the entry ends.

    The length is ABSENT where it is more than ``text`` takes.
    """
    value = name + length
    value_length, value = _length(blob, value)
    whole = length + 1 + value_length
    if whole > len(text):
        return ABSENT, value + value_length
    for place in range(length):
        text[place] = blob[name + place]
    text[length] = _EQUALS
    for place in range(value_length):
        text[length + 1 + place] = blob[value + place]
    return whole, value + value_length


@njit(cache=True, nogil=True)
def _look_up_features(
    blob: npt.NDArray[np.uint8],
    span: Any,
    key: npt.NDArray[np.uint64],
    slots: Slots,
    arena: npt.NDArray[np.uint8],
    now: int,
    out: npt.NDArray[np.uint64],
    at: int,
) -> bool:  # pragma: no cover - compiled
    """Write all ids of an event, then all values; tell whether every name was known and new."""
    packed = span.features_bytes // WORD
    values = at + span.feature_entries + packed
    place = span.feature_map
    left = 0
    for entry in range(span.feature_entries):
        left, length, place = _entry(blob, left, place)
        if length > MAX_NAME_BYTES:
            return False
        slot = _find(blob, place, length, sip_hash(key, blob, place, length), slots, arena)
        if slot < 0 or slots[slot].seen == now:
            return False
        slots[slot].seen = now
        out[at + entry] = slots[slot].id
        out[values + entry] = _word(blob, place + length)
        place += length + WORD
    for entry in range(packed):
        out[at + span.feature_entries + entry] = _word(blob, span.features + entry * WORD)
        out[values + span.feature_entries + entry] = _word(blob, span.values + entry * WORD)
    return True


@njit(cache=True, nogil=True)
def _look_up_context(
    blob: npt.NDArray[np.uint8],
    span: Any,
    key: npt.NDArray[np.uint64],
    slots: Slots,
    arena: npt.NDArray[np.uint8],
    text: npt.NDArray[np.uint8],
    names: npt.NDArray[np.uint64],
    out: npt.NDArray[np.uint64],
    at: int,
) -> bool:  # pragma: no cover - compiled
    """Write the ids of a context; tell whether every entry was known and every name new."""
    if span.context_entries > MAX_CONTEXT:
        return False
    place = span.context_map
    left = 0
    for entry in range(span.context_entries):
        left, length, name = _entry(blob, left, place)
        # Two names of one hash may be two names: then the codec finds out.
        names[entry] = sip_hash(key, blob, name, length)
        for before in range(entry):
            if names[before] == names[entry]:
                return False
        whole, place = _join(blob, name, length, text)
        if whole == ABSENT:
            return False
        slot = _find(text, 0, whole, sip_hash(key, text, 0, whole), slots, arena)
        if slot < 0:
            return False
        out[at + entry] = slots[slot].id
    return True


@njit(cache=True, nogil=True)
def look_up_rows(
    blob: npt.NDArray[np.uint8],
    spans: Spans,
    rows: npt.NDArray[np.int64],
    first: int,
    key: npt.NDArray[np.uint64],
    slots: Slots,
    arena: npt.NDArray[np.uint8],
    tallies: npt.NDArray[np.int64],
    text: npt.NDArray[np.uint8],
    names: npt.NDArray[np.uint64],
    out: npt.NDArray[np.uint64],
    at: int,
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Look up the maps of events until one has something that is not known.

    Args:
        blob: uint8[bytes], the events.
        spans: SPAN_DTYPE[n]; of an event that was looked up, ``features``, ``values`` and
            ``context`` are set anew, the features by name before the packed ones.
        rows: int64[m], parsed events of one tenant.
        first: index in ``rows`` to begin with.
        key: uint64[2], secret.
        slots: SLOT_DTYPE[a power of 2].
        arena: uint8[size].
        tallies: int64[TALLIES].
        text: uint8[MAX_NAME_BYTES], scratch.
        names: uint64[MAX_CONTEXT], scratch.
        out: uint64[words], where ids and values go; as many as ``EventTable.map_words`` says.
        at: the first of them that is free.

    Returns:
        The index in ``rows`` of the event that is to go through the codec, m if there is none, and
        the next free word.

    Complexity: O(bytes of the maps), and O(MAX_CONTEXT) an entry of a context.
    """
    for index in range(first, len(rows)):
        span = spans[rows[index]]
        context = at
        if span.feature_entries > 0:
            tallies[CLOCK] += 1
            if not _look_up_features(blob, span, key, slots, arena, tallies[CLOCK], out, at):
                return index, at
            context += 2 * (span.feature_entries + span.features_bytes // WORD)
        if not _look_up_context(blob, span, key, slots, arena, text, names, out, context):
            return index, at
        # All is known: only now may the spans change, for the codec's way needs them as they were.
        if span.feature_entries > 0:
            span.features_bytes += span.feature_entries * WORD
            span.features = ABSENT - 1 - at * WORD
            span.values = span.features - span.features_bytes
        span.context_bytes = span.context_entries * WORD
        span.context = ABSENT - 1 - context * WORD
        at = context + span.context_entries
    return len(rows), at


@njit(cache=True, nogil=True)
def _learn(
    source: npt.NDArray[np.uint8],
    start: int,
    length: int,
    number: np.uint64,
    key: npt.NDArray[np.uint64],
    slots: Slots,
    arena: npt.NDArray[np.uint8],
    tallies: npt.NDArray[np.int64],
) -> bool:  # pragma: no cover - compiled
    """Put a name into the table unless it is there; tell whether there was room."""
    hashed = sip_hash(key, source, start, length)
    slot = _find(source, start, length, hashed, slots, arena)
    if slot >= 0:
        return True
    used = tallies[ARENA_BYTES]
    if 2 * (tallies[NAMES] + 1) > len(slots) or used + length > len(arena):
        return False
    for place in range(length):
        arena[used + place] = source[start + place]
    free = slots[ABSENT - 1 - slot]
    free.hash = hashed
    free.id = number
    free.seen = 0
    free.start = used
    free.length = length
    tallies[NAMES] += 1
    tallies[ARENA_BYTES] += length
    return True


@njit(cache=True, nogil=True)
def learn_row(
    blob: npt.NDArray[np.uint8],
    spans: Spans,
    row: int,
    features: npt.NDArray[np.uint64],
    context: npt.NDArray[np.uint64],
    key: npt.NDArray[np.uint64],
    slots: Slots,
    arena: npt.NDArray[np.uint8],
    tallies: npt.NDArray[np.int64],
    text: npt.NDArray[np.uint8],
) -> bool:  # pragma: no cover - compiled
    """Put the names of an event's maps into the table, those left out that are too long.

    Args:
        blob: uint8[bytes], the events.
        spans: SPAN_DTYPE[n], as ``event_spans`` left it at ``row``.
        row: the event.
        features: uint64[feature_entries or more], ids of the names in their order.
        context: uint64[context_entries], ids of the entries as ``name=value``.
        key: uint64[2], secret.
        slots: SLOT_DTYPE[a power of 2].
        arena: uint8[size].
        tallies: int64[TALLIES].
        text: uint8[MAX_NAME_BYTES], scratch.

    Returns:
        Whether there was room for all of them. O(bytes of the maps).
    """
    span = spans[row]
    place = span.feature_map
    left = 0
    for entry in range(span.feature_entries):
        left, length, place = _entry(blob, left, place)
        if length <= MAX_NAME_BYTES and not _learn(
            blob, place, length, features[entry], key, slots, arena, tallies
        ):
            return False
        place += length + WORD
    place = span.context_map
    left = 0
    for entry in range(span.context_entries):
        left, length, name = _entry(blob, left, place)
        whole, place = _join(blob, name, length, text)
        if whole != ABSENT and not _learn(
            text, 0, whole, context[entry], key, slots, arena, tallies
        ):
            return False
    return True


@njit(cache=True, nogil=True)
def move_names(old: Slots, new: Slots) -> None:  # pragma: no cover - compiled
    """Put the names of one table into an empty larger one over the same arena. O(slots)."""
    mask = len(new) - 1
    for slot in range(len(old)):
        if old[slot].length == ABSENT:
            continue
        at = np.int64(old[slot].hash & np.uint64(mask))
        while new[at].length != ABSENT:
            at = (at + 1) & mask
        new[at] = old[slot]
