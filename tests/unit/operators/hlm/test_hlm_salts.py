from __future__ import annotations

import struct

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from operators.hlm.salts import Purpose, SaltKey


def test_salt_is_hkdf_of_key_purpose_generation_and_attempt() -> None:
    """An independent implementation of RFC 5869 derives the same salt."""
    key = SaltKey(0xFEED << 200 | 77, version=3)
    info = b"weir/hlm-base/v1\0" + struct.pack(">QQ", 5, 1)
    material = (0xFEED << 200 | 77).to_bytes(32, "big")
    derived = HKDF(SHA256(), length=32, salt=None, info=info).derive(material)

    assert key.salt(Purpose.BASE, 5, 1) == int.from_bytes(derived[:8], "little")


def test_every_structure_has_a_salt_of_its_own() -> None:
    """Keys, purposes, generations and attempts all give different salts."""
    salts = {
        SaltKey(secret).salt(purpose, generation, attempt)
        for secret in (1, 2)
        for purpose in Purpose
        for generation in range(20)
        for attempt in range(3)
    }
    assert len(salts) == 2 * 2 * 20 * 3


def test_key_shows_its_version_alone() -> None:
    """A key printed by accident gives nothing away."""
    assert repr(SaltKey(123456789, version=4)) == "SaltKey(version=4)"
