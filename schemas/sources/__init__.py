"""Files and standard input as rows, and rows as events."""

from schemas.sources.columns import ColumnOptions
from schemas.sources.errors import UnreadableSource
from schemas.sources.events import DEFAULT_START_US, MappedRow, map_rows, row_samples
from schemas.sources.formats import Format, Rows, guess_format, read_rows
from schemas.sources.rows import BadRow, Row

__all__ = [
    "DEFAULT_START_US",
    "BadRow",
    "ColumnOptions",
    "Format",
    "MappedRow",
    "Row",
    "Rows",
    "UnreadableSource",
    "guess_format",
    "map_rows",
    "read_rows",
    "row_samples",
]
