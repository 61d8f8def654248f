"""Files of the logs: one a log and session, rotated by size, the oldest deleted.

    name                                     what it is
    predictions_<session>.jsonl              being written, or the last of a session that has ended
    predictions_<session>.000001.jsonl       full, and closed: never written or renamed again
    predictions_<session>.000001.jsonl.gz    the same, where somebody has packed it

A session is named by the second in which it began and eight random digits, so that names sort in
the order of time.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.hierarchy.logs.records import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FILE: Final = re.compile(
    rf"(?P<log>{'|'.join(NAMES)})_(?P<session>\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}})"
    r"(\.(?P<number>\d{6}))?\.jsonl(\.gz)?"
)
_OWNER_ONLY: Final = 0o700
_FOLDER_MODES: Final = {0o600: _OWNER_ONLY, 0o640: 0o750, 0o644: 0o755}
_OPEN: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_LAST: Final = 10**6


class LogName(NamedTuple):
    """What a file's name says; sorts in the order in which the lines were written.

    Attributes:
        log: which of the six.
        session: that wrote it.
        number: of the file in its session; the one still open is the last.
    """

    log: str
    session: str
    number: int


def new_session() -> str:
    """Name of a session that begins now."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"


def name_of(path: Path) -> LogName | None:
    """What a file's name says; None for one that is no log."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        return None
    number = match["number"]
    return LogName(match["log"], match["session"], _LAST if number is None else int(number))


def make_folder(folder: Path, mode: int) -> None:
    """Make the folder of the logs, as open as its files are to be; one that is there stays so."""
    if not folder.is_dir():
        folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        folder.chmod(_FOLDER_MODES[mode])


class LogFile:
    """The file of one log that is being written, and its forerunners of the session.

    Args:
        folder: it is there.
        log: which of the six.
        session: that writes.
        most_bytes: a file that would grow beyond is closed, and the next one begun.
        mode: permissions of the files.
    """

    def __init__(self, folder: Path, log: str, session: str, most_bytes: int, mode: int) -> None:
        self.path = folder / f"{log}_{session}.jsonl"
        self._most = most_bytes
        self._mode = mode
        self._handle: int | None = None
        self._size = 0
        self._rotated = 0
        self._torn = False

    def append(self, lines: Iterable[bytes]) -> int:
        """Write whole lines; return how many files were closed as full.

        Raises:
            OSError: they could not all be written; what comes next begins on a line of its own.
        """
        before = self._rotated
        for part in self._parts(lines):
            self._write(part)
        return self._rotated - before

    def close(self) -> None:
        """Bring everything to the disk.

        Raises:
            OSError: that could not be done.
        """
        if self._handle is not None:
            handle, self._handle = self._handle, None
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _parts(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Lines put together, up to where a file is full; rotates there."""
        waiting: list[bytes] = []
        size = self._size
        for line in lines:
            if size and size + len(line) > self._most:
                yield b"".join(waiting)
                waiting = []
                self._rotate()
                size = 0
            waiting.append(line)
            size += len(line)
        yield b"".join(waiting)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._torn:
            data = b"\n" + data
        self._torn = True
        handle = self._opened()
        left = memoryview(data)
        while left:
            written = os.write(handle, left)
            self._size += written
            left = left[written:]
        self._torn = False

    def _opened(self) -> int:
        if self._handle is None:
            self._handle = os.open(self.path, _OPEN, self._mode)
            os.fchmod(self._handle, self._mode)
            fcntl.flock(self._handle, fcntl.LOCK_SH)  # so that nobody prunes it
            self._size = os.fstat(self._handle).st_size  # not 0 after an error alone
            sync_folder(self.path.parent)
        return self._handle

    def _rotate(self) -> None:
        self.close()
        number = self._rotated + 1
        self.path.rename(self.path.with_suffix(f".{number:06d}.jsonl"))
        self._rotated = number
        self._size = 0
        self._torn = False
        sync_folder(self.path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(folder: Path, most_bytes: int) -> list[Path]:
    """Delete the oldest logs until the rest is small enough; return what was deleted.

    Files that a worker is writing stay and do not count, and so does whatever is no log.
    """
    found = []
    for path in folder.iterdir():
        name = name_of(path)
        with suppress(FileNotFoundError):  # another worker may prune, too
            if name is not None and not (name.number == _LAST and _is_written(path)):
                stat = path.stat()
                found.append((stat.st_mtime_ns, path, stat.st_size))
    size = sum(each for _, _, each in found)
    deleted = []
    for _, path, each in sorted(found):
        if size <= most_bytes:
            break
        path.unlink(missing_ok=True)
        size -= each
        deleted.append(path)
    return deleted


def _is_written(path: Path) -> bool:
    """Whether a worker has the file open."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
