"""Where wrapped keys lie: a folder, or an S3-compatible bucket. What is deleted there is gone.

That is the one thing asked of a key store that no other store needs: a bucket that keeps versions,
or a folder that is backed up, would keep destroyed keys.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from schemas.errors import SecretError, StateError
from state.objects import ObjectStore
from state.secrets.files import check_folder, create_whole, replace_whole, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_FOLDER_MODE = 0o700


class KeyPlace(Protocol):
    """Small objects by name; names have at most one slash. All methods raise SecretError."""

    where: str

    def names(self) -> frozenset[str]:
        """All names."""

    def get(self, name: str) -> bytes:
        """An object."""

    def create(self, name: str, data: bytes) -> bool:
        """Write an object whole; False: there is one of that name, which stays."""

    def replace(self, name: str, data: bytes) -> None:
        """Write an object whole, in the place of one of that name."""

    def delete(self, name: str) -> None:
        """Delete an object for good; one that is not there is fine."""


def open_place(url: str) -> KeyPlace:
    """Open a place by its URL: a folder, or ``s3://bucket/prefix``.

    Raises:
        ConfigError: there is no such kind of store.
        SecretError: it keeps what is deleted.
    """
    if "://" in url and not url.startswith("file://"):
        return KeyBucket(ObjectStore(url))
    return KeyFolder(Path(url.removeprefix("file://")))


class KeyFolder:
    """A folder that belongs to the user of the process and is closed to all others.

    Args:
        folder: which; made when the first key is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def names(self) -> frozenset[str]:
        """All names. O(tenants) calls of the system."""
        return self._try("listed", "", self._names)

    def _names(self) -> frozenset[str]:
        if not self._folder.is_dir():
            return frozenset()
        check_folder(self._folder)
        found = set()
        for entry in os.scandir(self._folder):
            if entry.is_dir():
                found |= {f"{entry.name}/{file.name}" for file in os.scandir(entry.path)}
            else:
                found.add(entry.name)
        return frozenset(name for name in found if not name.rpartition("/")[2].startswith("."))

    def get(self, name: str) -> bytes:
        """An object."""
        return self._try("read", name, (self._folder / name).read_bytes)

    def create(self, name: str, data: bytes) -> bool:
        """Write an object whole; False: there is one of that name, which stays."""
        return self._try("written", name, lambda: create_whole(self._made(name), data))

    def replace(self, name: str, data: bytes) -> None:
        """Write an object whole, in the place of one of that name."""
        self._try("written", name, lambda: replace_whole(self._made(name), data))

    def delete(self, name: str) -> None:
        """Overwrite a file and delete it.

        A disk may keep the old bytes elsewhere (flash, copy-on-write, snapshots of the disk): see
        ``KeyStore.rewrap``, after which they open with nothing.
        """
        self._try("deleted", name, lambda: self._delete(self._folder / name))

    def _made(self, name: str) -> Path:
        path = self._folder / name
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        if path.parent != self._folder:
            path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            # A key that a power failure takes leaves state that nobody can read.
            sync_folder(self._folder)
        return path

    @staticmethod
    def _delete(path: Path) -> None:
        try:
            with path.open("r+b") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return

    def _try(self, what: str, name: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as error:
            raise SecretError(
                f"{self._folder / name} cannot be {what}: {error.strerror}; the key store must be "
                "mounted, and belong to the user that runs the worker"
            ) from error


class KeyBucket:
    """A bucket of its own, or a prefix in one, without versions of objects.

    Args:
        store: where.

    Raises:
        SecretError: the bucket keeps versions, or does not say.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.where = store.url
        if self._try(store.keeps_versions):
            raise SecretError(
                f"{store.url} keeps versions of what is deleted, so that a destroyed key could be "
                "brought back: use a bucket without versioning and Object Lock for the keys"
            )

    def names(self) -> frozenset[str]:
        """All names."""
        return frozenset(self._try(self._store.names))

    def get(self, name: str) -> bytes:
        """An object."""
        return self._try(lambda: self._store.get(name))

    def create(self, name: str, data: bytes) -> bool:
        """Write an object; False: there is one of that name, which stays."""
        try:
            self._try(lambda: self._store.put(name, data))
        except SecretError:
            if name in self.names():
                return False
            raise
        return True

    def replace(self, name: str, data: bytes) -> None:
        """Write an object, in the place of one of that name."""
        self._try(lambda: self._store.replace(name, data))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._try(lambda: self._store.delete(name))

    @staticmethod
    def _try(call: Callable[[], T]) -> T:
        try:
            return call()
        except StateError as error:
            raise SecretError(f"the key store does not answer: {error}") from error
