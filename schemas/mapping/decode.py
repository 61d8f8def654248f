"""From the bytes of a message to its fields, in the format that the mapping names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.errors import BadMessage, ConfigError
from schemas.mapping.decode_avro import PARSE_ERRORS, AvroDecoder, load_decoder
from schemas.mapping.decode_json import decode_json
from schemas.mapping.decode_protobuf import ProtobufDecoder
from schemas.mapping.framing import HEADER_BYTES, schema_id
from schemas.mapping.model_source import JsonSource, ProtobufSource, Source
from schemas.reasons import Reason

Decoder = Callable[[bytes], dict[str, Any]]
SchemaLookup = Callable[[int], str]
"""A registry's schema by its id, as JSON text: ``schemas.confluent.SchemaRegistry.fetch``."""


def make_decoder(source: Source, schema_lookup: SchemaLookup | None) -> Decoder:
    """The decoder that a mapping's ``source`` asks for.

    Args:
        source: the format, and the files that describe it.
        schema_lookup: for Avro with a schema registry.

    Raises:
        ConfigError: a file cannot be used, or there is no registry where one is needed.
    """
    framed = source.framing == "confluent"
    if isinstance(source, JsonSource):
        return _without_header(decode_json) if framed else decode_json
    if isinstance(source, ProtobufSource):
        decoder = ProtobufDecoder(source.descriptors, source.message, indexed=framed)
        return _without_header(decoder) if framed else decoder
    if source.schema_file is not None:
        return load_decoder(source.schema_file)
    if schema_lookup is None:
        raise ConfigError(
            "the mapping says `framing: confluent`, and no schema registry is set; "
            "set its address, or give the mapping a `schema` and `framing: none`"
        )
    return _RegistryDecoder(schema_lookup)


def _without_header(decode: Decoder) -> Decoder:
    def decode_framed(value: bytes) -> dict[str, Any]:
        schema_id(value)
        return decode(value[HEADER_BYTES:])

    return decode_framed


class _RegistryDecoder:
    """Reads each message with the schema that its header names."""

    def __init__(self, schema_lookup: SchemaLookup) -> None:
        self._lookup = schema_lookup
        self._decoders: dict[
            int, AvroDecoder
        ] = {}  # as many as the registry has schemas of the topic

    def __call__(self, value: bytes) -> dict[str, Any]:
        number = schema_id(value)
        decoder = self._decoders.get(number)
        if decoder is None:
            try:
                decoder = AvroDecoder(self._lookup(number))
            except PARSE_ERRORS as error:
                raise BadMessage(
                    Reason.INCOMPATIBLE_SCHEMA,
                    f"the registry's schema {number} is no Avro schema that can be used: {error}",
                ) from error
            self._decoders[number] = decoder
        return decoder(value, HEADER_BYTES)
