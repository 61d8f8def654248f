"""Where the parts of each event stand in the bytes of a batch: Avro read by a kernel.

fastavro makes a dictionary of each event, under the GIL: 4.7 µs for one of 30 packed features, of
which 0.3 µs are reading. Here one compiled loop notes where every field begins, and another copies
whole columns from there (``docs/decisions/0007``).

A kernel reads what most events are: an observation with ids in ASCII and vectors of the configured
lengths. Maps (features by name, context) it walks and counts only: what their names stand for,
``streams.shard.known_names`` says. Whatever else stands there, right or wrong, it leaves to the
codec, which explains what is wrong; so both must agree on every event that the kernel takes, and a
test holds them to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from operators.kernel_cache import use_folder_of_these_sources
from schemas.errors import Bug
from schemas.registry import load

if TYPE_CHECKING:
    import numpy.typing as npt

use_folder_of_these_sources()

WORD: Final = 8  # bytes of an id, of a value, of a vector's element
MAX_TIME_US: Final = 2**53  # audit records hold the time as a double
MAX_TENANT_BYTES: Final = 200
MAX_ID_CHARACTERS: Final = 1_000  # both ids are copied to outputs, which must stay small
ABSENT: Final = -1

SPAN_DTYPE: Final = np.dtype(
    [
        (name, np.int64)
        for name in (
            "parsed",  # 1: everything below is right; 0: the codec must look at it
            "tenant_goes_on",  # 1: this event and the one before are parsed and of one tenant
            "time_us",
            # Where each part begins in the bytes of the batch; ABSENT where there is none. Below
            # ABSENT count the bytes of what was looked up: ABSENT - 1 is the first of them.
            "tenant",
            "tenant_bytes",
            "id",
            "id_bytes",
            "event_id",
            "event_id_bytes",
            "label",
            "features",
            "features_bytes",
            "values",
            "key",
            "value",
            "query",
            "context",
            "context_bytes",
            # Maps, by the place of their first block and the number of entries in all blocks.
            # ``features`` and ``context`` are still without them.
            "feature_map",
            "feature_entries",
            "context_map",
            "context_entries",
        )
    ]
)
"""One row an event. ``values`` is as long as ``features``; vectors are as long as configured."""

Spans = np.ndarray[Any, Any]

# What the kernel reads, in this order.
_EXPECTED: Final = [
    ("kind", "enum", ["OBSERVATION", "LABEL", "NOTE"]),
    ("tenant", "string", None),
    ("id", "string", None),
    ("event_id", "string", None),
    ("time_us", "long", None),
    ("label", ["null", "double"], None),
    ("features", ["null", "map"], None),
    ("feature_ids", ["null", "bytes"], None),
    ("feature_values", ["null", "bytes"], None),
    ("key", ["null", "bytes"], None),
    ("value", ["null", "bytes"], None),
    ("query", ["null", "bytes"], None),
    ("context", ["null", "map"], None),
]


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(branch) for branch in schema]
    return schema["type"] if isinstance(schema, dict) else schema


def _check_layout() -> None:
    """Hold the schema to what the kernel reads."""
    fields = [
        (
            field["name"],
            _plain(field["type"]),
            field["type"].get("symbols") if isinstance(field["type"], dict) else None,
        )
        for field in load("event").parsed["fields"]
    ]
    if fields != _EXPECTED:
        raise Bug("event.avsc is not what the kernel in streams.shard.event_spans reads")


_check_layout()


@njit(cache=True, nogil=True)
def _long(
    blob: npt.NDArray[np.uint8], at: int, end: int
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Read a long of at most nine bytes; give it and where it ends, ABSENT if it does not."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(63):
        byte = np.uint64(blob[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            half = np.int64(value >> np.uint64(1))
            return -half - 1 if value & np.uint64(1) else half, at  # type: ignore[return-value]
        shift += np.uint64(7)
    return 0, ABSENT


@njit(cache=True, nogil=True)
def _is_ascii(
    blob: npt.NDArray[np.uint8], at: int, end: int
) -> bool:  # pragma: no cover - compiled
    """Tell whether no byte has its top bit."""
    seen = np.uint8(0)
    if end - at < WORD:
        for place in range(at, end):
            seen |= blob[np.uint64(place)]
        return seen < np.uint8(0x80)  # type: ignore[return-value]
    # Words, the last of which may overlap the one before. An unsigned index cannot count from the
    # end: only then is each word one load and not eight.
    last = np.uint64(end - WORD)
    for start in range(at, end - WORD, WORD):
        for place in range(WORD):
            seen |= blob[np.uint64(start) + np.uint64(place)]
    for place in range(WORD):
        seen |= blob[last + np.uint64(place)]
    return seen < np.uint8(0x80)  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _ascii(
    blob: npt.NDArray[np.uint8], at: int, end: int
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Read a string in ASCII; give where it begins and its length, ABSENT where it is none."""
    length, at = _long(blob, at, end)
    if at == ABSENT or length < 0 or length > end - at:
        return ABSENT, 0
    if not _is_ascii(blob, at, at + length):
        return ABSENT, 0
    return at, length


