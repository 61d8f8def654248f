"""Signed notes: text with Ed25519 signatures below it, as in C2SP signed-note v1.0.0.

    <text, ends with a newline>
    <empty line>
    — <key name> <base64(key id ‖ signature)>
    …more signatures, by other keys…

A key is known by its name and a 32-bit id, SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]. What a
reader pins is the verifier key ``name+<id in hex>+<base64(0x01 ‖ public key)>``. Signatures by
keys that the reader does not know are passed over, so that keys can rotate and others can cosign;
one by a known key that does not verify condemns the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.errors import ConfigError
from state.audit.errors import BadSignature, MalformedNote, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = b"\x01"  # signature type identifier
KEY_ID_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SIGNATURE_START: Final = "— "  # em dash, space
# The specification asks readers to accept 16 signatures and to set some limit; one of the
# post-quantum kind, which is passed over here, takes up to 5 kB.
MAX_SIGNATURES: Final = 100
MAX_NOTE_CHARS: Final = 1 << 20


def _is_key_name(name: str) -> bool:
    unfit = any(
        character < " " or character.isspace() or "\ud800" <= character <= "\udfff"
        for character in name
    )
    return bool(name) and "+" not in name and not unfit


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:KEY_ID_BYTES]


def decode_base64(text: str) -> bytes:
    """Decode standard base64, accepting only the one encoding that an encoder produces.

    Raises:
        ValueError: another alphabet, missing padding, or stray bits in the last character.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text[:60]!r} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError(f"{text[:60]!r} is not base64 in its canonical form")
    return data


class Signature(NamedTuple):
    """One signature line: who signed by name and key id, and the bytes of the signature."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        blob = base64.b64encode(self.key_id + self.signature).decode()
        return f"{SIGNATURE_START}{self.name} {blob}\n"


@dataclass(frozen=True)
class Verifier:
    """A public key that a reader pins, under the name that stands in signature lines.

    Args:
        name: key name; not empty, without spaces and plus signs.
        public_key: Ed25519 public key, 32 bytes (RFC 8032).

    Raises:
        ConfigError: the name or the key is not one.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _is_key_name(self.name):
            raise ConfigError(
                f"{self.name!r} cannot name a key: it must not be empty nor hold spaces or '+'"
            )
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key)
        except ValueError as error:
            raise ConfigError(
                f"the public key of {self.name!r} is not an Ed25519 key of {PUBLIC_KEY_BYTES} bytes"
            ) from error

    @classmethod
    def from_string(cls, text: str) -> Verifier:
        """Read a verifier key, ``name+hex8+base64``.

        Raises:
            ConfigError: the text is not a verifier key, or its id does not fit its key.
        """
        parts = text.strip().split("+", 2)
        try:
            name, key_id, key = parts
            blob = decode_base64(key)
        except ValueError as error:
            raise ConfigError(
                f"{text[:80]!r} is not a verifier key: it reads name+<8 hex digits>+<base64>"
            ) from error
        if not blob.startswith(ED25519) or len(blob) != 1 + PUBLIC_KEY_BYTES:
            raise ConfigError(f"the verifier key of {name!r} is not an Ed25519 key of note type 1")
        verifier = cls(name, blob[1:])
        if verifier.key_id.hex() != key_id:
            raise ConfigError(
                f"the verifier key of {name!r} says id {key_id!r} and its key gives "
                f"{verifier.key_id.hex()}: copy it again from its owner"
            )
        return verifier

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]."""
        return _key_id(self.name, self.public_key)

    def check(self, text: str, signature: bytes) -> bool:
        """Say whether ``signature`` is this key's over ``text``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        key = base64.b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


class Signer:
    """A private key and the name it signs under; its repr shows the public half only.

    Args:
        name: key name; not empty, without spaces and plus signs.
        private_key: Ed25519 private key.

    Raises:
        ConfigError: the name cannot name a key.
    """

    __slots__ = ("_private_key", "verifier")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.verifier = Verifier(name, private_key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Make a note of ``text`` with one signature; add others with ``cosign``.

        Raises:
            MalformedNote: the text does not end with a newline or holds control characters.
        """
        _check_characters(text)
        if not text.endswith("\n") or text == "\n":
            raise MalformedNote("the text of a note must end with a newline: add it")
        return f"{text}\n{self._line(text)}"

    def cosign(self, note: Note) -> str:
        """Give the note with one more signature below the others."""
        return f"{note}{self._line(note.text)}"

    def _line(self, text: str) -> Signature:
        verifier = self.verifier
        return Signature(verifier.name, verifier.key_id, self._private_key.sign(text.encode()))

    def __repr__(self) -> str:
        return f"Signer({str(self.verifier)!r})"


@dataclass(frozen=True)
class Note:
    """A note as read: text, and signatures of which none is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: str) -> Note:
        """Take a note apart; strict, so that one note has one reading.

        Raises:
            MalformedNote: the text is not a signed note.
        """
        if len(note) > MAX_NOTE_CHARS:
            raise MalformedNote(f"a note of {len(note)} characters is too long to be one")
        _check_characters(note)
        # The text may hold empty lines: the signatures follow the last one.
        text, gap, below = note.rpartition("\n\n")
        if not gap or not text or not below:
            raise MalformedNote("no empty line followed by signatures: this is not a signed note")
        if not below.endswith("\n"):
            raise MalformedNote("the last signature line is not ended by a newline: it was cut off")
        lines = below[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise MalformedNote(f"{len(lines)} signatures, more than {MAX_SIGNATURES}")
        return cls(text + "\n", tuple(_parse_signature(line) for line in lines))

    def verify(self, verifiers: Collection[Verifier]) -> Sequence[Verifier]:
        """Check the signatures by the keys given; others are passed over.

        Returns:
            The keys that signed, at least one.

        Raises:
            UnknownKey: none of the keys signed the note.
            BadSignature: a signature by one of the keys does not verify.
        """
        known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
        signed = []
        for name, key_id, signature in self.signatures:
            verifier = known.get((name, key_id))
            if verifier is None:
                continue
            if not verifier.check(self.text, signature):
                raise BadSignature(
                    f"the signature by {name} ({key_id.hex()}) does not fit the text"
                )
            signed.append(verifier)
        if not signed:
            found = ", ".join(f"{name} ({key_id.hex()})" for name, key_id, _ in self.signatures)
            raise UnknownKey(f"signed by {found}, by none of the keys that are trusted here")
        return signed

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


def _check_characters(text: str) -> None:
    if any(character < " " and character != "\n" for character in text):
        raise MalformedNote("a note may hold no control character but the newline")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedNote("a note must be valid Unicode") from error


def _parse_signature(line: str) -> Signature:
    name, gap, blob = line.removeprefix(SIGNATURE_START).rpartition(" ")
    if not line.startswith(SIGNATURE_START) or not gap or not _is_key_name(name):
        raise MalformedNote(f"{line[:80]!r} is not a signature line: '— <key name> <base64>'")
    try:
        data = decode_base64(blob)
    except ValueError as error:
        raise MalformedNote(f"the signature by {name} is not base64: {error}") from error
    if len(data) <= KEY_ID_BYTES:
        raise MalformedNote(f"the signature by {name} is {len(data)} bytes long: it was cut off")
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
