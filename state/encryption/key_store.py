"""The tenants' data keys: made, read, rotated, wrapped anew, and destroyed.

    store.json                     this is a key store
    <tenant>/v00000001.json        version 1 of a tenant's key, wrapped
    <tenant>/destroyed.json        the tenant's keys were destroyed; none counts any more

``<tenant>`` is the SHA-256 of the tenant's name, which fits any file system. A key is made when the
tenant comes, by whichever worker is first. A store without ``store.json`` is refused rather than
filled: a volume that is not mounted looks like an empty store, and new keys in the place of those
that are elsewhere would leave state that nobody can read.

``destroyed.json`` is written first and never deleted: whatever interrupts a destruction, no worker
makes a new key for the tenant, and calling it again finishes it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.errors import SecretError
from state.encryption.wrapping import WrappedKey, new_key, unwrap, wrap
from state.secrets import KEY_ENCRYPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.encryption.places import KeyPlace
    from state.secrets import Secret, SecretProvider

_STORE: Final = "store.json"
_DESTROYED: Final = "destroyed.json"
_KEY_FILE: Final = re.compile(r"v(\d{8})\.json")


class TenantKeys(NamedTuple):
    """What the store has of one tenant.

    Attributes:
        tenant: whose.
        versions: of the keys that are there, rising.
        wrapped_by: versions of the secret that wrap them, in the same order.
        created_us: when each was made.
        destroyed_us: when they were destroyed; None: they were not.
    """

    tenant: str
    versions: tuple[int, ...]
    wrapped_by: tuple[int, ...]
    created_us: tuple[int, ...]
    destroyed_us: int | None


class _Entry(NamedTuple):
    """What the last look saw of a tenant: versions, rising, and whether they were destroyed."""

    versions: tuple[int, ...] = ()
    destroyed: bool = False


class KeyStore:
    """Data keys by tenant and version; what was read is kept in memory. Any thread may call.

    Args:
        place: where they lie.
        provider: has the secret that wraps them.

    Attributes:
        changes: how often a look found something else than the one before.

    Raises:
        SecretError: the place is no key store, or does not answer.
    """

    def __init__(self, place: KeyPlace, provider: SecretProvider) -> None:
        self._place = place
        self._provider = provider
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, int], Secret] = {}
        self._seen: dict[str, _Entry] = {}
        self.changes = 0
        self.refresh()

    @staticmethod
    def initialise(place: KeyPlace) -> bool:
        """Make a place a key store; False: it is one.

        Raises:
            SecretError: it cannot be written.
        """
        return place.create(_STORE, b'{"format":1}')

    @property
    def where(self) -> str:
        """The place, in words."""
        return self._place.where

    def refresh(self) -> None:
        """Look at what is there: new versions count from now on, destroyed keys are forgotten.

        Raises:
            SecretError: the place is no key store, or does not answer.
        """
        names = self._place.names()
        if _STORE not in names:
            raise SecretError(
                f"{self.where} is no key store: mount the one that the state was encrypted with; "
                "only for a new deployment make it with `weir keys init`"
            )
        seen = _seen(names)
        with self._lock:
            self.changes += seen != self._seen
            self._seen = seen
            for key in [key for key in self._keys if self._entry(key[0]).destroyed]:
                del self._keys[key]

    def destroyed(self, tenant: str) -> bool:
        """Tell whether a tenant's keys were destroyed, as of the last look."""
        return self._entry(tenant).destroyed

    def current(self, tenant: str) -> Secret:
        """Give the key of a tenant's new records: its highest version, the first made if need be.

        Raises:
            SecretError: it was destroyed, cannot be made, or does not open.
        """
        if not self._entry(tenant).versions and not self.destroyed(tenant):
            # Whoever else was first, what is there now is the key.
            self._add(tenant, 1)
            self.refresh()
        return self.get(tenant, max(self._entry(tenant).versions, default=1))

    def get(self, tenant: str, version: int) -> Secret:
        """Give a version of a tenant's key.

        Raises:
            SecretError: it is not there, was destroyed, or does not open; the message says what to
                do.
        """
        key = self._keys.get((tenant, version))
        if key is not None:
            return key
        entry, name = self._entry(tenant), _name(tenant, version)
        if entry.destroyed:
            raise SecretError(f"the data keys of tenant {tenant!r} were destroyed")
        if version not in entry.versions:
            raise SecretError(
                f"data key version {version} of tenant {tenant!r} is missing in {self.where} "
                f"({name}): bring the file back from a copy of the key store, and see that all "
                "workers have the same one. If the tenant is to be given up, `weir keys destroy` "
                "says so"
            )
        wrapped = self._read(name)
        if (wrapped.tenant, wrapped.version) != (tenant, version):
            raise SecretError(
                f"{self.where}/{name} holds version {wrapped.version} of tenant "
                f"{wrapped.tenant!r}, not version {version} of {tenant!r}: bring the right file "
                "back from a copy"
            )
        key = unwrap(self._provider, wrapped, f"{self.where}/{name}")
        with self._lock:
            self._keys[tenant, version] = key
        return key

    # -- administration ---------------------------------------------------------------------------

    def tenants(self) -> Iterator[TenantKeys]:
        """Give what is there, by tenant."""
        for folder, entry in sorted(self._seen.items()):
            keys = [self._read(f"{folder}/{_file(version)}") for version in entry.versions]
            marker: dict[str, Any] = {}
            if entry.destroyed:
                marker = json.loads(self._place.get(f"{folder}/{_DESTROYED}"))
            yield TenantKeys(
                marker["tenant"] if marker else keys[0].tenant,
                tuple(key.version for key in keys),
                tuple(key.wrapped_by for key in keys),
                tuple(key.created_us for key in keys),
                marker.get("destroyed_us"),
            )

    def rotate(self, tenant: str) -> int:
        """Add a version, which new records are sealed with; give its number.

        Raises:
            SecretError: the tenant has no key, or it was destroyed.
        """
        versions, destroyed = self._entry(tenant)
        if destroyed or not versions:
            what = "were destroyed" if destroyed else "do not exist yet"
            raise SecretError(f"the data keys of tenant {tenant!r} {what}: nothing to rotate")
        version = versions[-1] + 1
        if not self._add(tenant, version):
            raise SecretError(
                f"version {version} of tenant {tenant!r} was made by another at the same time: "
                "see `weir keys list`"
            )
        self.refresh()
        return version

    def destroy(self, tenant: str) -> tuple[int, ...]:
        """Destroy all keys of a tenant, for good; give the versions that there were.

        Raises:
            SecretError: the store cannot be written; call it again, it goes on where it was.
        """
        versions = self._entry(tenant).versions
        marker = {
            "format": 1,
            "tenant": tenant,
            "versions": versions,
            "destroyed_us": _now_us(),
        }
        data = json.dumps(marker, sort_keys=True).encode()
        self._place.create(f"{_folder(tenant)}/{_DESTROYED}", data)
        # What was made by others until now is there to be seen; afterwards nobody makes any.
        self.refresh()
        for version in self._entry(tenant).versions:
            self._place.delete(_name(tenant, version))
        self.refresh()
        return versions

    def rewrap(self) -> int:
        """Wrap all keys by the current version of the secret; give how many were not.

        Older versions of the secret can be destroyed then, and with them what copies and backups
        still hold of destroyed keys.

        Raises:
            SecretError: a key does not open, or cannot be written; call it again.
        """
        done = 0
        current = self._provider.get(KEY_ENCRYPTION).version
        for folder, entry in sorted(self._seen.items()):
            for version in entry.versions:
                name = f"{folder}/{_file(version)}"
                old = self._read(name)
                if old.wrapped_by == current:
                    continue
                key = unwrap(self._provider, old, f"{self.where}/{name}")
                new = wrap(self._provider, old.tenant, key, old.created_us)
                self._place.replace(name, new.to_bytes())
                done += 1
        return done

    def _add(self, tenant: str, version: int) -> bool:
        key = new_key(self._provider, tenant, version, _now_us())
        return self._place.create(_name(tenant, version), key.to_bytes())

    def _read(self, name: str) -> WrappedKey:
        return WrappedKey.from_bytes(self._place.get(name), f"{self.where}/{name}")

    def _entry(self, tenant: str) -> _Entry:
        return self._seen.get(_folder(tenant), _Entry())


def _seen(names: frozenset[str]) -> dict[str, _Entry]:
    versions: dict[str, list[int]] = {}
    destroyed = set()
    for name in names:
        folder, _, base = name.partition("/")
        if base == _DESTROYED:
            destroyed.add(folder)
        elif found := _KEY_FILE.fullmatch(base):
            versions.setdefault(folder, []).append(int(found[1]))
    return {
        folder: _Entry(tuple(sorted(versions.get(folder, ()))), folder in destroyed)
        for folder in versions.keys() | destroyed
    }


def _now_us() -> int:
    return time.time_ns() // 1_000


@lru_cache(maxsize=4_096)
def _folder(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()


def _file(version: int) -> str:
    return f"v{version:08d}.json"


def _name(tenant: str, version: int) -> str:
    return f"{_folder(tenant)}/{_file(version)}"
