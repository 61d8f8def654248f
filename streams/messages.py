"""The codecs of a worker, as its settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage
from schemas.mapping import Mapper, Origin, load_mapping
from schemas.reasons import Reason
from schemas.wire import WireCodec
from streams.kafka.topics import MAX_RECORD_BYTES, SOURCE_ROLE
from streams.shard.encode import MessageCodecs
from streams.shard.quarantine import QuarantineEncoder

if TYPE_CHECKING:
    from schemas.registry import SchemaName
    from streams.kafka.fetch import SourceRecord
    from streams.settings import Settings
    from streams.shard.columns import EventReader


def build_codecs(settings: Settings, quarantine_bytes: int = MAX_RECORD_BYTES) -> MessageCodecs:
    """Return the codecs for the settings' registry and mapping file.

    Args:
        settings: of a worker.
        quarantine_bytes: largest record that the quarantine topic takes.

    Raises:
        ConfigError: the registry or the mapping file cannot be used.
        RegistryUnavailable: the registry does not answer.
    """
    source = settings.topics.name(SOURCE_ROLE)
    registry = SchemaRegistry(settings.registry.url) if settings.registry.url else None
    if settings.mapping is not None:
        lookup = registry.fetch if registry is not None else None
        reader = mapped_reader(Mapper(load_mapping(settings.mapping), lookup), source)
    elif registry is not None:
        reader = wire_reader(WireCodec("event", registry, source, may_register=False))
    else:
        reader = plain_reader()
    if registry is None:
        return MessageCodecs(
            reader,
            Codec("prediction"),
            Codec("audit_checkpoint"),
            QuarantineEncoder(Codec("quarantine"), quarantine_bytes),
            b"",
        )

    def output(schema: SchemaName, role: str) -> WireCodec:
        codec = WireCodec(schema, registry, settings.topics.name(role), may_register=True)
        codec.announce()
        return codec

    return MessageCodecs(
        reader,
        output("prediction", "predictions"),
        output("audit_checkpoint", "audit-checkpoints"),
        QuarantineEncoder(output("quarantine", "quarantine"), quarantine_bytes),
        output("audit_record", "audit").header(),
    )


def _value(record: SourceRecord) -> bytes:
    value = record.value
    if value is None:
        raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
    return value


def plain_reader() -> EventReader:
    """Return a reader of plain Avro events."""
    decode = Codec("event").decode

    def read(record: SourceRecord, _: int) -> tuple[bytes, dict[str, Any]]:
        value = _value(record)
        return value, decode(value)

    return read


def wire_reader(codec: WireCodec) -> EventReader:
    """Return a reader of events with wire header; the header is no part of what is audited."""

    def read(record: SourceRecord, _: int) -> tuple[bytes, dict[str, Any]]:
        value = _value(record)
        event = codec.decode(value)
        return bytes(codec.strip(value)[0]), event

    return read


def mapped_reader(mapper: Mapper, topic: str) -> EventReader:
    """Return a reader of foreign messages; what is audited is the event that they map to."""
    codec = Codec("event")

    def read(record: SourceRecord, shard: int) -> tuple[bytes, dict[str, Any]]:
        origin = Origin.kafka(topic, shard, record.offset, record.timestamp, record.key)
        payload = codec.encode(mapper.map_message(record.value, origin))
        # Decoded again, so that the step sees what an auditor reads from the same bytes.
        return payload, codec.decode(payload)

    return read
