"""Avro messages to plain values.

Bytes from outside are read with the strict form of their schema (``schemas.reading``), to which
the logical types are given back: timestamps, dates, decimals and UUIDs arrive as what they mean.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.errors import ConfigError
from schemas.reading import DECODE_ERRORS, UnsafeSchemaError, explain, strict_form, trailing

if TYPE_CHECKING:
    from pathlib import Path

_LOGICAL = ("logicalType", "precision", "scale")
_OUT_OF_RANGE = ValueError("a date, timestamp, decimal or uuid is out of its range")
PARSE_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    SchemaParseException,
    UnknownType,
    UnsafeSchemaError,
    RecursionError,
)
"""What reading a schema raises when it is none, or none that is safe to read with."""


class AvroDecoder:
    """Decodes records of one schema.

    Args:
        text: the schema, as JSON.

    Raises:
        ValueError: or another of ``PARSE_ERRORS``.
    """

    def __init__(self, text: str) -> None:
        parsed: Any = fastavro.parse_schema(json.loads(text))
        self._strict = strict_form(parsed)
        self._form = _with_logical_types(strict_form(parsed), parsed)
        self._name = str(parsed["name"])

    def __call__(self, value: bytes, start: int = 0) -> dict[str, Any]:
        """Read one record that takes up all of ``value`` from byte ``start`` on.

        Raises:
            BadMessage: EMPTY_VALUE, BAD_AVRO or TRAILING_BYTES; the bytes are not of this schema.
        """
        stream = BytesIO(value)
        stream.seek(start)
        record = self.read(stream)
        if stream.tell() != len(value):
            raise trailing(self._name, stream.tell(), len(value))
        return record

    def read(self, stream: BytesIO) -> dict[str, Any]:
        """Read the next record of several.

        Raises:
            BadMessage: as when called; the stream then stands somewhere inside the record.
        """
        start = stream.tell()
        try:
            record: Any = fastavro.schemaless_reader(stream, self._form, None)
        except (*DECODE_ERRORS, ArithmeticError):  # not chained: some of them quote the message
            value = stream.getvalue()
            raise explain(self._name, self._strict, value, start, _OUT_OF_RANGE) from None
        fields: dict[str, Any] = record  # a record's schema, so a dictionary
        return fields


def load_decoder(path: Path) -> AvroDecoder:
    """The decoder for an .avsc file.

    Raises:
        ConfigError: the file is no Avro schema, or one that a mapping cannot use.
    """
    try:
        return AvroDecoder(path.read_text(encoding="utf-8"))
    except (OSError, *PARSE_ERRORS) as error:
        raise ConfigError(
            f"{path} is no Avro schema that a mapping can use ({error}); "
            "give the .avsc of the record that the messages were written with"
        ) from error


def _with_logical_types(form: Any, schema: Any) -> Any:
    """Give a strict form the logical types of the schema it was made from; changes ``form``.

    A named type is changed where the schema defines it; the form shares it with every other place.
    """
    if isinstance(schema, list):
        for index, branch in enumerate(schema):
            form[index] = _with_logical_types(form[index], branch)
    elif isinstance(schema, dict):
        for index, field in enumerate(schema.get("fields", ())):
            one = form["fields"][index]
            one["type"] = _with_logical_types(one["type"], field["type"])
        for inner in ("items", "values"):
            if inner in schema:
                form[inner] = _with_logical_types(form[inner], schema[inner])
        if "logicalType" in schema:
            form = form if isinstance(form, dict) else {"type": form}
            form.update({name: schema[name] for name in _LOGICAL if name in schema})
    return form
