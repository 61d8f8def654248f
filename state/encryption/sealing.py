r"""Seals the records of cells, and opens them again: AES-256-GCM.

A sealed value is

    format (0xE1)  key version (u32 LE)  salt (16 bytes)  number (u32 BE)  ciphertext  tag

**One key a checkpoint.** Whatever a checkpoint writes of one tenant in one shard is sealed under

    HKDF-SHA256(data key, salt, "weir/sealed-state/v1\0" shard (u32 BE) key version (u32 BE)
                length of the application id (u16 BE)  application id  tenant)

with 16 random bytes for the salt, drawn anew each time, and the number of the record in the
checkpoint for the nonce. Random nonces under a data key itself would be worn out after 2^32 records
(NIST SP 800-38D, 8.3), which a busy shard writes in a day; and a nonce that followed from offsets
or steps would repeat, with other content, after each crash, fencing or rewind. Here nothing has to
be remembered across restarts: two checkpoints share a key if their salts collide, which among 2^40
checkpoints of a tenant in a shard under one version has a chance of 2^-49.

**What a record is bound to.** Application, shard, tenant and key version are bound by the
derivation, the record's own key (its kind, tenant, array and block number) as associated data. A
value that was put elsewhere does not open; a value of the same key from an earlier checkpoint does:
that a record was set back cannot be seen from the record.

Keys of records, deletions, lengths, and when a record was written stay visible.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import Bug, ConfigError, SecretError, StateError
from state import cell_keys
from state.secrets import SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from state.cells import Records
    from state.encryption.key_store import KeyStore
    from state.secrets import Secret

FORMAT: Final = 0xE1
"""First byte of a sealed value; no manifest in the clear begins with it."""

_LABEL: Final = b"weir/sealed-state/v1\0"
_SALT_BYTES: Final = 16
_TAG_BYTES: Final = 16
_HEADER: Final = struct.Struct(f"<BI{_SALT_BYTES}s")
_NUMBER: Final = struct.Struct(">I")
_PLACE: Final = struct.Struct(">IIH")
_NONCE_START: Final = bytes(8)  # the number makes it 12 bytes
_BODY: Final = _HEADER.size + _NUMBER.size
_MAX_RECORDS: Final = 2**32 - 1
_CIPHERS: Final = 4_096

SEALED_BYTES: Final = _BODY + _TAG_BYTES
"""What sealing adds to a value."""


class SealPlace(NamedTuple):
    """What sealed records belong to.

    Attributes:
        application_id: the application.
        shard: partition number.
    """

    application_id: str
    shard: int


def seal(
    records: Iterable[tuple[bytes, bytes | None]], tenant: str, key: Secret, place: SealPlace
) -> Iterator[tuple[bytes, bytes | None]]:
    """Seal what one checkpoint writes of a tenant; deletions pass.

    About a microsecond a record of 256 bytes (``streams.bench.encryption``).

    Args:
        records: keys and values.
        tenant: whose.
        key: the tenant's data key.
        place: what they belong to.

    Yields:
        The same keys, with sealed values.
    """
    salt = os.urandom(_SALT_BYTES)
    encrypt = _cipher(key, tenant, place, salt).encrypt
    header = _HEADER.pack(FORMAT, key.version, salt)
    pack, start = _NUMBER.pack, _NONCE_START
    number = 0
    for name, value in records:
        if value is None:
            yield name, None
            continue
        if number > _MAX_RECORDS:
            raise Bug(f"a checkpoint of tenant {tenant!r} has more than {_MAX_RECORDS} records")
        count = pack(number)
        yield name, header + count + encrypt(start + count, value, name)
        number += 1


class Opener:
    """Opens sealed values of one shard.

    Args:
        keys: the data keys; None: encryption is off.
        place: what the values belong to.
        where: they are; for the messages of errors.
    """

    def __init__(self, keys: KeyStore | None, place: SealPlace, where: str) -> None:
        self._keys = keys
        self._place = place
        self._where = f"{where}, shard {place.shard}"
        # Values of one checkpoint have one key; a few checkpoints wrote most of a cell.
        self._cipher_of = lru_cache(maxsize=_CIPHERS)(self._cipher)

    def destroyed(self, tenant: str) -> bool:
        """Tell whether a tenant's keys were destroyed."""
        return self._keys is not None and self._keys.destroyed(tenant)

    def require_keys(self, tenant: str) -> None:
        """Refuse to go on without encryption where a tenant's state is sealed.

        Raises:
            ConfigError: encryption is off.
        """
        if self._keys is None:
            raise ConfigError(
                f"{self._where}: the state of tenant {tenant!r} is encrypted and encryption.mode "
                "is off: set it to on, with the key store that it was encrypted with"
            )

    def open(self, tenant: str, key: bytes, value: bytes) -> bytes:
        """Open one value. About a microsecond for 256 bytes.

        Args:
            tenant: whose.
            key: of the record.
            value: as sealed.

        Raises:
            StateError: it does not open.
            SecretError: its data key is missing.
        """
        if len(value) < SEALED_BYTES or value[0] != FORMAT:
            raise self._error(tenant, key, "it is not sealed")
        _, version, salt = _HEADER.unpack_from(value)
        try:
            cipher = self._cipher_of(tenant, version, salt)
            nonce = _NONCE_START + value[_HEADER.size : _BODY]
            return cipher.decrypt(nonce, value[_BODY:], key)
        except InvalidTag as error:
            raise self._error(
                tenant, key, f"it does not open with version {version} of the tenant's data key"
            ) from error
        except SecretError as error:
            raise SecretError(
                f"{self._where}: the state of tenant {tenant!r} is sealed with version {version} "
                f"of its data key, which cannot be had: {error}"
            ) from error

    def _cipher(self, tenant: str, version: int, salt: bytes) -> AESGCM:
        self.require_keys(tenant)
        assert self._keys is not None
        return _cipher(self._keys.get(tenant, version), tenant, self._place, salt)

    def _error(self, tenant: str, key: bytes, what: str) -> StateError:
        return StateError(
            f"{self._where}: record {key.hex()} of tenant {tenant!r}: {what}. Either the key store "
            "has another key than the one it was sealed with (bring the right one back: no other "
            "opens it), or the record was changed or is another application's (delete the state "
            "folder: it will be restored from the changelog)"
        )


