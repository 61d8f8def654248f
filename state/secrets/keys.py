r"""Keys and seeds made of the root secrets.

Each is ``HKDF-SHA256(secret, salt=none, info)`` (RFC 5869), and its ``info`` begins with a label
that no other shares, so knowing one key says nothing of another:

    ===============  ====================================================================  ========
    key              info                                                                  bytes
    ===============  ====================================================================  ========
    feature key      ``weir/feature-hash/v1\0`` tenant                                      32
    PRF seed         ``weir/prf-seed/v1\0`` shard (u32 BE) generation (u64 BE) tenant       8 (LE)
    hash salt        ``weir/hash-salt/v1\0`` shard (u32 BE) generation (u64 BE) tenant     8 (LE)
    wrapping key     ``weir/key-encryption/v1\0``                                            32
    ===============  ====================================================================  ========

The tenant is utf-8 and comes last, where no separator is needed to tell it from what follows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from state.secrets.secret import (
    AUDIT_SIGNING,
    FEATURE_HASH,
    HASH_SALT,
    PRF_SEED,
    Secret,
    SecretProvider,
)

FEATURE_KEY_BYTES: Final = 32
_SEED_BYTES: Final = 8
_PLACE: Final = struct.Struct(">IQ")


@dataclass(frozen=True, slots=True)
class Seed:
    """A 64-bit seed or salt and the version of the secret it was made of; only the version shows.

    Attributes:
        value: unsigned 64 bits.
        version: goes into audit records in its place.
    """

    value: int = field(repr=False)
    version: int


def derive(secret: Secret, info: bytes, length: int) -> bytes:
    """A key of its own for one purpose: HKDF-SHA256 without salt (RFC 5869).

    Args:
        secret: the root.
        info: what the key is for; different purposes must differ here.
        length: bytes wanted, at most 8,160.
    """
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret.reveal())


def feature_key(provider: SecretProvider, tenant: str, version: int | None = None) -> bytes:
    """The key with which a tenant's feature names are hashed to ids.

    Args:
        provider: where the secrets come from.
        tenant: whose key.
        version: of the secret; None for the current one. Weights are stored by id, so a cell keeps
            the version it began with.

    Returns:
        `FEATURE_KEY_BYTES` bytes.

    Raises:
        SecretError: the secret is missing, malformed or may not be read.
    """
    secret = provider.get(FEATURE_HASH, version)
    return derive(secret, b"weir/feature-hash/v1\0" + tenant.encode(), FEATURE_KEY_BYTES)


def prf_seed(
    provider: SecretProvider, tenant: str, shard: int, generation: int, version: int | None = None
) -> Seed:
    """The seed of a cell's counter-based randomness.

    Args:
        provider: where the secrets come from.
        tenant: whose cell.
        shard: the cell's partition.
        generation: counts what is made anew with fresh randomness in the same cell.
        version: of the secret; None for the current one, an older one for a replay.

    Raises:
        SecretError: the secret is missing, malformed or may not be read.
    """
    return _seed(provider.get(PRF_SEED, version), b"weir/prf-seed/v1\0", tenant, shard, generation)


def hash_salt(
    provider: SecretProvider, tenant: str, shard: int, generation: int, version: int | None = None
) -> Seed:
    """The salt of a cell's hash tables; arguments and errors as for `prf_seed`."""
    secret = provider.get(HASH_SALT, version)
    return _seed(secret, b"weir/hash-salt/v1\0", tenant, shard, generation)


def audit_signing_key(provider: SecretProvider, version: int | None = None) -> Ed25519PrivateKey:
    """The key that signs audit checkpoints.

    Args:
        provider: where the secrets come from.
        version: of the secret; None for the current one.

    Raises:
        SecretError: the secret is missing, malformed or may not be read.
    """
    return Ed25519PrivateKey.from_private_bytes(provider.get(AUDIT_SIGNING, version).reveal())


def _seed(secret: Secret, label: bytes, tenant: str, shard: int, generation: int) -> Seed:
    info = label + _PLACE.pack(shard, generation) + tenant.encode()
    return Seed(int.from_bytes(derive(secret, info, _SEED_BYTES), "little"), secret.version)
