"""The codecs of a worker, as its settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage
from schemas.reasons import Reason
from schemas.wire import WireCodec
from streams.kafka.topics import SOURCE_ROLE
from streams.shard.encode import MessageCodecs

if TYPE_CHECKING:
    from schemas.registry import SchemaName
    from streams.kafka.fetch import SourceRecord
    from streams.settings import Settings
    from streams.shard.columns import EventReader


def build_codecs(settings: Settings) -> MessageCodecs:
    """Return the codecs for the settings' registry and mapping file.

    Raises:
        ConfigError: the registry or the mapping file cannot be used.
        RegistryUnavailable: the registry does not answer.
    """
    url = settings.registry.url
    if url is None:
        return MessageCodecs(
            plain_reader(), Codec("prediction"), Codec("audit_checkpoint"), Codec("quarantine"), b""
        )
    registry = SchemaRegistry(url)

    def output(schema: SchemaName, role: str) -> WireCodec:
        codec = WireCodec(schema, registry, settings.topics.name(role), may_register=True)
        codec.announce()
        return codec

    events = WireCodec("event", registry, settings.topics.name(SOURCE_ROLE), may_register=False)
    return MessageCodecs(
        wire_reader(events),
        output("prediction", "predictions"),
        output("audit_checkpoint", "audit-checkpoints"),
        output("quarantine", "quarantine"),
        output("audit_record", "audit").header(),
    )


def _value(record: SourceRecord) -> bytes:
    value = record.value
    if value is None:
        raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
    return value


def plain_reader() -> EventReader:
    """Return a reader of plain Avro events."""
    codec = Codec("event")

    def read(record: SourceRecord) -> tuple[bytes, dict[str, Any]]:
        value = _value(record)
        return value, codec.decode(value)

    return read


def wire_reader(codec: WireCodec) -> EventReader:
    """Return a reader of events with wire header; the header is no part of what is audited."""

    def read(record: SourceRecord) -> tuple[bytes, dict[str, Any]]:
        value = _value(record)
        event = codec.decode(value)
        return bytes(codec.strip(value)[0]), event

    return read
