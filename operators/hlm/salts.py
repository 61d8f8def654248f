"""Hash salts: a new one for each generation of each structure, from one secret key."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from enum import Enum

from operators.errors import InvalidConfig

_KEY_BITS = 256
_INFO = struct.Struct(">QQ")


class Purpose(Enum):
    """What a salt is for; no two structures share one."""

    BASE = b"weir/hlm-base/v1\0"
    DELTA = b"weir/hlm-delta/v1\0"


@dataclass(frozen=True, slots=True)
class SaltKey:
    """The key that every salt of one model follows from; a representation shows its version alone.

    Whoever constructs a model derives the key from the secret provider's secret, its version and
    the cell. A model keeps the version, never the key, among its state.

    Attributes:
        secret: unsigned, of at most 256 bits.
        version: of the secret in the secret provider.

    Raises:
        InvalidConfig: the secret is out of range; the message does not show it.
    """

    secret: int = field(repr=False)
    version: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.secret < 1 << _KEY_BITS:
            raise InvalidConfig(f"the salt key must be an unsigned integer of {_KEY_BITS} bits")

    def salt(self, purpose: Purpose, generation: int, attempt: int = 0) -> int:
        """Salt of 64 bits: HKDF-SHA256 (RFC 5869) without salt, one block.

        Args:
            purpose: of the structure.
            generation: of the structure; rises with every rebuild.
            attempt: 0, or how often a perfect hash could not be built for this generation.
        """
        material = self.secret.to_bytes(_KEY_BITS // 8, "big")
        extracted = hmac.digest(bytes(hashlib.sha256().digest_size), material, "sha256")
        info = purpose.value + _INFO.pack(generation, attempt)
        expanded = hmac.digest(extracted, info + b"\x01", "sha256")
        return int.from_bytes(expanded[:8], "little")
