"""From rows to events."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import BadMessage
from schemas.mapping import Origin, Sample
from schemas.sources.rows import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.mapping import Mapper
    from schemas.mapping.steps import Event
    from schemas.sources.formats import Rows

DEFAULT_START_US = 1_577_836_800_000_000
"""2020-01-01T00:00:00Z, the time of the first row where rows bring none."""

STEP_US = 1_000
"""From one row to the next. No clock: the same file always gives the same bytes."""


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row and the event that it became."""

    row: Row
    event: Event


def map_rows(
    rows: Rows, mapper: Mapper, start_us: int = DEFAULT_START_US
) -> Iterator[MappedRow | BadRow]:
    """Map each row; one that cannot be mapped comes out as a ``BadRow``, as an unreadable one does.

    Args:
        rows: the rows.
        mapper: what makes events of them.
        start_us: time of the first row as a record, microseconds since 1970 UTC; each row, good or
            bad, is a millisecond later. It is the event time of mappings with
            ``time: {record: timestamp}``.

    Raises:
        UnreadableSource: nothing more can be read.
    """
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            event = mapper.map_record(row.fields, _origin(row, rows, start_us))
        except BadMessage as error:
            yield BadRow(row.line, row.number, error, row.raw)
        else:
            yield MappedRow(row, event)


def row_samples(rows: Rows, start_us: int = DEFAULT_START_US) -> Iterator[Sample]:
    """Rows as samples for ``schemas.mapping.check``.

    Raises:
        UnreadableSource: nothing more can be read.
    """
    for row in rows:
        value = row.error if isinstance(row, BadRow) else row.fields
        yield Sample(_origin(row, rows, start_us), value)


def _origin(row: Row | BadRow, rows: Rows, start_us: int) -> Origin:
    time_us = start_us + row.number * STEP_US
    raw = row.raw if isinstance(row, BadRow) or row.raw is not None else repr(row.fields).encode()
    checksum = f"{zlib.crc32(raw or b''):08x}"
    return Origin(str(row.line), time_us, untyped=rows.untyped, checksum=checksum)
