"""The codecs of shards of messages, as the settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.confluent import SchemaRegistry
from streams.gate.topics import AUDIT_ROLE, CHECKPOINTS_ROLE, MESSAGES_ROLE
from streams.kafka.topics import MAX_RECORD_BYTES, SOURCE_ROLE
from streams.messages import VerdictCodecs, codec_of, reading_codec

if TYPE_CHECKING:
    from streams.settings import Settings


class GateCodecs(VerdictCodecs):
    """The codecs of a shard of messages.

    Args:
        settings: of a worker.
        quarantine_bytes: largest record that the quarantine topic takes.

    Attributes:
        message: reads messages.
        verdict, verdict_header: see ``VerdictCodecs``.
        redacted: encodes redacted messages.
        event: encodes linked verdicts.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """

    def __init__(self, settings: Settings, quarantine_bytes: int = MAX_RECORD_BYTES) -> None:
        registry = SchemaRegistry(settings.registry.url) if settings.registry.url else None
        super().__init__(settings, AUDIT_ROLE, CHECKPOINTS_ROLE, quarantine_bytes, registry)
        source = settings.topics.name(MESSAGES_ROLE)
        self.message = reading_codec(settings, "message", source, registry)
        self.redacted = codec_of(settings, "message", "redacted", registry)
        self.event = codec_of(settings, "event", SOURCE_ROLE, registry)
