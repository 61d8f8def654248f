r"""Data keys as they lie in the key store: wrapped by the provider's key-encryption secret.

A wrapped key is a JSON object: its tenant, its version, the version of the secret that wraps it, a
nonce, and what AES-256-GCM gives under ``HKDF-SHA256(secret, info="weir/key-encryption/v1\0")``.
Tenant and versions are the associated data: a wrapped key that was put in the place of another
tenant's, or of another version, does not open. Nonces are 96 random bits; a deployment wraps
thousands of keys, and 2^32 would be the limit.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import SecretError
from state.secrets import KEY_ENCRYPTION, SECRET_BYTES, Secret, SecretProvider, derive

_FORMAT: Final = 1
_LABEL: Final = b"weir/key-encryption/v1\0"
_NONCE_BYTES: Final = 12


class WrappedKey(NamedTuple):
    """A data key that cannot be used without the secret that wraps it.

    Attributes:
        tenant: whose.
        version: 1 and up.
        wrapped_by: version of the secret ``key-encryption``.
        created_us: microseconds since the epoch.
        nonce: 12 bytes.
        wrapped: key and tag.
    """

    tenant: str
    version: int
    wrapped_by: int
    created_us: int
    nonce: bytes
    wrapped: bytes

    def to_bytes(self) -> bytes:
        """Write it as canonical JSON."""
        plain = self._asdict() | {
            "format": _FORMAT,
            "nonce": self.nonce.hex(),
            "wrapped": self.wrapped.hex(),
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> WrappedKey:
        """Read what ``to_bytes`` wrote.

        Raises:
            SecretError: it is none.
        """
        try:
            plain: dict[str, Any] = json.loads(data)
            if plain.pop("format") != _FORMAT:
                raise SecretError(
                    f"{where} is of another format than {_FORMAT}, which this version reads: run "
                    "the version that wrote it"
                )
            plain["nonce"] = bytes.fromhex(plain["nonce"])
            plain["wrapped"] = bytes.fromhex(plain["wrapped"])
            return cls(**plain)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SecretError(
                f"{where} is no wrapped key: it was damaged; bring it back from a copy"
            ) from error


def data_key(tenant: str, version: int, value: bytes) -> Secret:
    """A data key as an object that does not show itself."""
    return Secret(f"data key of tenant {tenant}", version, value)


def new_key(provider: SecretProvider, tenant: str, version: int, created_us: int) -> WrappedKey:
    """Make a data key of random bytes, wrapped by the current secret.

    Raises:
        SecretError: the secret is missing.
    """
    key = data_key(tenant, version, os.urandom(SECRET_BYTES))
    return wrap(provider, tenant, key, created_us)


def wrap(provider: SecretProvider, tenant: str, key: Secret, created_us: int) -> WrappedKey:
    """Wrap a data key by the current secret.

    Raises:
        SecretError: the secret is missing.
    """
    secret = provider.get(KEY_ENCRYPTION)
    nonce = os.urandom(_NONCE_BYTES)
    about = _associated(tenant, key.version, secret.version)
    wrapped = _cipher(secret).encrypt(nonce, key.reveal(), about)
    return WrappedKey(tenant, key.version, secret.version, created_us, nonce, wrapped)


def unwrap(provider: SecretProvider, key: WrappedKey, where: str) -> Secret:
    """Open a wrapped key.

    Args:
        provider: has the secret that wraps it.
        key: as it lies in the store.
        where: that is; for the message of an error.

    Raises:
        SecretError: the secret is missing or another one, or the wrapped key was changed.
    """
    secret = provider.get(KEY_ENCRYPTION, key.wrapped_by)
    about = _associated(key.tenant, key.version, key.wrapped_by)
    try:
        value = _cipher(secret).decrypt(key.nonce, key.wrapped, about)
    except (InvalidTag, ValueError) as error:
        raise SecretError(
            f"data key version {key.version} of tenant {key.tenant!r} ({where}) does not open with "
            f"{KEY_ENCRYPTION} version {key.wrapped_by}: the secret is another one than wrapped "
            "it, or the file was changed. Provide the secret that the key store was made with, or "
            "bring the file back from a copy"
        ) from error
    return data_key(key.tenant, key.version, value)


def _cipher(secret: Secret) -> AESGCM:
    return AESGCM(derive(secret, _LABEL, SECRET_BYTES))


def _associated(tenant: str, version: int, wrapped_by: int) -> bytes:
    return b"%d %d %d " % (_FORMAT, version, wrapped_by) + tenant.encode()
