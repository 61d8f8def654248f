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
    from collections.abc import Callable

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
    reader: EventReader
    if settings.mapping is not None:
        lookup = registry.fetch if registry is not None else None
        reader = MappedReader(Mapper(load_mapping(settings.mapping), lookup), source)
    elif registry is not None:
        reader = WireReader(WireCodec("event", registry, source, may_register=False))
    else:
        reader = PlainReader()
    if registry is None:
        return MessageCodecs(
            reader,
            Codec("audit_checkpoint"),
            QuarantineEncoder(Codec("quarantine"), quarantine_bytes),
        )

    def output(schema: SchemaName, role: str) -> WireCodec:
        codec = WireCodec(schema, registry, settings.topics.name(role), may_register=True)
        codec.announce()
        return codec

    return MessageCodecs(
        reader,
        output("audit_checkpoint", "audit-checkpoints"),
        QuarantineEncoder(output("quarantine", "quarantine"), quarantine_bytes),
        output("prediction", "predictions").header(),
        output("audit_record", "audit").header(),
    )


def event_encoder(settings: Settings) -> Callable[[dict[str, Any]], bytes]:
    """Return what encodes events for the source topic: plain Avro, or with a registry's header.

    Raises:
        RegistryUnavailable: the registry does not answer.
    """
    if settings.registry.url is None:
        return Codec("event").encode
    registry = SchemaRegistry(settings.registry.url)
    topic = settings.topics.name(SOURCE_ROLE)
    return WireCodec("event", registry, topic, may_register=True).encode


class PlainReader:
    """Reads events in plain Avro."""

    def __init__(self) -> None:
        self.event = Codec("event").decode

    def payload(self, record: SourceRecord, _: int) -> tuple[bytes, bytes]:
        """Return the value, twice."""
        value = record.value
        if value is None:
            raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
        return value, value


class WireReader:
    """Reads events with wire header; the header is no part of what is audited.

    Args:
        codec: of the topic.
    """

    def __init__(self, codec: WireCodec) -> None:
        self._codec = codec
        self._plain = Codec("event")
        self.event = self._plain.decode

    def payload(self, record: SourceRecord, _: int) -> tuple[bytes, bytes]:
        """Return the value without header, and as our own version of the schema has it."""
        value = record.value or b""
        payload = bytes(self._codec.strip(value)[0])
        if self._codec.is_ours(value):
            return payload, payload
        return payload, self._plain.encode(self._codec.decode(value))


class MappedReader:
    """Reads foreign messages; what is audited is the event that they map to.

    Args:
        mapper: made from the mapping file.
        topic: whose messages they are.
    """

    def __init__(self, mapper: Mapper, topic: str) -> None:
        self._mapper = mapper
        self._topic = topic
        self._codec = Codec("event")
        self.event = self._codec.decode

    def payload(self, record: SourceRecord, shard: int) -> tuple[bytes, bytes]:
        """Return the encoded event, twice."""
        origin = Origin.kafka(self._topic, shard, record.offset, record.timestamp, record.key)
        payload = self._codec.encode(self._mapper.map_message(record.value, origin))
        return payload, payload
