"""Reads the files of the stream logs, one line at a time; what is damaged is counted and left out.

Memory does not grow with the files: of each only one line is held, and of a line that is too long
only its beginning.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from streams.hierarchy.logs.files import LogName, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

LONGEST: Final = 4_000_000
"""Bytes of a line; attention over a segment takes some 5,000."""

_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # 2000 and 2100
_MOST: Final = 1e15
_PLACES: Final = 5


class Damaged(Exception):  # noqa: N818 - it names what it is about
    """A line is not what it should be.

    Args:
        kind: what is wrong, in two words.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Fields:
    """One record, whose fields are asked for by their type.

    Args:
        values: of the record, or of an object in it.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def number(self, name: str, default: float | None = None) -> float:
        """A number.

        Raises:
            Damaged: it is none, or too large to mean anything; or not there, without a default.
        """
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Damaged("fields missing or of the wrong type")
        if not -_MOST <= value <= _MOST:
            raise Damaged("impossible number")
        return float(value)

    def count(self, name: str, default: float | None = None) -> int:
        """A number of things.

        Raises:
            Damaged: the same, or it is negative.
        """
        value = self.number(name, default)
        if value < 0:
            raise Damaged("impossible number")
        return int(value)

    def text(self, name: str, default: str | None = None) -> str:
        """A text.

        Raises:
            Damaged: the same.
        """
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise Damaged("fields missing or of the wrong type")
        return value

    def inner(self, name: str) -> Fields:
        """An object in it.

        Raises:
            Damaged: the same.
        """
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise Damaged("fields missing or of the wrong type")
        return Fields(value)

    def items(self, name: str) -> list[Fields]:
        """A list of objects in it.

        Raises:
            Damaged: the same.
        """
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Damaged("fields missing or of the wrong type")
        return [Fields(item) for item in value]

    @property
    def stream(self) -> tuple[str, str]:
        """Session and stream of a record; the stream is empty where it is of the worker."""
        session, _, stream = self.text("session_id").partition("/")
        return session, stream


class Damage:
    """What could not be used.

    Attributes:
        counts: by log and what is wrong.
        places: file and line of the first few of each log.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.places: dict[str, list[str]] = {}

    def note(self, log: str, kind: str, place: str) -> None:
        """Count one."""
        self.counts[log, kind] += 1
        seen = self.places.setdefault(log, [])
        if len(seen) < _PLACES:
            seen.append(place)


def find(folders: Iterable[Path]) -> list[tuple[LogName, Path]]:
    """The log files in folders, each log's in the order in which they were written."""
    found = [(name_of(path), path) for folder in folders for path in folder.iterdir()]
    return sorted((name, path) for name, path in found if name is not None)


def read(path: Path, log: str, damage: Damage) -> Iterator[tuple[int, Fields]]:
    """The records of a file, with the numbers of their lines, from 1; empty lines are left out.

    Args:
        path: of the file; gzip by its name.
        log: that it is of.
        damage: told of lines that are none, and of a file that ends early.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if line.isspace():
                    continue
                try:
                    yield number, _record(line)
                except Damaged as error:
                    damage.note(log, error.kind, f"{path.name}:{number}")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        damage.note(log, "packed file ends early or is damaged", f"{path.name}:{number + 1}")
    except OSError as error:
        damage.note(log, f"file cannot be read: {error.strerror}", path.name)


def _lines(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """Lines; of those that are too long only the beginning."""
    while line := file.readline(LONGEST):
        part = line
        while not part.endswith(b"\n") and (part := file.readline(LONGEST)):
            pass
        yield line


def _record(line: bytes) -> Fields:
    if not line.endswith(b"\n"):
        raise Damaged("torn or too long" if len(line) >= LONGEST else "torn at the end of a file")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise Damaged("no JSON") from None
    if not isinstance(values, dict):
        raise Damaged("no JSON object")
    record = Fields(values)
    if not _EARLIEST <= record.number("timestamp") <= _LATEST:
        raise Damaged("impossible time")
    return record
