"""A secret, which never shows itself, and where secrets come from."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final, NoReturn, Protocol, Self

from schemas.errors import SecretError

FEATURE_HASH: Final = "feature-hash"
"""Root of the tenants' keys that turn feature names into 64-bit ids."""
PRF_SEED: Final = "prf-seed"
"""Root of the seeds of counter-based randomness."""
HASH_SALT: Final = "hash-salt"
"""Root of the salts of the hash tables."""
AUDIT_SIGNING: Final = "audit-signing"
"""Seed of the Ed25519 key that signs audit checkpoints."""
KEY_ENCRYPTION: Final = "key-encryption"
"""Root of the key that wraps the tenants' data keys (``state.encryption``)."""

SECRET_NAMES: Final = (FEATURE_HASH, PRF_SEED, HASH_SALT, AUDIT_SIGNING, KEY_ENCRYPTION)

SECRET_BYTES: Final = 32
"""Length of every secret: what an Ed25519 key is made of, and as strong as SHA-256 can use."""

GENERATOR: Final = "head -c 32 /dev/urandom | base64"
"""Command that prints a new secret."""

_HEX_DIGITS: Final = 2 * SECRET_BYTES


class Secret:
    """One version of one secret.

    ``repr``, ``str``, ``format`` and a copy of it show or hold no bytes beyond this object; it
    cannot be pickled. Equality takes constant time.

    Args:
        name: what it is for.
        version: 1 and up.
        value: the bytes.
    """

    __slots__ = ("_value", "name", "version")

    def __init__(self, name: str, version: int, value: bytes) -> None:
        self.name = name
        self.version = version
        self._value = value

    def reveal(self) -> bytes:
        """The bytes. Hand them to cryptography only; never log, store or send them."""
        return self._value

    def __repr__(self) -> str:
        return f"<Secret {self.name} version {self.version}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        same_bytes = hmac.compare_digest(self._value, other._value)
        return same_bytes and (self.name, self.version) == (other.name, other.version)

    def __hash__(self) -> int:
        return hash((self.name, self.version))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            f"secret {self.name} cannot be pickled: it would leave the process in the clear; let "
            "the other process read it from its own secret provider"
        )


class SecretProvider(Protocol):
    """Where secrets come from: environment, files, or a key management service."""

    def get(self, name: str, version: int | None = None) -> Secret:
        """A secret by name.

        Args:
            name: one of `SECRET_NAMES`.
            version: an older version, to read or replay what was made with it; None for the
                current one, which is the highest.

        Raises:
            SecretError: there is none, it is malformed, or it may not be read. The message says
                what to do and shows nothing of the value.
        """


def parse_secret(text: str) -> bytes | None:
    """The bytes that hexadecimal (64 digits) or base64 text (44 characters) stands for.

    Returns:
        `SECRET_BYTES` bytes; None if the text is neither. It does not raise, because the frames of
        an exception hold the text, and reports of exceptions may show frames.
    """
    text = text.strip()
    try:
        if len(text) == _HEX_DIGITS:
            value = bytes.fromhex(text)
        else:
            value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return value if len(value) == SECRET_BYTES else None