@njit(cache=True, nogil=True)
def is_utf8(blob: npt.NDArray[np.uint8], at: int, end: int) -> bool:  # pragma: no cover - compiled
    """Tell whether bytes are UTF-8 as Python decodes it (RFC 3629, table 3-7 of Unicode)."""
    while at < end:
        lead = blob[at]
        at += 1
        if lead < 0x80:  # noqa: PLR2004 - the ranges of that table, here and below
            continue
        if lead < 0xC2 or lead > 0xF4:  # noqa: PLR2004
            return False
        low, high = 0x80, 0xBF
        if lead == 0xE0:  # noqa: PLR2004 - else it would be overlong
            low = 0xA0
        elif lead == 0xED:  # noqa: PLR2004 - else it would be a surrogate
            high = 0x9F
        elif lead == 0xF0:  # noqa: PLR2004 - overlong
            low = 0x90
        elif lead == 0xF4:  # noqa: PLR2004 - beyond U+10FFFF
            high = 0x8F
        for _ in range(1 + (lead >= 0xE0) + (lead >= 0xF0)):  # noqa: PLR2004
            if at >= end or not low <= blob[at] <= high:
                return False
            low, high = 0x80, 0xBF
            at += 1
    return True


@njit(cache=True, nogil=True)
def _after_text(
    blob: npt.NDArray[np.uint8], at: int, end: int
) -> int:  # pragma: no cover - compiled
    """Walk over a string; give where it ends, ABSENT where it is none."""
    length, at = _long(blob, at, end)
    if at == ABSENT or not 0 <= length <= end - at:
        return ABSENT
    after = at + length
    return after if _is_ascii(blob, at, after) or is_utf8(blob, at, after) else ABSENT


@njit(cache=True, nogil=True)
def _optional_map(
    blob: npt.NDArray[np.uint8], at: int, end: int, of_text: bool
) -> tuple[int, int, int]:  # pragma: no cover - compiled
    """Walk over null, or a map of doubles or of text.

    Give where the blocks begin (ABSENT for null), how many entries they have, and where the field
    ends (ABSENT if it does not). O(bytes), whatever count a block claims: each entry takes one.
    """
    if at < end and blob[at] == 0:
        return ABSENT, 0, at + 1
    if at >= end or blob[at] != 2:  # noqa: PLR2004 - zig-zag of branch 1
        return ABSENT, 0, ABSENT
    at += 1
    first, entries = at, 0
    while True:
        count, at = _long(blob, at, end)
        if at != ABSENT and count < 0:  # the block's bytes follow; fastavro asks for no more
            count = -count
            _, at = _long(blob, at, end)
        if at == ABSENT or count == 0:
            return first, entries, at
        for _ in range(count):
            at = _after_text(blob, at, end)
            if at != ABSENT:
                if of_text:
                    at = _after_text(blob, at, end)
                else:
                    at = at + WORD if at + WORD <= end else ABSENT
            if at == ABSENT:
                return ABSENT, 0, ABSENT
        entries += count


@njit(cache=True, nogil=True)
def _optional_bytes(
    blob: npt.NDArray[np.uint8], at: int, end: int
) -> tuple[int, int, int]:  # pragma: no cover - compiled
    """Read null or bytes; give where they begin, their length, and where the field ends."""
    if at < end and blob[at] == 0:
        return ABSENT, 0, at + 1
    if at < end and blob[at] == 2:  # noqa: PLR2004 - zig-zag of branch 1
        length, at = _long(blob, at + 1, end)
        if at != ABSENT and 0 <= length <= end - at:
            return at, length, at + length
    return ABSENT, 0, ABSENT


