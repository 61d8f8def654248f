"""CSV: a header, then one record a line (or more, where a quoted cell holds line ends).

RFC 4180 with any delimiter. An empty cell is no value; blank lines are skipped. Names in the header
are stripped of blanks around them; a column without a name is called ``column_`` and its number.
"""

from __future__ import annotations

import csv
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from schemas.reasons import Reason
from schemas.sources.errors import UnreadableSource
from schemas.sources.rows import BadRow, Row, bad_row
from schemas.sources.stream import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.sources.stream import ByteStream, Line

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50


def csv_rows(stream: ByteStream, delimiter: str | None = None) -> Iterator[Row | BadRow]:
    """Rows of a CSV source; every value is a string.

    Args:
        stream: the source.
        delimiter: one character; found out from the first lines if None.

    Raises:
        UnreadableSource: there is no header, or two of its columns have the same name.
    """
    lines = stream.lines()
    first = list(islice(lines, _SAMPLE_LINES))
    records = _records(chain(first, lines), delimiter or sniff_delimiter(first))
    header = next(records, None)
    if not isinstance(header, _Record):
        what = "it is empty" if header is None else header.detail
        raise UnreadableSource(
            f"{stream.name} has no CSV header ({what}); its first line has to name the columns"
        )
    names = _names(header.cells, stream.name)
    for number, record in enumerate(records):
        if isinstance(record, _Broken):
            yield bad_row(record.line, number, record.reason, record.detail, record.raw)
        elif len(record.cells) != len(names):
            detail = f"the row has {len(record.cells)} cells, the header {len(names)}"
            yield bad_row(record.line, number, Reason.BAD_MAPPING, detail, record.raw)
        else:
            fields = dict(zip(names, [cell or None for cell in record.cells], strict=True))
            yield Row(record.line, number, fields, record.raw)


def sniff_delimiter(lines: Iterable[Line]) -> str:
    """The delimiter that splits the first lines most evenly: comma, semicolon, tab or bar.

    The one under which most records have as many cells as the header, at least two; of several, the
    one that gives the most cells. A comma where none splits the header.
    """
    text = [line.raw.decode(errors="replace") + "\n" for line in lines if line.raw is not None]
    best, best_score = _DELIMITERS[0], (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(cells) for cells in csv.reader(text, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


class _Record(NamedTuple):
    line: int
    cells: list[str]
    raw: bytes | None


class _Broken(NamedTuple):
    line: int
    reason: Reason
    detail: str
    raw: bytes | None


class _LineTooLongError(Exception):
    """Stops the CSV reader at a line that was not kept."""


class _Feed:
    """Lines for ``csv.reader``, remembering those of the record that it is reading."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self.taken: list[Line] = []
        self.is_utf8 = True

    def begin(self) -> None:
        """Forget the lines of the record before."""
        self.taken.clear()
        self.is_utf8 = True

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        if line.raw is None:
            raise _LineTooLongError
        try:
            return (line.raw + line.end).decode()
        except UnicodeDecodeError:
            self.is_utf8 = (
                False  # told once the record is complete, so that its lines stay together
            )
            return (line.raw + line.end).decode(errors="replace")

    def raw(self) -> bytes | None:
        """The record's bytes without the last line's end."""
        parts = [line.raw + line.end for line in self.taken if line.raw is not None]
        if len(parts) < len(self.taken):
            return None
        return b"".join(parts).removesuffix(self.taken[-1].end)


def _records(lines: Iterable[Line], delimiter: str) -> Iterator[_Record | _Broken]:
    """Records one by one. After a broken one, reading goes on with the next line."""
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        reason = Reason.BAD_MAPPING
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            detail = f"the row is no CSV: {error}"
        except _LineTooLongError:
            reason, detail = Reason.OVERSIZED, f"the line is longer than {MAX_LINE_BYTES} bytes"
        else:
            if feed.is_utf8:
                if cells:
                    yield _Record(feed.taken[0].number, cells, feed.raw())
                continue
            detail = "the row is not UTF-8"
        yield _Broken(feed.taken[0].number, reason, detail, feed.raw())


def _names(header: list[str], source: str) -> list[str]:
    names = [cell.strip() or f"column_{index}" for index, cell in enumerate(header, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise UnreadableSource(
                f"{source} has two columns called {name!r}; rename one of them in its first line"
            )
    return names
