"""Final verdicts of streams as events of the tenant, as those of whole messages are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.gate.linked import event_of
from streams.kafka.topics import SOURCE_ROLE, TOKENS_OUTPUT_ROLES
from streams.messages import codec_of
from streams.verdicts import STREAM, Target

if TYPE_CHECKING:
    from schemas.codec import Codec
    from state.stream_keys import StreamKey
    from streams.hierarchy.step import Said
    from streams.settings import Settings
    from streams.shard.unit import Message


def output_roles(settings: Settings) -> dict[str, str]:
    """Return the roles that shards of tokens write, and those of their topics."""
    linked = {SOURCE_ROLE: SOURCE_ROLE} if settings.hierarchy.link else {}
    return {**TOKENS_OUTPUT_ROLES, **linked}


class VerdictEvents:
    """Makes the event of a final verdict; ``id`` and ``event_id`` are the stream's.

    Args:
        event: encodes events.
        dimension: length of the learner's keys.
    """

    def __init__(self, event: Codec, dimension: int) -> None:
        self._event = event
        self._dimension = dimension

    @classmethod
    def wanted(cls, settings: Settings) -> VerdictEvents | None:
        """As the settings want it; None: verdicts make no events.

        Raises:
            ConfigError: the registry cannot be used.
            RegistryUnavailable: the registry does not answer.
        """
        if not settings.hierarchy.link:
            return None
        return cls(codec_of(settings, "event", SOURCE_ROLE), settings.learner.sera.d)

    def __call__(self, key: StreamKey, said: Said) -> Message:
        """Return the event of a stream's final verdict, an observation without label."""
        target = Target(key.tenant, STREAM, key.stream_id)
        event = event_of(
            target, key.stream_id, said.time_us, said.kind, said.found, self._dimension
        )
        return {"key": key.stream_id.encode(), "value": self._event.encode(event)}
