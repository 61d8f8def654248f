"""Avro records to bytes and back, one codec a schema.

The bytes are Avro's single objects (``schemas.single_object``) or bare records; ``schemas.wire``
has the header of a schema registry instead. fastavro does the work (its compiled functions, called
directly). Whatever bytes arrive, the answer is a record or a ``BadMessage`` that says what is
wrong.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast

from fastavro import schemaless_reader, schemaless_writer

from schemas.errors import BadMessage
from schemas.reading import DECODE_ERRORS, Record, explain, strict_form, trailing
from schemas.reasons import Reason
from schemas.registry import ParsedSchema, Schema, SchemaName, load
from schemas.single_object import HEADER_BYTES, header_of, is_single_object, writer_by_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What fastavro raises when a record does not fit the schema.
_ENCODE_ERRORS: Final = (ValueError, LookupError, TypeError, OverflowError, AttributeError)


class Codec:
    """Encodes and decodes records of one shipped schema.

    Args:
        name: which schema, see ``schemas.registry``.
        single_object: write single objects; otherwise bare records. Both are read.

    Attributes:
        schema: the schema.
    """

    def __init__(self, name: SchemaName, *, single_object: bool = False) -> None:
        self.schema: Schema = load(name)
        self._header = header_of(self.schema) if single_object else b""
        self._form = strict_form(self.schema.parsed)
        self._fixed_bytes = _fixed_bytes(self._form)
        self._integers = tuple(
            field["name"]
            for field in self.schema.parsed["fields"]
            if field["type"] in ("int", "long")
        )

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return the record as bytes; fields with a default may be left out.

        Raises:
            BadMessage: ``BAD_FIELD``: a field is missing, unknown, or not of its type.
        """
        out = BytesIO()
        out.write(self.header())
        self._write(out, record)
        return out.getvalue()

    def header(self) -> bytes:
        """Return what stands before a record, for what is encoded elsewhere."""
        return self._header

    def decode(self, data: bytes | None) -> Record:
        """Return the record that the bytes hold, all of them.

        Raises:
            BadMessage: ``EMPTY_VALUE`` (``None``, a tombstone, too), ``UNKNOWN_SCHEMA``,
                ``BAD_AVRO`` or ``TRAILING_BYTES``; the detail names the field and the byte where
                reading failed.
        """
        data = data or b""
        if is_single_object(data, self._fixed_bytes):
            return writer_by_header(self.schema.name, data).read(data, HEADER_BYTES)
        stream = BytesIO(data)
        try:
            record = schemaless_reader(stream, self._form)
        except DECODE_ERRORS as error:
            raise explain(self.schema.fullname, self._form, data, 0, error) from error
        if stream.tell() != len(data):
            raise trailing(self.schema.fullname, stream.tell(), len(data))
        return cast("Record", record)

    def decode_many(self, values: Iterable[bytes | None]) -> list[Record | BadMessage]:
        """Decode each value; where that fails, its ``BadMessage`` stands in the record's place."""
        decode = self.decode
        results: list[Record | BadMessage] = []
        for value in values:
            try:
                results.append(decode(value))
            except BadMessage as error:
                results.append(error)
        return results

    def strip(self, data: bytes) -> tuple[memoryview, ParsedSchema]:
        """Return the record's own bytes, without header, and the schema that wrote them.

        Raises:
            BadMessage: ``UNKNOWN_SCHEMA``.
        """
        if is_single_object(data, self._fixed_bytes):
            writer = writer_by_header(self.schema.name, data)
            return memoryview(data)[HEADER_BYTES:], writer.parsed
        return memoryview(data), self.schema.parsed

    def _write(self, out: BytesIO, record: Mapping[str, Any]) -> None:
        for name in self._integers:  # fastavro would cut 1.5 to 1
            if not hasattr(record.get(name, 0), "__index__"):
                given = type(record[name]).__name__
                raise BadMessage(
                    Reason.BAD_FIELD,
                    f"{self.schema.fullname}: field {name}: {given} is no integer",
                )
        try:
            schemaless_writer(
                out,
                self.schema.parsed,
                record,
                strict_allow_default=True,
                disable_tuple_notation=True,
            )
        except _ENCODE_ERRORS:
            # fastavro's error quotes the value, which may be text that must not be logged.
            raise BadMessage(Reason.BAD_FIELD, _misfit(self.schema, record)) from None


def _fixed_bytes(form: Any) -> int | None:
    """Return the size of everything of a strict form; None where it differs."""
    if form == "double":
        return 8
    if not isinstance(form, dict):
        return None
    if form["type"] == "fixed":
        return int(form["size"])
    if form["type"] != "record":
        return None
    total = 0
    for field in form["fields"]:
        size = _fixed_bytes(field["type"])
        if size is None:
            return None
        total += size
    return total


def _misfit(schema: Schema, record: Mapping[str, Any]) -> str:
    """Say which field of a record does not fit, without quoting its value."""
    fields = {field["name"]: field for field in schema.parsed["fields"]}
    where = f"{schema.fullname}: field "
    for name in record:
        if name not in fields:
            return f"{where}{name} is not in the schema; it has {', '.join(fields)}"
    for name, field in fields.items():
        if name not in record and "default" not in field:
            return f"{where}{name} is missing and has no default"
    named = schema.parsed["__named_schemas"]
    for name, field in fields.items():
        if name not in record:
            continue
        probe = {
            "type": "record",
            "name": "probe",
            "fields": [field],
            "__fastavro_parsed": True,
            "__named_schemas": named,
        }
        try:
            schemaless_writer(BytesIO(), probe, {name: record[name]}, disable_tuple_notation=True)
        except _ENCODE_ERRORS:
            given = type(record[name]).__name__
            return f"{where}{name}: {given} does not fit {_type_text(field['type'])}"
    return f"{schema.fullname}: the record does not fit the schema"


def _type_text(schema: Any) -> str:
    """Return a type in a few words, such as ``null or array of Span``."""
    if isinstance(schema, list):
        return " or ".join(_type_text(branch) for branch in schema)
    if isinstance(schema, str):
        return schema.removeprefix("weir.")
    texts = {
        "array": lambda: f"array of {_type_text(schema['items'])}",
        "map": lambda: f"map of {_type_text(schema['values'])}",
        "enum": lambda: f"one of {', '.join(schema['symbols'])}",
        "fixed": lambda: f"{schema['size']} bytes",
        "record": lambda: f"record {schema['name'].removeprefix('weir.')}",
    }
    return texts[schema["type"]]()
