"""Secrets from files: one a version, readable by their owner only."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import stat
from typing import TYPE_CHECKING, Final, Self

from schemas.errors import SecretError
from state.secrets.secret import GENERATOR, SECRET_BYTES, SECRET_NAMES, Secret, parse_secret

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_MAX_FILE_BYTES: Final = 4096  # far more than a secret; a wrong path may name anything


class FileSecrets:
    """Secrets from a folder: version 2 of ``prf-seed`` is the file ``prf-seed.v2``.

    A file holds 64 hexadecimal digits or the base64 of 32 bytes, and must belong to the user of the
    process and be closed to all others. The highest version present is the current one.

    Args:
        directory: the folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def initialise(cls, directory: Path, names: Iterable[str] = SECRET_NAMES) -> Self:
        """Make the folder, and version 1 of every secret that has none from ``os.urandom``.

        Files that exist stay as they are. Several processes may do it at once: all end with the
        same secrets.

        Args:
            directory: the folder.
            names: of the secrets.

        Raises:
            SecretError: the folder cannot be made or written.
        """
        try:
            directory.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            present = cls(directory)
            for name in names:
                if not present._versions(name):
                    text = os.urandom(SECRET_BYTES).hex() + "\n"
                    create_whole(directory / f"{name}.v1", text.encode())
        except OSError as error:
            raise SecretError(
                f"secrets cannot be made in {directory}: {error.strerror}; let the user that runs "
                "the worker write there, or set WEIR_SECRET_… variables instead"
            ) from error
        return present

    def get(self, name: str, version: int | None = None) -> Secret:
        """A secret by name; see `SecretProvider.get`.

        Raises:
            SecretError: no file has it, its content is malformed, or others than its owner could
                read or replace it.
        """
        try:
            check_folder(self._directory)
            if version is None:
                version = max(self._versions(name), default=1)
            path = self._directory / f"{name}.v{version}"
            value = parse_secret(_read(path))
        except FileNotFoundError as error:
            raise self._missing(name, version or 1) from error
        except OSError as error:
            raise SecretError(
                f"secret {name} in {self._directory} cannot be read: {error.strerror}; run the "
                "worker as the user that owns it"
            ) from error
        if value is None:
            raise SecretError(
                f"{path} is malformed: it must hold 64 hexadecimal digits or the base64 of 32 "
                f"bytes, as `{GENERATOR}` prints them"
            )
        return Secret(name, version, value)

    def _missing(self, name: str, version: int) -> SecretError:
        folder = shlex.quote(str(self._directory))
        path = shlex.quote(str(self._directory / f"{name}.v{version}"))
        return SecretError(
            f"secret {name} version {version} is missing in {self._directory}: restore the file "
            "from your backup; only for a new deployment make it with "
            f"`(umask 077; mkdir -p {folder}; {GENERATOR} > {path})`"
        )

    def _versions(self, name: str) -> list[int]:
        pattern = re.compile(re.escape(name) + r"\.v([1-9][0-9]*)")
        names = (path.name for path in self._directory.iterdir())
        return [int(m[1]) for m in map(pattern.fullmatch, names) if m]


def check_folder(folder: Path) -> None:
    """Refuse a folder in which others than its owner may put or replace files.

    Raises:
        SecretError: they may.
        OSError: it is not there, or may not be looked at.
    """
    if folder.stat().st_mode & _OTHERS_WRITE:
        raise SecretError(
            f"others than the owner may write in {folder} and so replace secrets: chmod 700 "
            f"{folder}"
        )


def _read(path: Path) -> str:
    # The open file is checked, not the path: what is read is what was checked.
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid():
            raise SecretError(
                f"{path} belongs to user {status.st_uid}, the process runs as {os.geteuid()}: "
                f"chown {os.geteuid()} {path}, or run as the owner"
            )
        if status.st_mode & _OTHERS:
            raise SecretError(
                f"{path} is open to others than its owner: chmod 600 {path}; if others may have "
                "read it, rotate it (docs/secrets.md)"
            )
        return file.read(_MAX_FILE_BYTES).decode("latin-1")


def create_whole(path: Path, data: bytes) -> bool:
    """Make a file whole or not at all, closed to others, and never over one that exists.

    Returns:
        Whether it was made; False: there is one of that name, and it stays.

    Raises:
        OSError: it cannot be written.
    """
    draft = _draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:  # another process was first: its file counts
        return False
    finally:
        draft.unlink()
    sync_folder(path.parent)
    return True


def replace_whole(path: Path, data: bytes) -> None:
    """Put a file in the place of another, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    _draft(path, data).replace(path)
    sync_folder(path.parent)


def _draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _FILE_MODE)  # whatever the umask took away
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft


def sync_folder(folder: Path) -> None:
    """Bring to disk which files a folder has.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
