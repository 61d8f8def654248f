"""News of verdicts, forwarded into the messages: predictions of the learner, labels of analysts.

A shard of messages learns from one partition as others do, so what moves its thresholds must stand
in it. Predictions and labels of linked verdicts lie in the same partition of their topics, because
all are keyed by the thread (or the message). Each is forwarded once, see ``streams.forwarder``;
what is of no held message is passed over by the CRC of its key, for a tenth of a microsecond.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from schemas.errors import BadMessage
from streams.forwarder import Forwarder
from streams.gate.topics import MESSAGES_ROLE, messages_application
from streams.messages import reading_codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.registry import SchemaName
    from streams.gate.engine import MessageEngine
    from streams.kafka.reader import Record
    from streams.settings import Settings
    from streams.shard.unit import Message

    Wanted = Callable[[dict[str, Any]], bool]


def feedback_forwarders(
    settings: Settings, engine: MessageEngine, failed: Callable[[BaseException], None]
) -> list[Forwarder]:
    """Return what brings news into a shard of messages; nothing where verdicts are not linked.

    Args:
        settings: of the worker.
        engine: of the shard; says of which keys news is awaited.
        failed: called with an error that must end the worker.
    """
    if not settings.messages.link:
        return []
    predictions = settings.topics.name("predictions")
    found = [_forwarder(settings, engine, "prediction", predictions, lambda _: True, failed)]
    if settings.labels.topic is not None:
        found.append(
            _forwarder(settings, engine, "event", settings.labels.topic, _is_label, failed)
        )
    return found


def _is_label(event: dict[str, Any]) -> bool:
    return event["kind"] == "LABEL" and event["label"] is not None


def _forwarder(
    settings: Settings,
    engine: MessageEngine,
    schema: SchemaName,
    topic: str,
    wanted: Wanted,
    failed: Callable[[BaseException], None],
) -> Forwarder:
    """Return what forwards a topic; its group is the messages', with the schema's name."""
    reader = reading_codec(settings, schema, topic)
    return Forwarder(
        settings,
        f"{messages_application(settings.application_id)}-{schema}",
        topic,
        settings.topics.name(MESSAGES_ROLE),
        engine.shard,
        News(reader, Codec(schema, single_object=True), lambda: engine.awaited, wanted),
        failed,
        # Nothing that stands there before the shard serves can be news of its verdicts.
        from_now=True,
    )


class News:
    """Picks what is news of a held message.

    Args:
        reader: reads the topic.
        writer: writes single objects.
        awaited: gives the CRC-32 of the keys of which there is news to come.
        wanted: tells news from other records of these keys.
    """

    def __init__(
        self,
        reader: Codec,
        writer: Codec,
        awaited: Callable[[], frozenset[int]],
        wanted: Wanted,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._awaited = awaited
        self._wanted = wanted

    def __call__(self, records: list[Record]) -> list[Message]:
        """Return what is to be forwarded of some records."""
        awaited = self._awaited()
        found: list[Message] = []
        for record in records:
            if record.key is None or zlib.crc32(record.key) not in awaited:
                continue
            try:
                read = self._reader.decode(record.value)
            except BadMessage:
                continue  # the shard of events quarantines it
            if self._wanted(read):
                found.append({"key": record.key, "value": self._writer.encode(read)})
        return found
