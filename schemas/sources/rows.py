"""Rows of a source: good ones with their fields, bad ones with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.errors import BadMessage

if TYPE_CHECKING:
    from schemas.reasons import Reason


@dataclass(frozen=True, slots=True)
class Row:
    """One row that could be read.

    Attributes:
        line: the line it begins on, counted from 1; of an Avro file, the record's number from 1.
        number: how many rows, good and bad, came before it.
        fields: its values by name; None where there is none.
        raw: its bytes as they stood in the source without the line's end, None for Avro.
    """

    line: int
    number: int
    fields: dict[str, Any]
    raw: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that could not be used. It takes a number as a good one does.

    Attributes:
        line: as of ``Row``.
        number: as of ``Row``.
        error: why; its detail quotes nothing of the row.
        raw: as of ``Row``; None too where the row was too long to keep.
    """

    line: int
    number: int
    error: BadMessage
    raw: bytes | None = field(repr=False)


def bad_row(line: int, number: int, reason: Reason, detail: str, raw: bytes | None) -> BadRow:
    """A bad row out of a reason and words."""
    return BadRow(line, number, BadMessage(reason, detail), raw)
