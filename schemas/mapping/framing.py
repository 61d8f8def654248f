"""The header that Confluent's serialisers put before a message.

A zero byte, then the schema's id as a big-endian 32-bit number; for Protobuf also the way to the
message type inside its file, as a list of indexes. Source: the wire format of Confluent's Schema
Registry.
"""

from __future__ import annotations

from schemas.errors import BadMessage
from schemas.reasons import Reason

HEADER_BYTES = 5
_VARINT_BITS = 7
_VARINT_MAX_SHIFT = 28


def schema_id(value: bytes) -> int:
    """The id of the schema that a message was written with.

    Raises:
        BadMessage: BAD_WIRE_HEADER; the message has no such header.
    """
    if len(value) < HEADER_BYTES or value[0] != 0:
        raise BadMessage(
            Reason.BAD_WIRE_HEADER,
            "the message has no schema registry header (a zero byte and a schema id); "
            "set `framing: none` if its producer writes none",
        )
    return int.from_bytes(value[1:HEADER_BYTES], "big")


def message_indexes(value: bytes) -> tuple[tuple[int, ...], bytes]:
    """The way to the message type inside its file, and the Protobuf message that follows it.

    Zigzag varints: how many, then each. A single zero is the short form of ``(0,)``.

    Raises:
        BadMessage: BAD_WIRE_HEADER; the list is cut off or negative.
    """
    count, at = _varint(value, 0)
    indexes = []
    for _ in range(count):
        index, at = _varint(value, at)
        indexes.append(index)
    return tuple(indexes) or (0,), value[at:]


def _varint(value: bytes, at: int) -> tuple[int, int]:
    raw = 0
    for shift in range(0, _VARINT_MAX_SHIFT + 1, _VARINT_BITS):
        if at >= len(value):
            break
        byte = value[at]
        at += 1
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            if raw & 1:  # zigzag: odd numbers are the negative ones
                break
            return raw >> 1, at
    raise BadMessage(
        Reason.BAD_WIRE_HEADER, "the message's list of Protobuf message indexes is damaged"
    )
