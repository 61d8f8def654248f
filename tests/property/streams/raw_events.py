"""Events as bytes that no encoder writes: names twice, any blocks, text that is none."""

from __future__ import annotations

import struct
from typing import Any


def long(number: int) -> bytes:
    """Encode a long."""
    left, out = (number << 1) ^ (number >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


def text(content: bytes) -> bytes:
    """Encode a string, of whatever bytes."""
    return long(len(content)) + content


Blocks = list[tuple[list[tuple[bytes, bytes]], bool, int]]


def blocks(content: Blocks) -> bytes:
    """Encode a map: entries a block, whether its count is negative, and what its size lies by."""
    out = b""
    for entries, negative, lie in content:
        body = b"".join(text(name) + value for name, value in entries)
        count = len(entries)
        out += (long(-count) + long(len(body) + lie) if negative else long(count)) + body
    return out + long(0)


def raw_event(event: dict[str, Any], features: Blocks | None, context: Blocks | None) -> bytes:
    """Encode an event whose maps stand there in these blocks, not as fastavro would write them."""

    def optional(field: str) -> bytes:
        return b"\0" if event.get(field) is None else b"\2" + text(event[field])

    label = event.get("label")
    return b"".join(
        (
            b"\0",
            *(text(event[field].encode()) for field in ("tenant", "id", "event_id")),
            long(event["time_us"]),
            b"\0" if label is None else b"\2" + struct.pack("<d", label),
            b"\0" if features is None else b"\2" + blocks(features),
            *map(optional, ("feature_ids", "feature_values", "key", "value", "query")),
            b"\0" if context is None else b"\2" + blocks(context),
        )
    )
