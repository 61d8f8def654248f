"""Avro records with the header of Confluent's wire format, as clients of a schema registry write.

    byte 0      magic, 0
    bytes 1-4   id of the writer's schema in the registry, big-endian
    bytes 5-    the record in Avro's binary encoding

A record of another version of our schema is read by Avro's schema resolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastavro.schema import SchemaParseException

from schemas.codec import Codec
from schemas.errors import BadMessage, ConfigError
from schemas.reasons import Reason
from schemas.writers import Writer, writer_of

if TYPE_CHECKING:
    from schemas.confluent import SchemaRegistry
    from schemas.reading import Record
    from schemas.registry import ParsedSchema, SchemaName

_MAGIC: Final = b"\x00"
HEADER_BYTES: Final = 5
"""Bytes before a record."""


def without_header(value: bytes) -> bytes:
    """Return a record of an output topic without a registry's header, if it has one.

    It asks no registry: every record but an audit record begins with the length of a text, which is
    not 0 as the header's magic is. (Audit records are told by their length.)
    """
    return value[HEADER_BYTES:] if value[:1] == _MAGIC else value


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
        self._announced = b""
        self._writers: dict[bytes, Writer] = {}
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
        self._announced = _MAGIC + schema_id.to_bytes(HEADER_BYTES - 1, "big")
        return schema_id

    def header(self) -> bytes:
        """Return the wire header of records written with our schema.

        Raises:
            ConfigError, RegistryUnavailable: as ``announce``, at the first call.
        """
        if not self._announced:
            self.announce()
        return self._announced

    def decode(self, data: bytes | None) -> Record:
        """Return the record that the bytes hold after their header, resolved to our schema.

        Raises:
            BadMessage: as ``Codec.decode``; ``BAD_WIRE_HEADER``, ``UNKNOWN_SCHEMA``,
                ``INCOMPATIBLE_SCHEMA``.
            RegistryUnavailable: the registry does not answer, and the schema of this id has not
                been seen yet. The message may be good: it must not go to quarantine.
        """
        data = data or b""
        writer = self._writers.get(data[:HEADER_BYTES]) or self._new_writer(data)
        return writer.read(data, HEADER_BYTES)

    def strip(self, data: bytes) -> tuple[memoryview, ParsedSchema]:
        """Return the record's own bytes, without wire header, and the schema that wrote them.

        Raises:
            BadMessage: as ``decode``, for the header.
            RegistryUnavailable: as ``decode``.
        """
        writer = self._writers.get(data[:HEADER_BYTES]) or self._new_writer(data)
        return memoryview(data)[HEADER_BYTES:], writer.parsed

    def is_ours(self, data: bytes) -> bool:
        """Tell whether a record was written with our own schema, so that it needs no resolution.

        Raises:
            BadMessage, RegistryUnavailable: as ``strip``.
        """
        writer = self._writers.get(data[:HEADER_BYTES]) or self._new_writer(data)
        return writer.reader is None

    def _new_writer(self, data: bytes) -> Writer:
        """Return the writer of a header that is not known yet."""
        if not data:
            raise BadMessage(Reason.EMPTY_VALUE, f"{self.schema.fullname}: the value is empty")
        header = data[:HEADER_BYTES]
        if len(header) < HEADER_BYTES or header[:1] != _MAGIC:
            raise BadMessage(
                Reason.BAD_WIRE_HEADER,
                f"{self.schema.fullname}: magic byte 0 and a schema id of 4 bytes are expected, "
                f"not {header.hex()}; is the producer set up to use the schema registry?",
            )
        if header not in self._refused:
            schema_id = int.from_bytes(header[1:], "big")
            text = self._registry.fetch(schema_id)
            try:
                return self._writers.setdefault(header, writer_of(text, self.schema))
            except (ConfigError, SchemaParseException, ValueError) as error:
                self._refused[header] = f"schema {schema_id} of {self._registry}: {error}"
        raise BadMessage(Reason.INCOMPATIBLE_SCHEMA, self._refused[header])
