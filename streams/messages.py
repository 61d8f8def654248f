"""The codecs of a worker, as its settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage
from schemas.mapping import Mapper, Origin, load_mapping
from schemas.reasons import Reason
from schemas.single_object import HEADER_BYTES, MARKER, header_of
from schemas.wire import WireCodec
from streams.kafka.topics import MAX_RECORD_BYTES, SOURCE_ROLE
from streams.shard.encode import MessageCodecs, TrailCodecs
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
    reader: EventReader
    if settings.mapping is not None:
        lookup = registry.fetch if registry is not None else None
        reader = MappedReader(Mapper(load_mapping(settings.mapping), lookup), source)
    elif registry is not None:
        reader = WireReader(WireCodec("event", registry, source, may_register=False))
    else:
        reader = PlainReader()

    def output(schema: SchemaName, role: str) -> Codec:
        return codec_of(settings, schema, role, registry)

    return MessageCodecs(
        reader,
        output("audit_checkpoint", "audit-checkpoints"),
        QuarantineEncoder(output("quarantine", "quarantine"), quarantine_bytes),
        output("prediction", "predictions").header(),
        output("audit_record", "audit").header(),
    )


def file_codecs() -> MessageCodecs:
    """Return the codecs of a run without Kafka: bare records, as Avro files carry their schema."""
    return MessageCodecs(
        PlainReader(), Codec("audit_checkpoint"), QuarantineEncoder(Codec("quarantine"))
    )


def codec_of(
    settings: Settings, schema: SchemaName, role: str, registry: SchemaRegistry | None = None
) -> Codec:
    """Return the codec of what is written to a topic; it carries the schema's id as settings say.

    Args:
        settings: of whoever writes.
        schema: of the records.
        role: of the topic.
        registry: that the settings name, where it is at hand.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """
    if settings.registry.url is None:
        return Codec(schema, single_object=settings.topics.framing == "single-object")
    registry = registry or SchemaRegistry(settings.registry.url)
    codec = WireCodec(schema, registry, settings.topics.name(role), may_register=True)
    codec.announce()
    return codec


def reading_codec(
    settings: Settings, schema: SchemaName, topic: str, registry: SchemaRegistry | None = None
) -> Codec:
    """Return the codec of what is read from a topic, with a registry's wire header or without.

    Args:
        settings: of whoever reads.
        schema: of the records.
        topic: its name.
        registry: that the settings name, where it is at hand.

    Raises:
        ConfigError: the registry's address is malformed.
    """
    if settings.registry.url is None:
        return Codec(schema)
    registry = registry or SchemaRegistry(settings.registry.url)
    return WireCodec(schema, registry, topic, may_register=False)


class VerdictCodecs(TrailCodecs):
    """The codecs of a shard that judges.

    Args:
        settings: of a worker.
        audit, checkpoints: roles of the topics of its audit trail.
        quarantine_bytes: largest record that the quarantine topic takes.
        registry: that the settings name, if they name one.

    Attributes:
        verdict: encodes bare verdicts; ``verdict_header`` stands before them.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        audit: str,
        checkpoints: str,
        quarantine_bytes: int,
        registry: SchemaRegistry | None,
    ) -> None:
        super().__init__(
            codec_of(settings, "audit_checkpoint", checkpoints, registry),
            QuarantineEncoder(
                codec_of(settings, "quarantine", "quarantine", registry), quarantine_bytes
            ),
            codec_of(settings, "audit_record", audit, registry).header(),
        )
        self.verdict = Codec("verdict")
        self.verdict_header = codec_of(settings, "verdict", "verdicts", registry).header()


class PlainReader:
    """Reads events that are bare Avro records or single objects; the header is not audited."""

    def __init__(self) -> None:
        self._codec = Codec("event")
        self._header = header_of(self._codec.schema)
        self.event = self._codec.decode

    def payload(self, record: SourceRecord, _: int) -> tuple[bytes, bytes]:
        """Return the value without header, and as our own version of the schema has it."""
        value = record.value
        if value is None:
            raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
        if value[:2] != MARKER:
            return value, value
        bare = value[HEADER_BYTES:]
        if value[:HEADER_BYTES] == self._header:
            return bare, bare
        return bare, self._codec.encode(self._codec.decode(value))


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
