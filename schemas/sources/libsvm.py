"""LIBSVM (SVMlight) text: ``label index:value index:value … # comment``.

``qid:n`` may stand among the values. A row may lack its label. The fields of a row are ``label``
(None without one), ``features`` (a number by index, the index written as a plain integer) and,
where it is given, ``qid``. Lines of nothing but a comment are no rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.sources.text_lines import malformed, rows_by_line, to_finite, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.sources.rows import BadRow, Row
    from schemas.sources.stream import ByteStream

_DIGITS = 19


def libsvm_rows(stream: ByteStream) -> Iterator[Row | BadRow]:
    """Rows of a LIBSVM source."""
    return rows_by_line(stream, _parse)


def _parse(raw: bytes) -> dict[str, Any] | None:
    words = to_text(raw).partition("#")[0].split()
    if not words:
        return None
    label = None if ":" in words[0] else to_finite(words[0], "a label")
    features: dict[str, float] = {}
    fields: dict[str, Any] = {"label": label, "features": features}
    for word in words if label is None else words[1:]:
        name, colon, value = word.partition(":")
        if not colon:
            raise malformed("has a word without a colon among its values")
        if name == "qid":
            fields["qid"] = _integer(value, "a qid")
            continue
        index = str(_integer(name, "an index"))
        if index in features:
            raise malformed("has an index twice")
        features[index] = to_finite(value, "a value")
    return fields


def _integer(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise malformed(f"has {what} that is no integer from 0 on, or one beyond 64 bits")
    return int(text)
