"""Cosignatures of witnesses, as in C2SP tlog-cosignature (cosignature/v1).

A witness signs what the log signed, with the time at which it did:

    cosignature/v1
    time <seconds since 1970-01-01T00:00:00Z>
    <the note's text>

The signature stands below the note in a line of its own, ``— <name> base64(id ‖ time ‖ signature)``
with the time as an unsigned 64-bit big-endian number. The id and the verifier key are those of a
signed note, with 0x04 in the place of 0x01.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.errors import ConfigError
from state.audit.errors import BadSignature, MalformedNote, UnknownKey
from state.audit.note import (
    KEY_ID_BYTES,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Note,
    Signature,
    Verifier,
    decode_base64,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COSIGNATURE: Final = b"\x04"  # signature type identifier
_TIME: Final = struct.Struct(">Q")
_KEY_PARTS: Final = 3


@dataclass(frozen=True)
class CosignatureVerifier:
    """The public key of a witness.

    Args:
        name: key name; not empty, without spaces and plus signs.
        public_key: Ed25519 public key, 32 bytes.

    Raises:
        ConfigError: the name or the key is not one.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        Verifier(self.name, self.public_key)  # checks both

    @classmethod
    def from_string(cls, text: str) -> CosignatureVerifier:
        """Read a verifier key, ``name+hex8+base64``.

        Raises:
            ConfigError: the text is none of a witness, or its id does not fit its key.
        """
        parts = text.strip().split("+", _KEY_PARTS - 1)
        try:
            name, key_id, key = parts
            blob = decode_base64(key)
        except ValueError as error:
            raise ConfigError(
                f"{text[:80]!r} is not the key of a witness: it reads name+<8 hex digits>+<base64>"
            ) from error
        if not blob.startswith(COSIGNATURE) or len(blob) != 1 + PUBLIC_KEY_BYTES:
            raise ConfigError(f"the key of {name!r} is not that of a witness (type 4)")
        verifier = cls(name, blob[1:])
        if verifier.key_id.hex() != key_id:
            raise ConfigError(
                f"the key of {name!r} says id {key_id!r} and gives another: copy anew"
            )
        return verifier

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public key)[:4]."""
        data = self.name.encode() + b"\n" + COSIGNATURE + self.public_key
        return hashlib.sha256(data).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        key = base64.b64encode(COSIGNATURE + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def time_of(self, note: Note) -> int:
        """Check this witness' cosignature and give its time, in seconds since the epoch.

        Raises:
            UnknownKey: the note has none.
            BadSignature: it does not fit the text.
            MalformedNote: it has another length than a cosignature.
        """
        for name, key_id, blob in note.signatures:
            if (name, key_id) != (self.name, self.key_id):
                continue
            if len(blob) != _TIME.size + SIGNATURE_BYTES:
                raise MalformedNote(f"the cosignature by {name} has {len(blob)} bytes")
            (time,) = _TIME.unpack_from(blob)
            try:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(
                    blob[_TIME.size :], _message(note.text, time)
                )
            except InvalidSignature as error:
                raise BadSignature(f"the cosignature by {name} does not fit the text") from error
            return int(time)
        raise UnknownKey(f"the note is not cosigned by {self.name} ({self.key_id.hex()})")


class Cosigner:
    """A witness' private key.

    Args:
        name: under which it signs.
        key: private key.
    """

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = CosignatureVerifier(name, key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"<Cosigner {self.verifier}>"

    def cosign(self, note: str, time: int) -> str:
        """Add a cosignature to a signed note.

        Args:
            note: the whole note; what it says must have been checked.
            time: seconds since the epoch.

        Raises:
            MalformedNote: it is no signed note.
        """
        parsed = Note.parse(note)
        blob = _TIME.pack(time) + self._key.sign(_message(parsed.text, time))
        return note + str(Signature(self.verifier.name, self.verifier.key_id, blob))


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
