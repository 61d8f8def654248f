"""Values of the small records that a shard's changelog carries beside the blocks of its arrays.

Each starts with a format byte and is little-endian and of fixed size::

    offset       format (u8)  source offset (i64)
    checkpoint   format (u8)  source offset (i64)  tenants (u32)  application format (u32)

The *offset* record travels with every unit of work: the source offset up to which outputs are
committed. The *checkpoint* record travels with the arrays: where they stand, how many tenants they
belong to, and the version of the application's layout of them. Between the two, cells are stepped
again silently.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from schemas.errors import StateError

_OFFSET_FORMAT: Final = 1
_CHECKPOINT_FORMAT: Final = 1
_OFFSET: Final = struct.Struct("<Bq")
_CHECKPOINT: Final = struct.Struct("<BqII")


class StateCheckpoint(NamedTuple):
    """Where the arrays in the store stand.

    Attributes:
        source_offset: the next offset of the source partition that the arrays have not seen.
        tenants: how many tenants have arrays in this checkpoint.
        app_format: version of the layout of the cells' arrays.
    """

    source_offset: int
    tenants: int
    app_format: int


def encode_offset(source_offset: int) -> bytes:
    """Value of the record at `offset_key`: the next source offset to process."""
    return _OFFSET.pack(_OFFSET_FORMAT, source_offset)


def decode_offset(value: bytes) -> int:
    """The next source offset to process.

    Raises:
        StateError: the value is not of the format that this version writes.
    """
    _check("offset", value, _OFFSET, _OFFSET_FORMAT)
    _, source_offset = _OFFSET.unpack(value)
    return int(source_offset)


def encode_checkpoint(checkpoint: StateCheckpoint) -> bytes:
    """Value of the record at `checkpoint_key`."""
    return _CHECKPOINT.pack(_CHECKPOINT_FORMAT, *checkpoint)


def decode_checkpoint(value: bytes) -> StateCheckpoint:
    """Where the arrays stand.

    Raises:
        StateError: the value is not of the format that this version writes.
    """
    _check("checkpoint", value, _CHECKPOINT, _CHECKPOINT_FORMAT)
    _, *fields = _CHECKPOINT.unpack(value)
    return StateCheckpoint(*fields)


def _check(what: str, value: bytes, layout: struct.Struct, version: int) -> None:
    if not value or value[0] != version:
        found = f"format {value[0]}" if value else "no bytes"
        raise StateError(
            f"{what} record of the state has {found}, this version reads format {version}: "
            "run the version that wrote it, or start from an empty changelog"
        )
    if len(value) != layout.size:
        raise StateError(
            f"{what} record of the state has {len(value)} bytes instead of {layout.size}: "
            "it is damaged; delete the state folder, it will be restored from the changelog"
        )
