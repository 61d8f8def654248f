"""The codecs of shards of messages, as the settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from streams.gate.topics import AUDIT_ROLE, CHECKPOINTS_ROLE, MESSAGES_ROLE, VERDICTS_ROLE
from streams.kafka.topics import MAX_RECORD_BYTES, SOURCE_ROLE
from streams.messages import codec_of, reading_codec
from streams.shard.encode import TrailCodecs
from streams.shard.quarantine import QuarantineEncoder

if TYPE_CHECKING:
    from streams.settings import Settings


class GateCodecs(TrailCodecs):
    """The codecs of a shard of messages.

    Args:
        settings: of a worker.
        quarantine_bytes: largest record that the quarantine topic takes.

    Attributes:
        message: reads messages.
        verdict: encodes bare verdicts; ``verdict_header`` stands before them.
        redacted: encodes redacted messages.
        event: encodes linked verdicts.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """

    def __init__(self, settings: Settings, quarantine_bytes: int = MAX_RECORD_BYTES) -> None:
        registry = SchemaRegistry(settings.registry.url) if settings.registry.url else None
        super().__init__(
            codec_of(settings, "audit_checkpoint", CHECKPOINTS_ROLE, registry),
            QuarantineEncoder(
                codec_of(settings, "quarantine", "quarantine", registry), quarantine_bytes
            ),
            codec_of(settings, "audit_record", AUDIT_ROLE, registry).header(),
        )
        source = settings.topics.name(MESSAGES_ROLE)
        self.message = reading_codec(settings, "message", source, registry)
        self.verdict = Codec("verdict")
        self.verdict_header = codec_of(settings, "verdict", VERDICTS_ROLE, registry).header()
        self.redacted = codec_of(settings, "message", "redacted", registry)
        self.event = codec_of(settings, "event", SOURCE_ROLE, registry)
