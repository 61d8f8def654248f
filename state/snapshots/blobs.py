"""Records in a blob: length of key and of value (u32 little-endian each), key, value; repeated."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from schemas.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART_BYTES: Final = 64 * 1024 * 1024
"""A part is closed once it is as long: what writer and reader hold at once."""

_LENGTHS: Final = struct.Struct("<II")


def parts_of(records: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, int]]:
    """Join records into parts.

    Yields:
        Bytes of a part and the number of its records; at least one part.
    """
    buffer = bytearray()
    count = 0
    for key, value in records:
        buffer += _LENGTHS.pack(len(key), len(value))
        buffer += key
        buffer += value
        count += 1
        if len(buffer) >= PART_BYTES:
            yield bytes(buffer), count
            buffer, count = bytearray(), 0
    yield bytes(buffer), count


def records_of(data: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """Take a part apart.

    Args:
        data: its bytes.
        where: for the message of an error.

    Raises:
        StateError: it breaks off.
    """
    at = 0
    while at < len(data):
        start = at + _LENGTHS.size
        if start > len(data):
            raise StateError(f"{where} breaks off at byte {at}")
        key_bytes, value_bytes = _LENGTHS.unpack_from(data, at)
        at = start + key_bytes + value_bytes
        if at > len(data):
            raise StateError(f"{where} breaks off at byte {start}")
        yield data[start : start + key_bytes], data[start + key_bytes : at]
