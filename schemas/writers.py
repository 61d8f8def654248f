"""Reading what was written with another version of one of our schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import fastavro
from fastavro import schemaless_reader

from schemas.compat import unreadable
from schemas.reading import DECODE_ERRORS, Form, explain, strict_form, trailing
from schemas.registry import ParsedSchema, Schema, canonical_form

if TYPE_CHECKING:
    from schemas.reading import Record


@dataclass(frozen=True)
class Writer:
    """How to read what was written with one schema.

    Attributes:
        name: of the writer's record.
        parsed: its schema.
        form: the same, safe to read with.
        reader: our schema; None where the writer's reads the same bytes the same way.
    """

    name: str
    parsed: ParsedSchema
    form: Form
    reader: ParsedSchema | None

    def read(self, data: bytes, start: int) -> Record:
        """Return the record that stands in a value from a byte to the end, resolved to our schema.

        Raises:
            BadMessage: ``EMPTY_VALUE``, ``BAD_AVRO`` or ``TRAILING_BYTES``; the detail names the
                field and the byte where reading failed.
        """
        stream = BytesIO(data)
        stream.seek(start)
        try:
            record = schemaless_reader(stream, self.form)
            if self.reader is not None and stream.tell() == len(data):
                # A second pass, as fastavro does not check the lengths of what it skips.
                stream.seek(start)
                record = schemaless_reader(stream, self.parsed, self.reader)
        except DECODE_ERRORS as error:
            raise explain(self.name, self.form, data, start, error) from error
        if stream.tell() != len(data):
            raise trailing(self.name, stream.tell(), len(data))
        return cast("Record", record)


def writer_of(text: str, ours: Schema) -> Writer:
    """Prepare reading with a writer's schema.

    Args:
        text: the writer's schema as JSON.
        ours: what the records become.

    Raises:
        ValueError: our schema cannot read it, or it is not safe to read with.
        SchemaParseException, ConfigError: it is no schema.
    """
    plain = _without_logical_types(json.loads(text))
    parsed = cast("ParsedSchema", fastavro.parse_schema(plain))
    form = strict_form(parsed)
    if problems := unreadable(ours.text, json.dumps(plain)):
        raise ValueError(f"{ours.fullname} cannot read it: {'; '.join(problems)}")
    same = canonical_form(plain) == ours.canonical_form
    return Writer(parsed["name"], parsed, form, None if same else ours.parsed)


def _without_logical_types(schema: Any) -> Any:
    """Return a schema in which every value stands as it is encoded, not as a date or decimal."""
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {k: _without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    return schema
