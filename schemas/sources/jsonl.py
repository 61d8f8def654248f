"""JSON Lines: one object a line. Blank lines are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.mapping.decode_json import decode_json
from schemas.sources.text_lines import rows_by_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.sources.rows import BadRow, Row
    from schemas.sources.stream import ByteStream


def jsonl_rows(stream: ByteStream) -> Iterator[Row | BadRow]:
    """Rows of a JSON Lines source, values typed as JSON types them."""
    return rows_by_line(stream, _parse)


def _parse(raw: bytes) -> dict[str, Any] | None:
    return decode_json(raw) if raw.strip() else None
