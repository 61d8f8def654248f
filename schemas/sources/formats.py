"""The formats of files that rows are read from."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from schemas.errors import ConfigError
from schemas.sources.avro_file import avro_rows
from schemas.sources.csv_file import csv_rows
from schemas.sources.jsonl import jsonl_rows
from schemas.sources.libsvm import libsvm_rows
from schemas.sources.stream import ByteStream
from schemas.sources.vowpal_wabbit import vowpal_wabbit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from schemas.sources.rows import BadRow, Row


class Format(StrEnum):
    """A format of files."""

    CSV = "csv"
    JSONL = "jsonl"
    LIBSVM = "libsvm"
    VOWPAL_WABBIT = "vw"
    AVRO = "avro"


_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".libsvm": Format.LIBSVM,
    ".svm": Format.LIBSVM,
    ".svmlight": Format.LIBSVM,
    ".vw": Format.VOWPAL_WABBIT,
    ".avro": Format.AVRO,
}


def guess_format(path: Path) -> Format:
    """The format that a file's name says.

    Raises:
        ConfigError: it says none that is known; standard input says none.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise ConfigError(
            f"the name {str(path)!r} does not tell the format; say which it is: {', '.join(Format)}"
        ) from None


class Rows:
    """The rows of one source, read once from front to end in bounded memory.

    Iterating gives ``Row`` and ``BadRow`` in the order of the source, and raises UnreadableSource
    where nothing more can be read. ``with`` closes the file.

    Args:
        stream: the source.
        file_format: its format.
        delimiter: of CSV; found out from the first lines if None.

    Attributes:
        format: as given.
        untyped: whether every value is a string.
    """

    def __init__(
        self, stream: ByteStream, file_format: Format, delimiter: str | None = None
    ) -> None:
        self._stream = stream
        self.format = file_format
        self.untyped = file_format is Format.CSV
        self._rows = _read(stream, file_format, delimiter)

    @property
    def bytes_read(self) -> int:
        """How many bytes of the source have been read so far."""
        return self._stream.bytes_read

    @property
    def total_bytes(self) -> int | None:
        """How many bytes the source has; None for a pipe or a terminal."""
        return self._stream.total_bytes

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


def read_rows(path: Path, file_format: Format | None = None, delimiter: str | None = None) -> Rows:
    """Open a file, or standard input for ``-``.

    Args:
        path: the file.
        file_format: its format; told by its name if None.
        delimiter: of CSV, one character; found out from the first lines if None.

    Raises:
        ConfigError: the format is neither given nor told by the name, or the delimiter is not one
            character.
        UnreadableSource: the file cannot be opened.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise ConfigError(f"the delimiter {delimiter!r} is not one character; give one, such as ;")
    chosen = file_format or guess_format(path)
    return Rows(ByteStream.open(path), chosen, delimiter)


def _read(stream: ByteStream, file_format: Format, delimiter: str | None) -> Iterator[Row | BadRow]:
    match file_format:
        case Format.CSV:
            return csv_rows(stream, delimiter)
        case Format.JSONL:
            return jsonl_rows(stream)
        case Format.LIBSVM:
            return libsvm_rows(stream)
        case Format.VOWPAL_WABBIT:
            return vowpal_wabbit_rows(stream)
        case Format.AVRO:
            return avro_rows(stream)