class OpenedRecords:
    """Records with the values of cells opened; see ``state.cells.Records``.

    Records of a tenant whose keys were destroyed come as they lie: nobody can do more than list
    them.

    Args:
        records: as they lie in a table or a snapshot.
        opener: opens what is sealed.
        accept_clear: take records that are not sealed.
        where: the records are; for the messages of errors.
    """

    def __init__(self, records: Records, opener: Opener, *, accept_clear: bool, where: str) -> None:
        self._records = records
        self._opener = opener
        self._accept_clear = accept_clear
        self._where = where
        self._sealed: dict[str, bool] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None."""
        value = self._records.get(key)
        if value is None or not cell_keys.is_of_cell(key):
            return value
        tenant = cell_keys.tenant_of(key)
        return self._opener.open(tenant, key, value) if self.sealed(tenant) else value

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in ascending order of keys.

        Raises:
            StateError: a value does not open.
            SecretError: a data key is missing.
            ConfigError: a tenant's records are sealed and should not be, or the other way round.
        """
        mine, tenant, sealed = None, "", False
        for key, value in self._records.items(prefix):
            if not cell_keys.is_of_cell(key):
                yield key, value
                continue
            if mine is None or not key.startswith(mine):
                tenant = cell_keys.tenant_of(key)
                mine = cell_keys.same_tenant(key)
                sealed = self.sealed(tenant) and not self._opener.destroyed(tenant)
            yield key, (self._opener.open(tenant, key, value) if sealed else value)

    def sealed(self, tenant: str) -> bool:
        """Tell whether a tenant's records are sealed. All are, or none.

        Raises:
            ConfigError: they are, and encryption is off; or the other way round.
        """
        known = self._sealed.get(tenant)
        if known is None:
            first = next(iter(self._records.items(cell_keys.manifest_prefix(tenant))), None)
            known = first is not None and first[1][:1] == bytes((FORMAT,))
            if known:
                self._opener.require_keys(tenant)
            elif first is not None and not self._accept_clear:
                raise ConfigError(
                    f"{self._where}: the state of tenant {tenant!r} is not encrypted and "
                    "encryption.mode is on. If it was written before encryption was turned on, set "
                    "encryption.mode to migrate until every shard has written a checkpoint; "
                    "otherwise somebody has put it there"
                )
            self._sealed[tenant] = known
        return known


def _cipher(key: Secret, tenant: str, place: SealPlace, salt: bytes) -> AESGCM:
    return AESGCM(derived(key, tenant, place, _LABEL, salt))


def derived(
    key: Secret, tenant: str, place: SealPlace, label: bytes, salt: bytes | None = None
) -> bytes:
    """Derive 256 bits from a data key, for one use in one shard; see above.

    Args:
        key: the tenant's data key.
        tenant: whose.
        place: where it is used.
        label: of the use; no two have the same.
        salt: drawn for it, where there is one.
    """
    application = place.application_id.encode()
    about = _PLACE.pack(place.shard, key.version, len(application)) + application
    info = label + about + tenant.encode()
    return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=salt, info=info).derive(key.reveal())
