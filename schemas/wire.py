"""Avro records with the header of Confluent's wire format, as clients of a schema registry write.

    byte 0      magic, 0
    bytes 1-4   id of the writer's schema in the registry, big-endian
    bytes 5-    the record in Avro's binary encoding

A record of another version of our schema is read by Avro's schema resolution.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast

import fastavro
from fastavro import schemaless_reader
from fastavro.schema import SchemaParseException

from schemas.codec import Codec, Record
from schemas.compat import unreadable
from schemas.errors import BadMessage, ConfigError
from schemas.reading import DECODE_ERRORS, Form, explain, strict_form, trailing
from schemas.reasons import Reason
from schemas.registry import ParsedSchema, SchemaName, canonical_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.confluent import SchemaRegistry

_MAGIC: Final = b"\x00"
_HEADER_BYTES: Final = 5


@dataclass(frozen=True)
class _Writer:
    """How to read what was written with one schema."""

    name: str
    parsed: ParsedSchema
    form: Form
    resolve: bool  # its records are to be resolved to our schema


class WireCodec(Codec):
    """Encodes and decodes records of one shipped schema on one topic, with wire header.

    Args:
        name: which schema, see ``schemas.registry``.
        registry: where ids and the schemas of writers come from.
        topic: the topic; the subject in the registry is ``<topic>-value``.
        may_register: register our schema where it is missing; otherwise it must be there.

    Attributes:
        schema: our schema.
        subject: the subject in the registry.
    """

    def __init__(
        self, name: SchemaName, registry: SchemaRegistry, topic: str, *, may_register: bool
    ) -> None:
        super().__init__(name)
        self.subject = f"{topic}-value"
        self._registry = registry
        self._may_register = may_register
        self._header: bytes | None = None
        self._writers: dict[bytes, _Writer] = {}
        self._refused: dict[bytes, str] = {}

    def announce(self) -> int:
        """Find or register our schema in the registry and return its id.

        The first ``encode`` does it; at start it shows early what does not work.

        Raises:
            ConfigError: the registry does not have or take our schema.
            RegistryUnavailable: the registry does not answer.
        """
        place = self._registry.register if self._may_register else self._registry.find
        schema_id = place(self.subject, self.schema)
        self._header = _MAGIC + schema_id.to_bytes(_HEADER_BYTES - 1, "big")
        return schema_id

    def header(self) -> bytes:
        """Return the wire header of records written with our schema, for what is encoded elsewhere.

        Raises:
            ConfigError, RegistryUnavailable: as ``announce``, at the first call.
        """
        if self._header is None:
            self.announce()
        return cast("bytes", self._header)

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return the record as bytes with wire header.

        Raises:
            BadMessage: as ``Codec.encode``.
            ConfigError, RegistryUnavailable: as ``announce``, at the first call.
        """
        out = BytesIO()
        out.write(self.header())
        self._write(out, record)
        return out.getvalue()

    def decode(self, data: bytes | None) -> Record:
        """Return the record that the bytes hold after their header, resolved to our schema.

        Raises:
            BadMessage: as ``Codec.decode``; ``BAD_WIRE_HEADER``, ``UNKNOWN_SCHEMA``,
                ``INCOMPATIBLE_SCHEMA``.
            RegistryUnavailable: the registry does not answer, and the schema of this id has not
                been seen yet. The message may be good: it must not go to quarantine.
        """
        data = data or b""
        writer = self._writers.get(data[:_HEADER_BYTES]) or self._new_writer(data)
        stream = BytesIO(data)
        stream.seek(_HEADER_BYTES)
        try:
            record = schemaless_reader(stream, writer.form)
            if writer.resolve and stream.tell() == len(data):
                # A second pass, as fastavro does not check the lengths of what it skips.
                stream.seek(_HEADER_BYTES)
                record = schemaless_reader(stream, writer.parsed, self.schema.parsed)
        except DECODE_ERRORS as error:
            raise explain(writer.name, writer.form, data, _HEADER_BYTES, error) from error
        if stream.tell() != len(data):
            raise trailing(writer.name, stream.tell(), len(data))
        return cast("Record", record)

    def strip(self, data: bytes) -> tuple[memoryview, ParsedSchema]:
        """Return the record's own bytes, without wire header, and the schema that wrote them.

        Raises:
            BadMessage: as ``decode``, for the header.
            RegistryUnavailable: as ``decode``.
        """
        writer = self._writers.get(data[:_HEADER_BYTES]) or self._new_writer(data)
        return memoryview(data)[_HEADER_BYTES:], writer.parsed

    def is_ours(self, data: bytes) -> bool:
        """Tell whether a record was written with our own schema, so that it needs no resolution.

        Raises:
            BadMessage, RegistryUnavailable: as ``strip``.
        """
        return not (self._writers.get(data[:_HEADER_BYTES]) or self._new_writer(data)).resolve

    def _new_writer(self, data: bytes) -> _Writer:
        """Return the writer of a header that is not known yet."""
        if not data:
            raise BadMessage(Reason.EMPTY_VALUE, f"{self.schema.fullname}: the value is empty")
        header = data[:_HEADER_BYTES]
        if len(header) < _HEADER_BYTES or header[:1] != _MAGIC:
            raise BadMessage(
                Reason.BAD_WIRE_HEADER,
                f"{self.schema.fullname}: magic byte 0 and a schema id of 4 bytes are expected, "
                f"not {header.hex()}; is the producer set up to use the schema registry?",
            )
        if header not in self._refused:
            schema_id = int.from_bytes(header[1:], "big")
            text = self._registry.fetch(schema_id)
            try:
                return self._writers.setdefault(header, self._build(text))
            except (ConfigError, SchemaParseException, ValueError) as error:
                self._refused[header] = f"schema {schema_id} of {self._registry}: {error}"
        raise BadMessage(Reason.INCOMPATIBLE_SCHEMA, self._refused[header])

    def _build(self, text: str) -> _Writer:
        """Prepare reading with a writer's schema.

        Raises:
            ValueError: our schema cannot read it, or it is not safe to read with.
            SchemaParseException, ConfigError: it is no schema.
        """
        plain = _without_logical_types(json.loads(text))
        parsed = cast("ParsedSchema", fastavro.parse_schema(plain))
        form = strict_form(parsed)
        if problems := unreadable(self.schema.text, json.dumps(plain)):
            raise ValueError(f"{self.schema.fullname} cannot read it: {'; '.join(problems)}")
        resolve = canonical_form(plain) != self.schema.canonical_form
        return _Writer(parsed["name"], parsed, form, resolve)


def _without_logical_types(schema: Any) -> Any:
    """Return a schema in which every value stands as it is encoded, not as a date or decimal."""
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {k: _without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    return schema