@njit(cache=True, nogil=True)
def _parse(  # noqa: C901, PLR0911, PLR0912 - a field after the other
    blob: npt.NDArray[np.uint8], at: int, end: int, vector_bytes: int, value_bytes: int, span: Any
) -> bool:  # pragma: no cover - compiled
    """Note where the parts of one event stand; tell whether that worked."""
    if at >= end or blob[at] != 0:
        return False
    span.tenant, span.tenant_bytes = _ascii(blob, at + 1, end)
    if span.tenant == ABSENT or not 1 <= span.tenant_bytes <= MAX_TENANT_BYTES:
        return False
    span.id, span.id_bytes = _ascii(blob, span.tenant + span.tenant_bytes, end)
    if span.id == ABSENT or span.id_bytes > MAX_ID_CHARACTERS:
        return False
    span.event_id, span.event_id_bytes = _ascii(blob, span.id + span.id_bytes, end)
    if span.event_id == ABSENT or span.event_id_bytes > MAX_ID_CHARACTERS:
        return False
    span.time_us, at = _long(blob, span.event_id + span.event_id_bytes, end)
    if at == ABSENT or not 0 <= span.time_us < MAX_TIME_US or at >= end:
        return False
    span.label = ABSENT
    if blob[at] == 2:  # noqa: PLR2004 - zig-zag of branch 1
        span.label = at + 1
        at += WORD
    elif blob[at] != 0:
        return False
    at += 1
    span.feature_map, span.feature_entries, at = _optional_map(blob, at, end, False)
    if at == ABSENT:
        return False
    span.features, span.features_bytes, at = _optional_bytes(blob, at, end)
    if at == ABSENT or span.features_bytes % WORD != 0:
        return False
    span.values, length, at = _optional_bytes(blob, at, end)
    if at == ABSENT or length != span.features_bytes:
        return False
    span.key, length, at = _optional_bytes(blob, at, end)
    if at == ABSENT or (span.key != ABSENT and length != vector_bytes):
        return False
    span.value, length, at = _optional_bytes(blob, at, end)
    if at == ABSENT or (span.value != ABSENT and length != value_bytes):
        return False
    span.query, length, at = _optional_bytes(blob, at, end)
    if at == ABSENT or (span.query != ABSENT and length != vector_bytes):
        return False
    span.context, span.context_bytes = ABSENT, 0
    span.context_map, span.context_entries, at = _optional_map(blob, at, end, True)
    return at == end


@njit(cache=True, nogil=True)
def find_spans(
    blob: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    vector_bytes: int,
    value_bytes: int,
    spans: Spans,
) -> None:  # pragma: no cover - compiled
    """Parse the events of a batch.

    Args:
        blob: uint8[bytes], the events one after the other.
        ends: int64[n], where each ends.
        vector_bytes: of keys and queries.
        value_bytes: of values.
        spans: SPAN_DTYPE[n], filled in.

    Complexity: O(n), and O(bytes) of the text and of the maps.
    """
    at = 0
    before = False
    for row in range(len(ends)):
        span = spans[row]
        parsed = _parse(blob, at, ends[row], vector_bytes, value_bytes, span)
        span.parsed = parsed
        span.tenant_goes_on = 0
        if before and parsed:
            last = spans[row - 1]
            span.tenant_goes_on = span.tenant_bytes == last.tenant_bytes
            for place in range(span.tenant_bytes):
                if blob[span.tenant + place] != blob[last.tenant + place]:
                    span.tenant_goes_on = 0
                    break
        before = parsed
        at = ends[row]


@njit(cache=True, nogil=True)
def copy_parts(
    blob: npt.NDArray[np.uint8],
    looked_up: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    out_at: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
) -> None:  # pragma: no cover - compiled
    """Copy parts of the batch to where a column wants them.

    Args:
        blob: uint8[bytes].
        looked_up: uint8[bytes], what starts below ABSENT point into.
        starts: int64[n], where each part begins; nothing is written for an ABSENT one.
        out_at: int64[n+1], where each belongs in ``out``; its length follows from the next.
        out: uint8[out_at[n]].
    """
    for row in range(len(starts)):
        start = starts[row]
        first, last = out_at[row], out_at[row + 1]
        if start > ABSENT:
            out[first:last] = blob[start : start + last - first]
        elif start < ABSENT:
            start = ABSENT - 1 - start
            out[first:last] = looked_up[start : start + last - first]
