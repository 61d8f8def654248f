"""Avro's single-object encoding: a record that tells by itself which schema wrote it.

    bytes 0-1   marker, C3 01
    bytes 2-9   CRC-64-AVRO of the writer's schema, little-endian
    bytes 10-   the record in Avro's binary encoding

Source: Apache Avro 1.12 specification, "Single-object encoding". What any release of ours wrote can
be read without a registry, because each carries the schemas of those before it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from schemas.errors import BadMessage
from schemas.reasons import Reason
from schemas.registry import SchemaName, canonical_form, crc64_of, load, released
from schemas.writers import Writer, writer_of

if TYPE_CHECKING:
    from schemas.registry import Schema

MARKER: Final = b"\xc3\x01"
HEADER_BYTES: Final = 10
"""Bytes before a record."""


def header_of(schema: Schema) -> bytes:
    """Return what stands before a record of a schema."""
    return MARKER + schema.crc64


def is_single_object(value: bytes, fixed_bytes: int | None = None) -> bool:
    """Tell a single object from a bare record of one of our schemas.

    No bare record begins with the marker: read as the first field's number it is -98, which is
    neither the length of a text nor a symbol of an enum. Records of fixed size, which begin with
    any bytes, are told by their length.

    Args:
        value: of a message.
        fixed_bytes: size of every record of the schema; None where they differ.
    """
    if value[:2] != MARKER:
        return False
    return fixed_bytes is None or len(value) == HEADER_BYTES + fixed_bytes


def writer_by_header(name: SchemaName, value: bytes) -> Writer:
    """Return how to read a single object.

    Args:
        name: the schema that it should be of.
        value: of the message.

    Raises:
        BadMessage: ``UNKNOWN_SCHEMA``: no released version of the schema has this fingerprint.
    """
    writer = released_writers(name).get(value[:HEADER_BYTES])
    if writer is None:
        raise BadMessage(
            Reason.UNKNOWN_SCHEMA,
            f"{load(name).fullname}: no version up to this release's has the fingerprint "
            f"{value[2:HEADER_BYTES].hex()}; if a newer release wrote it, upgrade this one",
        )
    return writer


@cache
def released_writers(name: SchemaName) -> dict[bytes, Writer]:
    """Return how to read each released version of a schema, by header."""
    ours = load(name)
    return {
        MARKER + crc64_of(canonical_form(json.loads(text))): writer_of(text, ours)
        for text in released(name)
    }
