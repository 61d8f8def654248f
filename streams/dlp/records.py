"""Labelled texts as lines of JSON: ``{"id": …, "text": …, "spans": [{"start", "end", "label"}]}``.

Offsets count Unicode code points, half open. Labels are the tags of docs/dlp-labels.md; the names
that others use for the same are understood.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operators.dlp.tags import TYPES, TypedSpan
from schemas.sources.errors import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from operators.dlp.verdict import Placed

ALIASES: Final = {
    **{kind: kind for kind in TYPES},
    "SSN_LIKE": "SSN",
    "SECRET_KEY": "SECRET",
    "DB_URI": "DBURI",
    "NDA_TERM": "NDA",
    "MATTER_ID": "MATTER",
    "ADDRESS": "ADDR",
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "PAN",
    "CREDIT_CARD_NUMBER": "PAN",
    "IBAN": "PAN",
    "IBAN_CODE": "PAN",
    "US_SSN": "SSN",
    "PASSWORD": "SECRET",
    "API_KEY": "SECRET",
    "PERSON": "NAME",
    "PERSON_NAME": "NAME",
    "STREET_ADDRESS": "ADDR",
}


class Record(NamedTuple):
    """One labelled text.

    Attributes:
        id: of the line.
        text: as it was sent.
        spans: values in it, of labels that are tags.
        others: labels that are no tags.
    """

    id: str
    text: str
    spans: tuple[TypedSpan, ...]
    others: tuple[str, ...]


def read(path: Path) -> Iterator[Record]:
    """Labelled texts of a file.

    Raises:
        UnreadableSource: a line is no such object; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield _record(json.loads(line), number)
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        raise UnreadableSource(
                            f"{path}, line {number}: {_reason(error)}. A line is "
                            '{"id", "text", "spans": [{"start", "end", "label"}]}'
                        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSource(f"{path}: {error}") from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _record(value: Any, number: int) -> Record:
    text = value["text"]
    if not isinstance(text, str):
        raise TypeError("text is no string")
    spans, others = [], []
    for span in value.get("spans", ()):
        start, end, label = int(span["start"]), int(span["end"]), str(span["label"]).upper()
        if not 0 <= start < end <= len(text):
            raise ValueError(f"span {start} to {end} is not in a text of {len(text)}")
        kind = ALIASES.get(label)
        if kind is None:
            others.append(label)
        else:
            spans.append(TypedSpan(start, end, kind))
    return Record(str(value.get("id", number)), text, tuple(spans), tuple(others))


def write(out: TextIO, identity: str, text: str, spans: Iterable[Placed]) -> None:
    """Write the predictions for a text in the same form; `text` stands there as it was read."""
    found = [
        {
            "start": span.start, "end": span.end, "label": span.type,
            "confidence": round(span.confidence, 4), "origin": str(span.origin),
        }
        for span in spans
        if span.field == "body"
    ]  # fmt: skip
    json.dump({"id": identity, "text": text, "spans": found}, out, ensure_ascii=False)
    out.write("\n")
