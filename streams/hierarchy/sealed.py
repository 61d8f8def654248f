"""The table of streams as their driver sees it, whether it is encrypted or not.

    in the clear    key: type  tenant  stream  number    value
    encrypted       key: type  tenant  hash    number    sealed(length (u16 LE)  stream  value)

Values are opened when they are read, one by one: a stream in memory reads nothing. Names of streams
stand in no key, as ids of events do not: a hash does, keyed with the tenant's data key. Records of
a tenant whose keys were destroyed are as if they were not there, until the shard deletes them.

A value that does not open is no failure of its stream, which its driver would give up: ``check``
says so to whoever can end the worker.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from schemas.errors import ConfigError, StateError, WeirError
from state import stream_keys
from state.encryption.sealing import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from state.encryption.names import Names
    from streams.hierarchy.step import Table
    from streams.shard.vault import Vault

    Changes = Iterator[tuple[bytes, bytes | None]]

_LENGTH: Final = struct.Struct("<H")
_KIND: Final = 1
"""Length of a prefix that is of all tenants."""


def closed(changes: Mapping[bytes, bytes | None], names: Names | None) -> Changes:
    """Give changes of a tenant's streams as they are to be sealed and written.

    Args:
        changes: by key, as the driver has them.
        names: of the tenant; None: nothing is encrypted.
    """
    if names is None:
        yield from changes.items()
        return
    for key, value in changes.items():
        _, stream = stream_keys.names_of(key)
        written = None if value is None else _LENGTH.pack(len(stream)) + stream + value
        yield stream_keys.renamed(key, names.hidden(stream)), written


class StreamTable:
    """What has been committed of the streams of a shard; see ``streams.hierarchy.step.Table``.

    Args:
        table: as it lies.
        vault: of the shard.
        names: gives what hides the names of a tenant's streams; None: the shard has no such tenant,
            or nothing is encrypted.
        where: it is; for the messages of errors.
    """

    def __init__(
        self, table: Table, vault: Vault, names: Callable[[str], Names | None], where: str
    ) -> None:
        self._table = table
        self._vault = vault
        self._names = names
        self._where = where
        self._opener = vault.opener(where)
        self._failed: WeirError | None = None

    def check(self) -> None:
        """Raise what a value could not be opened for, if there was one."""
        if self._failed is not None:
            raise self._failed

    def forget(self) -> None:
        """Drop all that was derived from keys: some were destroyed."""
        self._opener = self._vault.opener(self._where)

    def lying(self, tenant: str) -> Iterator[tuple[bytes, bytes]]:
        """Give all records of a tenant's streams as they lie."""
        for prefix in stream_keys.tenant_prefixes(tenant):
            yield from self._table.items(prefix)

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None.

        Raises:
            StateError, SecretError, ConfigError: it does not open; ``check`` raises it again.
        """
        found = self._key(key)
        value = None if found is None else self._table.get(found)
        if value is None and found != key and self._vault.accept_clear:
            found, value = key, self._table.get(key)
        if found is None or value is None:
            return None
        tenant, _ = stream_keys.names_of(key)
        opened = self._opened(tenant, found, value)
        return None if opened is None else opened[1]

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix: of a stream, in order, or of a type, in none.

        Raises:
            StateError, SecretError, ConfigError: a value does not open; ``check`` raises it again.
        """
        prefixes = [prefix]
        if len(prefix) > _KIND:
            found = self._key(prefix)
            prefixes = [] if found is None else [found]
            if self._vault.accept_clear and found != prefix:
                prefixes.append(prefix)
        for one in prefixes:
            for key, value in self._table.items(one):
                tenant, stream = stream_keys.names_of(key)
                opened = self._opened(tenant, key, value)
                if opened is not None:
                    stream = stream if opened[0] is None else opened[0]
                    yield stream_keys.renamed(key, stream), opened[1]

    def _key(self, key: bytes) -> bytes | None:
        """Where a record lies; None: nowhere."""
        if not self._vault.on:
            return key
        tenant, stream = stream_keys.names_of(key)
        names = self._names(tenant)
        return None if names is None else stream_keys.renamed(key, names.hidden(stream))

    def _opened(self, tenant: str, key: bytes, value: bytes) -> tuple[bytes | None, bytes] | None:
        """The stream's name, if it stands in the record, and the value; None: it was erased."""
        if self._vault.destroyed(tenant):
            return None
        try:
            return self._open(tenant, key, value)
        except WeirError as error:
            if self._vault.destroyed(tenant):  # meanwhile
                return None
            self._failed = self._failed or error
            raise

    def _open(self, tenant: str, key: bytes, value: bytes) -> tuple[bytes | None, bytes]:
        if value[:1] != bytes((FORMAT,)):
            if self._vault.accept_clear:
                return None, value
            raise ConfigError(
                f"{self._where}: a stream of tenant {tenant!r} is not encrypted and "
                "encryption.mode is on. If it was written before encryption was turned on, set "
                "encryption.mode to migrate until every shard has written a checkpoint; otherwise "
                "somebody has put it there"
            )
        opened = self._opener.open(tenant, key, value)
        try:
            start = _LENGTH.size + _LENGTH.unpack_from(opened)[0]
        except struct.error as error:
            raise StateError(
                f"{self._where}: record {key.hex()} of tenant {tenant!r} names no stream"
            ) from error
        return opened[_LENGTH.size : start], opened[start:]
