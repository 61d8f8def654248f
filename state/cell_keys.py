"""Keys of a shard's state, the same in RocksDB and in the changelog topic.

A key is one type byte, then what the record is about::

    shard record    type
    tenant record   type  tenant
    manifest        type  tenant  array name
    block           type  tenant  array name  block number (u32 BE)

    tenant          length (u16 BE)  utf-8
    array name      length (u8)  utf-8

Lengths come before what they measure, so the prefix of one tenant or array never matches another,
and numbers are big-endian, so the byte order of keys is the order of blocks: one scan of a prefix
reads an array from its first byte to its last.
"""

from __future__ import annotations

import struct
from typing import Final

from schemas.errors import StateError

# Type bytes stay below "_" (0x5f), with which the store's own records begin (see ``state.store``).
_OFFSET: Final = b"\x01"
_CHECKPOINT: Final = b"\x02"
_CHAIN: Final = b"\x03"
_CHAIN_CHECKPOINT: Final = b"\x04"
_MANIFEST: Final = b"\x05"
_BLOCK: Final = b"\x06"
_LEARNER: Final = b"\x07"
_SNAPSHOTS: Final = b"\x08"
_EPOCHS: Final = b"\x09"
_ERASED: Final = b"\x0a"
_QUOTAS: Final = b"\x0b"

_TENANT_LENGTH: Final = struct.Struct(">H")
_BLOCK_NUMBER: Final = struct.Struct(">I")

BLOCK_NUMBER_BYTES: Final = _BLOCK_NUMBER.size
MAX_BLOCKS: Final = 2**32
"""Blocks an array may have: the block number is a u32."""

_MAX_TENANT_BYTES: Final = 2**16 - 1
_MAX_NAME_BYTES: Final = 2**8 - 1


def offset_key() -> bytes:
    """Key of the committed source offset of the shard."""
    return _OFFSET


def checkpoint_key() -> bytes:
    """Key of the record that says at which source offset the cells' arrays stand."""
    return _CHECKPOINT


def learner_key() -> bytes:
    """Key of the record that says with which settings the cells were learnt."""
    return _LEARNER


def snapshots_key() -> bytes:
    """Key of the record of what the shard commits to of its snapshots."""
    return _SNAPSHOTS


def epochs_key() -> bytes:
    """Key of the record of how often, and to where, the shard was set back."""
    return _EPOCHS


def quotas_key() -> bytes:
    """Key of the record of which quotas were in force from which source offset on."""
    return _QUOTAS


def erased_key(tenant: str) -> bytes:
    """Key of the record that says that a tenant was erased."""
    return _ERASED + _tenant_part(tenant)


def erased_prefix() -> bytes:
    """Prefix of the `erased_key` of every tenant."""
    return _ERASED


def chain_key(tenant: str) -> bytes:
    """Key of a tenant's audit chain as of the committed unit of work."""
    return _CHAIN + _tenant_part(tenant)


def chain_checkpoint_key(tenant: str) -> bytes:
    """Key of a tenant's audit chain as of the checkpoint."""
    return _CHAIN_CHECKPOINT + _tenant_part(tenant)


def chain_prefix() -> bytes:
    """Prefix of the `chain_key` of every tenant."""
    return _CHAIN


def chain_checkpoint_prefix() -> bytes:
    """Prefix of the `chain_checkpoint_key` of every tenant."""
    return _CHAIN_CHECKPOINT


def manifest_key(tenant: str, name: str) -> bytes:
    """Key of the manifest of a tenant's array."""
    return _MANIFEST + _tenant_part(tenant) + _name_part(name)


def manifest_prefix(tenant: str | None = None) -> bytes:
    """Prefix of the manifests of one tenant, or of all."""
    return _MANIFEST if tenant is None else _MANIFEST + _tenant_part(tenant)


def block_prefix(tenant: str, name: str | None = None) -> bytes:
    """Prefix of the blocks of a tenant, or of one of its arrays."""
    prefix = _BLOCK + _tenant_part(tenant)
    return prefix if name is None else prefix + _name_part(name)


def block_key(tenant: str, name: str, number: int) -> bytes:
    """Key of one block of a tenant's array."""
    return block_prefix(tenant, name) + _BLOCK_NUMBER.pack(number)


def shard_keys() -> tuple[bytes, ...]:
    """Keys of the records that are about the shard as a whole."""
    return (_OFFSET, _CHECKPOINT, _LEARNER, _SNAPSHOTS, _EPOCHS, _QUOTAS)


def cell_prefixes(tenant: str) -> tuple[bytes, ...]:
    """Prefixes of all records of a tenant's cell but those of its chain."""
    return manifest_prefix(tenant), block_prefix(tenant)


def is_of_cell(key: bytes) -> bool:
    """Tell whether a key is of a manifest or a block: what a cell has learnt."""
    return key[:1] in {_MANIFEST, _BLOCK}


def same_tenant(key: bytes) -> bytes:
    """Prefix of the records of the same kind and tenant as a manifest or block."""
    start = 1 + _TENANT_LENGTH.size
    return key[: start + _TENANT_LENGTH.unpack_from(key, 1)[0]]


def tenant_of(key: bytes) -> str:
    """The tenant that a tenant, manifest or block key is about.

    Raises:
        StateError: the key does not hold a tenant.
    """
    return _split(key)[0]


def array_of(key: bytes) -> tuple[str, str]:
    """Tenant and array name of a manifest key, or of a block key without its block number.

    Raises:
        StateError: the key does not hold a tenant and the name of an array, and nothing more.
    """
    tenant, rest = _split(key)
    if not rest or len(rest) != 1 + rest[0]:
        raise _malformed(key)
    return tenant, _text(key, rest[1:])


def block_number(key: bytes) -> int:
    """Block number at the end of a block key."""
    return int.from_bytes(key[-BLOCK_NUMBER_BYTES:], "big")


def _split(key: bytes) -> tuple[str, bytes]:
    start = 1 + _TENANT_LENGTH.size
    if len(key) < start:
        raise _malformed(key)
    end = start + _TENANT_LENGTH.unpack_from(key, 1)[0]
    if len(key) < end:
        raise _malformed(key)
    return _text(key, key[start:end]), key[end:]


def _text(key: bytes, part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise _malformed(key) from error


def _malformed(key: bytes) -> StateError:
    return StateError(
        f"state key {key.hex()} is not one that this version writes: the store or the changelog "
        "belongs to another application or version; point the worker at its own"
    )


def _tenant_part(tenant: str) -> bytes:
    encoded = _encode("tenant", tenant, _MAX_TENANT_BYTES)
    return _TENANT_LENGTH.pack(len(encoded)) + encoded


def _name_part(name: str) -> bytes:
    encoded = _encode("array name", name, _MAX_NAME_BYTES)
    return bytes((len(encoded),)) + encoded


def _encode(what: str, text: str, limit: int) -> bytes:
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise StateError(f"{what} {text!r} cannot be a state key: it is not valid text") from error
    if len(encoded) > limit:
        raise StateError(
            f"{what} {text[:32]!r}… cannot be a state key: {len(encoded)} bytes of utf-8, "
            f"at most {limit} fit; use a shorter one"
        )
    return encoded
