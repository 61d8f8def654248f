"""Records of a stream as bytes.

    record   format (u8)  length of the head (u32 LE)  head (JSON, UTF-8)  arrays, one after another

The head says how long each array is. Numbers in arrays are little-endian.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from operators.errors import StateMismatch

FORMAT: Final = 1
_FRAME: Final = struct.Struct("<BI")
_LENGTHS: Final = "arrays"


def packed(head: dict[str, Any], arrays: tuple[bytes, ...] = ()) -> bytes:
    """A record.

    Args:
        head: plain values by name.
        arrays: bytes that stand as they are.
    """
    text = json.dumps(
        {**head, _LENGTHS: [len(one) for one in arrays]},
        ensure_ascii=False, separators=(",", ":"),
    ).encode()  # fmt: skip
    return b"".join((_FRAME.pack(FORMAT, len(text)), text, *arrays))


def unpacked(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Head and arrays of a record.

    Raises:
        StateMismatch: it is of another format, or damaged.
    """
    try:
        version, length = _FRAME.unpack_from(data)
        at = _FRAME.size + length
        head = json.loads(data[_FRAME.size : at]) if version == FORMAT else {_LENGTHS: ()}
        arrays = []
        for size in head.pop(_LENGTHS):
            arrays.append(data[at : at + size])
            at += size
    except (struct.error, ValueError, LookupError) as error:
        damage = f"a stream's record of {len(data)} bytes is damaged: {error!r}"
        raise StateMismatch(damage) from error
    if version != FORMAT:
        raise StateMismatch(
            f"a stream's record is of format {version}, this release reads {FORMAT}: run the "
            "release that wrote it"
        )
    if at != len(data):
        raise StateMismatch(f"a stream's record has {len(data)} bytes and should have {at}")
    return head, arrays
