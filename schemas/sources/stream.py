"""Bytes of a file or of standard input, counted as they are read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from schemas.sources.errors import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are refused, so that memory stays bounded. Kafka takes 1 MB a message by default."""

STANDARD_INPUT = Path("-")
_UTF8_MARK = b"\xef\xbb\xbf"
_NO_TEXT = {
    b"\xff\xfe": "UTF-16 text; convert it with `iconv -f UTF-16 -t UTF-8`",
    b"\xfe\xff": "UTF-16 text; convert it with `iconv -f UTF-16 -t UTF-8`",
    b"\x1f\x8b": "compressed by gzip; unpack it, `zcat FILE |` into standard input will do",
    b"Obj\x01": "an Avro file; read it with the format avro",
    b"PAR1": "a Parquet file, which is not read here; convert it to CSV or Avro",
}


class Line(NamedTuple):
    """One line; ``raw`` is without its end, and None where the line is too long to keep."""

    number: int
    raw: bytes | None
    end: bytes


class ByteStream:
    """A binary stream that knows its name, how far it is, and (for a file) how far it goes.

    Args:
        stream: what to read.
        name: what errors call it.

    Attributes:
        name: as given.
        bytes_read: how many bytes have been handed out.
        total_bytes: how many there are; None for a pipe or a terminal.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self.name = name
        self.bytes_read = 0
        self.total_bytes = _size(stream)

    @classmethod
    def open(cls, path: Path) -> ByteStream:
        """Open a file, or standard input for ``-``.

        Raises:
            UnreadableSource: there is no such file, or it may not be read.
        """
        if path == STANDARD_INPUT:
            return cls(sys.stdin.buffer, "standard input")
        try:
            return cls(path.open("rb"), str(path))
        except OSError as error:
            raise UnreadableSource(
                f"{path} cannot be opened ({error.strerror}); give a file that is there and that "
                "you may read, or - for standard input"
            ) from error

    def close(self) -> None:
        """Close the file; standard input stays open for its owner."""
        if self._stream is not sys.stdin.buffer:
            self._stream.close()

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end.

        Raises:
            UnreadableSource: the system reports an error.
        """
        try:
            data = self._stream.read(size)
        except OSError as error:
            raise self._failed(error) from error
        self.bytes_read += len(data)
        return data

    def tell(self) -> int:
        """Where the next byte stands, counted from the start of reading."""
        return self.bytes_read

    def lines(self) -> Iterator[Line]:
        """Lines of text without their ends; a byte order mark in front of the first is dropped.

        Raises:
            UnreadableSource: it begins as no text does, or the system reports an error.
        """
        number = 0
        while True:
            raw = self._line(MAX_LINE_BYTES)
            if not raw:
                return
            number += 1
            if number == 1:
                raw = raw.removeprefix(_UTF8_MARK)
                for mark, what in _NO_TEXT.items():
                    if raw.startswith(mark):
                        raise UnreadableSource(f"{self.name} is {what}")
            end = b"\r\n" if raw.endswith(b"\r\n") else b"\n" if raw.endswith(b"\n") else b""
            if end or len(raw) < MAX_LINE_BYTES:
                yield Line(number, raw.removesuffix(end), end)
                continue
            while (rest := self._line(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, None, b"")

    def _line(self, limit: int) -> bytes:
        try:
            raw = self._stream.readline(limit)
        except OSError as error:
            raise self._failed(error) from error
        self.bytes_read += len(raw)
        return raw

    def _failed(self, error: OSError) -> UnreadableSource:
        return UnreadableSource(
            f"{self.name} cannot be read past byte {self.bytes_read} ({error.strerror}); "
            "check the disk or the program that writes it, and start again"
        )


def _size(stream: BinaryIO) -> int | None:
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # a stream in memory has no file behind it
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
