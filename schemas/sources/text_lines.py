"""What the formats of one row a line have in common."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from schemas.errors import BadMessage
from schemas.mapping.values import parse_number
from schemas.reasons import Reason
from schemas.sources.rows import BadRow, Row, bad_row
from schemas.sources.stream import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.sources.stream import ByteStream


def rows_by_line(
    stream: ByteStream, parse: Callable[[bytes], dict[str, Any] | None]
) -> Iterator[Row | BadRow]:
    """One row a line.

    Args:
        stream: the source.
        parse: from a line to its fields; None for a line that is no row (blank, a comment); raises
            BadMessage for a row that cannot be used.
    """
    number = 0
    for line in stream.lines():
        if line.raw is None:
            detail = f"the line is longer than {MAX_LINE_BYTES} bytes"
            yield bad_row(line.number, number, Reason.OVERSIZED, detail, None)
        else:
            try:
                fields = parse(line.raw)
            except BadMessage as error:
                yield BadRow(line.number, number, error, line.raw)
            else:
                if fields is None:
                    continue
                yield Row(line.number, number, fields, line.raw)
        number += 1


def to_text(raw: bytes) -> str:
    """A line as text.

    Raises:
        BadMessage: BAD_MAPPING; it is not UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:  # not chained: it holds the bytes
        raise malformed(f"is not UTF-8 at byte {error.start}") from None


def to_finite(text: str, what: str) -> float:
    """A number of a row.

    Raises:
        BadMessage: BAD_MAPPING; it does not read as a finite number.
    """
    number = parse_number(text)
    if number is None or not math.isfinite(number):
        raise malformed(f"has {what} that is no finite number")
    return number


def malformed(what: str) -> BadMessage:
    """The error for a row that breaks the rules of its format; ``what`` quotes nothing of it."""
    return BadMessage(Reason.BAD_MAPPING, f"the row {what}")
