"""Keys of the records of token streams, the same in RocksDB and in the changelog topic.

A key is one type byte, then which stream, then a number where there are many::

    head          type  tenant  stream
    checkpoint    type  tenant  stream  number (u32 BE)
    judgement     type  tenant  stream  number (u32 BE)
    ended         type  tenant  stream
    clock         type

    tenant, stream    length (u16 BE)  utf-8

Where state is encrypted a keyed hash stands in the place of the stream's name (``renamed``), and
the name in the record (``streams.hierarchy.sealed``).

The source offset stands at ``state.cell_keys.offset_key``, as in the shards of events.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from schemas.errors import StateError

_HEAD: Final = b"\x10"
_CHECKPOINT: Final = b"\x11"
_JUDGEMENT: Final = b"\x12"
_ENDED: Final = b"\x13"
_CLOCK: Final = b"\x14"
_LENGTH: Final = struct.Struct(">H")
_NUMBER: Final = struct.Struct(">I")

MAX_NAME_BYTES: Final = 2**16 - 1


class StreamKey(NamedTuple):
    """Which stream.

    Attributes:
        tenant: that owns it.
        stream_id: unique within the tenant.
    """

    tenant: str
    stream_id: str

    @property
    def name(self) -> str:
        """One name for both, for logs."""
        return f"{self.tenant}/{self.stream_id}"


def tenant_prefixes(tenant: str) -> tuple[bytes, ...]:
    """Prefixes of all records of a tenant's streams."""
    part = _part(tenant.encode())
    return tuple(kind + part for kind in (_HEAD, _CHECKPOINT, _JUDGEMENT, _ENDED))


def head_key(stream: StreamKey) -> bytes:
    """Key of what every unit of work writes of a stream."""
    return _HEAD + _stream_part(stream)


def head_prefix() -> bytes:
    """Prefix of the heads of all open streams."""
    return _HEAD


def checkpoint_key(stream: StreamKey, number: int) -> bytes:
    """Key of a checkpoint of a stream."""
    return _CHECKPOINT + _stream_part(stream) + _NUMBER.pack(number)


def judgement_key(stream: StreamKey, number: int) -> bytes:
    """Key of what the scan of a segment gave."""
    return _JUDGEMENT + _stream_part(stream) + _NUMBER.pack(number)


def stream_prefixes(stream: StreamKey) -> tuple[bytes, ...]:
    """Prefixes of all numbered records of a stream."""
    return _CHECKPOINT + _stream_part(stream), _JUDGEMENT + _stream_part(stream)


def judgement_prefix(stream: StreamKey) -> bytes:
    """Prefix of the judgements of a stream, in the order of its segments."""
    return _JUDGEMENT + _stream_part(stream)


def ended_key(stream: StreamKey) -> bytes:
    """Key of the mark that a stream has had its final verdict."""
    return _ENDED + _stream_part(stream)


def ended_prefix() -> bytes:
    """Prefix of the marks of all streams that have ended."""
    return _ENDED


def clock_key() -> bytes:
    """Key of the shard's time: the latest that a piece of its log has had."""
    return _CLOCK


def stream_of(key: bytes) -> StreamKey:
    """The stream that a head or mark is about.

    Raises:
        StateError: the key holds none.
    """
    tenant, name, number = _parts(key)
    if number:
        raise _malformed(key)
    try:
        return StreamKey(tenant, name.decode())
    except UnicodeDecodeError as error:
        raise _malformed(key) from error


def names_of(key: bytes) -> tuple[str, bytes]:
    """Tenant of a record of a stream, and what stands in the key for the stream's name.

    Raises:
        StateError: the key is of no stream.
    """
    tenant, name, _ = _parts(key)
    return tenant, name


def renamed(key: bytes, name: bytes) -> bytes:
    """A key of a record of a stream, or a prefix of one, with another name for the stream.

    Raises:
        StateError: the key is of no stream.
    """
    tenant, _, number = _parts(key)
    return key[:1] + _part(tenant.encode()) + _part(name) + number


def _parts(key: bytes) -> tuple[str, bytes, bytes]:
    names, at = [], 1
    try:
        for _ in StreamKey._fields:
            start = at + _LENGTH.size
            at = start + _LENGTH.unpack_from(key, at)[0]
            names.append(key[start:at])
        tenant = names[0].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise _malformed(key) from error
    if at > len(key):
        raise _malformed(key)
    return tenant, names[1], key[at:]


def _malformed(key: bytes) -> StateError:
    return StateError(
        f"state key {key.hex()} names no stream: the store or the changelog belongs to another "
        "application or version; point the worker at its own"
    )


def _stream_part(stream: StreamKey) -> bytes:
    return b"".join(_part(name.encode()) for name in stream)


def _part(name: bytes) -> bytes:
    return _LENGTH.pack(len(name)) + name
