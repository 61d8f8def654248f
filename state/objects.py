"""Objects by name in a folder or an S3-compatible store, through fsspec.

A folder is a URL without scheme or with ``file://``; ``s3://bucket/prefix`` takes its credentials,
region and endpoint from the environment, as every AWS tool does (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL`` and so on). Objects are written whole and, but for the few that ``replace`` is
meant for, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import fsspec

from schemas.errors import ConfigError, StateError

if TYPE_CHECKING:
    from datetime import datetime

S3_PROTOCOLS: Final = frozenset({"s3", "s3a"})


@dataclass(frozen=True)
class Retention:
    """How long nobody may change or delete an object: S3 Object Lock.

    Attributes:
        until: with time zone.
        mode: GOVERNANCE, which users with a special right may lift, or COMPLIANCE, which nobody
            may.
    """

    until: datetime
    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "COMPLIANCE"

    def headers(self) -> dict[str, Any]:
        """Give the arguments of PutObject that ask for it."""
        return {"ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": self.until}


class ObjectStore:
    """A folder of objects.

    Args:
        url: of the folder; it need not exist.

    Raises:
        ConfigError: there is no such kind of store.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url, skip_instance_cache=True)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"{url} names no store that can be used: {error}") from error
        self._root = self._root.rstrip("/")
        protocol = self._fs.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self.locks = bool(protocols & S3_PROTOCOLS)

    def put(self, name: str, data: bytes, retention: Retention | None = None) -> None:
        """Write a new object.

        Args:
            name: relative to the folder, parts divided by slashes.
            data: the whole of it.
            retention: until when it is locked; S3 only.

        Raises:
            StateError: there is one of that name, or it cannot be written.
            ConfigError: the store cannot lock objects.
        """
        if retention is not None and not self.locks:
            raise ConfigError(f"{self.url} cannot lock objects: S3 Object Lock needs an s3:// URL")
        path = self._path(name)
        extra = retention.headers() if retention is not None else {}
        try:
            if not self.locks:
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data, mode="create", **extra)
        except FileExistsError as error:
            raise StateError(f"{self.url}/{name} is there already and is not changed") from error
        except Exception as error:
            raise self._error("written", name, error) from error

    def replace(self, name: str, data: bytes) -> None:
        """Write an object in the place of another; on S3 whole or not at all.

        Raises:
            StateError: it cannot be written.
        """
        try:
            self._fs.pipe_file(self._path(name), data)
        except Exception as error:
            raise self._error("written", name, error) from error

    def keeps_versions(self) -> bool:
        """Tell whether the bucket keeps, or has kept, versions of objects; a folder does not.

        Raises:
            StateError: it does not say.
        """
        if not self.locks:
            return False
        bucket = self._root.partition("/")[0]
        try:
            answer: dict[str, Any] = self._fs.call_s3("get_bucket_versioning", Bucket=bucket)
        except Exception as error:
            raise self._error("asked for versioning", "", error) from error
        return "Status" in answer

    def get(self, name: str) -> bytes:
        """Read a whole object.

        Raises:
            StateError: it is not there or cannot be read.
        """
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except Exception as error:
            raise self._error("read", name, error) from error
        return data

    def open(self, name: str) -> BinaryIO:
        """Open an object to be read.

        Raises:
            OSError: it is not there or cannot be read.
        """
        try:
            file: BinaryIO = self._fs.open(self._path(name), "rb")
        except OSError:
            raise
        except Exception as error:  # what a store's own library raises
            raise OSError(None, str(error), name) from error
        return file

    def names(self, prefix: str = "") -> list[str]:
        """Give the names of all objects in a folder and below it, in order.

        Raises:
            StateError: the store does not answer.
        """
        at = f"{self._root}/{prefix}".rstrip("/")
        try:
            self._fs.invalidate_cache()
            found = self._fs.find(at) if self._fs.exists(at) else []
        except Exception as error:
            raise self._error("listed", prefix, error) from error
        return sorted(path.removeprefix(f"{self._root}/") for path in found)

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is fine.

        Raises:
            StateError: it cannot be deleted, because it is locked for one.
        """
        try:
            self._fs.rm_file(self._path(name))
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._error("deleted", name, error) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _error(self, what: str, name: str, error: Exception) -> StateError:
        said = str(error) or type(error).__name__
        return StateError(
            f"{self.url}/{name} cannot be {what}: {said}; check the address, the credentials and "
            "the rights"
        )


class ObjectFile:
    """One object, to be opened as a file is.

    Args:
        store: where it lies.
        name: its name there.
    """

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store = store
        self._name = name

    def open(self, _mode: Literal["rb"], /) -> BinaryIO:
        """Open it to be read; raises OSError."""
        return self._store.open(self._name)

    def __str__(self) -> str:
        return f"{self._store.url}/{self._name}" if self._name else self._store.url
