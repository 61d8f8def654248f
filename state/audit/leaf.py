"""Layout of an audit record, derived from its Avro schema.

A leaf holds only ``double`` and ``fixed`` fields. Avro writes a double as eight little-endian
bytes and a fixed as its bytes, with nothing between fields and records (Avro specification,
"Binary Encoding"). So the encoding of a leaf is a packed struct: a row of ``LEAF_DTYPE`` *is* valid
Avro, and the schema file stays the only place where the fields stand.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from schemas.errors import Bug
from schemas.registry import load
from state.audit.merkle import HASH_BYTES

FORMAT: Final = 1.0
"""``format`` of a step: an observation was predicted, and learnt from if it had a label."""
LATE_LABEL: Final = 2.0
"""``format`` of a step that learnt from a label that came after its observation."""
REPEAT: Final = 3.0
"""``format`` of a mark: an event came again and was not learnt twice."""
SNAPSHOT: Final = 4.0
"""``format`` of a mark: a snapshot was taken; ``event_digest`` is the hash of its manifest."""
EPOCH: Final = 5.0
"""``format`` of a mark: the cell was set back to ``step``; ``prev`` names the old head."""
ERASURE: Final = 6.0
"""``format`` of a mark: the tenant's keys were destroyed; ``step`` is 0, for there is no cell."""
NOTE: Final = 7.0
"""``format`` of a mark: a caller's own entry; ``event_digest`` is that of the event with it."""
VERDICT: Final = 8.0
"""``format`` of a step: something was scanned; ``event_digest`` is the SHA-256 of the verdict."""

STEPS: Final = (FORMAT, LATE_LABEL, VERDICT)
"""Formats that have a step number of their own; all fields count, but of a verdict, which has its
time and digest, and zeros."""
MARKS: Final = (REPEAT, SNAPSHOT, EPOCH, ERASURE, NOTE)
"""Formats without: ``step`` is that of the cell, other numbers are 0 (but the time of an event)."""


def packed_dtype(schema: Any) -> np.dtype[Any]:
    """Give the packed struct that the Avro encoding of a schema is.

    Args:
        schema: a record in fastavro's parsed form, of ``double``, ``fixed`` and such records.

    Raises:
        Bug: a field is of a type whose encoding has no fixed width.
    """
    dtype: np.dtype[Any] = np.dtype(_layout(schema, {}))
    return dtype


def _layout(schema: Any, named: dict[str, Any]) -> Any:
    if schema == "double":
        return "<f8"
    if isinstance(schema, str) and schema in named:
        return named[schema]
    match schema:
        case {"type": "double"}:
            return "<f8"
        case {"type": "fixed", "size": size, "name": name}:
            named[name] = ("u1", (size,))
        case {"type": "record", "fields": fields, "name": name}:
            named[name] = [(field["name"], *_field(field["type"], named)) for field in fields]
        case _:
            raise Bug(f"{schema!r} has no fixed width in Avro: an audit record cannot hold it")
    return named[name]


def _field(schema: Any, named: dict[str, Any]) -> tuple[Any, ...]:
    layout = _layout(schema, named)
    return layout if isinstance(layout, tuple) else (layout,)


RECORD_DTYPE: Final = packed_dtype(load("audit_record").parsed)
"""A whole record as it travels: fields ``leaf`` and ``curr``, its hash."""

LEAF_DTYPE: Final = RECORD_DTYPE["leaf"]
"""The leaf: what is hashed."""

RECORD_BYTES: Final = RECORD_DTYPE.itemsize
LEAF_BYTES: Final = LEAF_DTYPE.itemsize
NUMBERS: Final = tuple(
    name for name in LEAF_DTYPE.names or () if LEAF_DTYPE[name] == np.dtype("<f8")
)
"""Names of the fields that hold a double, in order; they stand at the front of a leaf."""

COLUMN: Final = {name: place for place, name in enumerate(NUMBERS)}
"""Place of a number by the name of its field."""

BODY_BYTES: Final = LEAF_BYTES - HASH_BYTES
"""Bytes of a leaf before ``prev``, its last field."""


def _check_layout() -> None:
    """Hold the schema to what the chain and the verifier build on."""
    offsets = {name: entry[1] for name, entry in (LEAF_DTYPE.fields or {}).items()}
    if RECORD_BYTES != LEAF_BYTES + HASH_BYTES or RECORD_DTYPE.names != ("leaf", "curr"):
        raise Bug("an audit record must be a leaf followed by its hash: correct the schema")
    if offsets["prev"] != BODY_BYTES or LEAF_DTYPE["prev"].itemsize != HASH_BYTES:
        raise Bug("prev must be the last field of an audit leaf: correct the schema")
    if [offsets[name] for name in NUMBERS] != [8 * place for place in range(len(NUMBERS))]:
        raise Bug("the numbers of an audit leaf must stand before its digests: correct the schema")


_check_layout()


def blank_rows(count: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Make ``count`` leaves of zeros (``LEAF_DTYPE[count]``) with the format filled in."""
    rows = np.zeros(count, LEAF_DTYPE)
    rows["format"] = FORMAT
    return rows


def mark_row(kind: float, step: int, digest: bytes, time_us: int = 0) -> Any:
    """Make the leaf of a mark, ``LEAF_DTYPE[1]``; ``prev`` is the chain's to fill.

    Args:
        kind: one of ``MARKS``.
        step: where the cell stands after it.
        digest: 32 bytes, what the mark is about.
        time_us: event time, where the mark is about an event.
    """
    if kind not in MARKS or len(digest) != HASH_BYTES:
        raise Bug(f"a mark of kind {kind:g} about {len(digest)} bytes cannot be recorded")
    row = blank_rows(1)
    row["format"], row["step"], row["time_us"] = kind, step, time_us
    row["event_digest"] = np.frombuffer(digest, np.uint8)
    return row


def record_numbers(buffer: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    """View the numbers of whole records as a matrix, float64[n, len(NUMBERS)], without a copy."""
    shape = (len(buffer) // RECORD_BYTES, len(NUMBERS))
    return np.ndarray(shape, "<f8", buffer, 0, (RECORD_BYTES, 8))
