"""What comes on the topic ``messages``: messages, and news of the verdicts on them.

News is what a learner predicted of a verdict, and what an analyst said of it. Both are forwarded
into the topic by ``streams.gate.feedback``, always as single objects, and so told from messages by
the fingerprint of their schema, whatever messages are framed by.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from operators.dlp.dsl import Attachment, Message, Recipient
from operators.dlp.redact import Redaction, redact
from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason
from schemas.single_object import HEADER_BYTES, released_writers
from streams.verdicts import MESSAGE, Target

if TYPE_CHECKING:
    from operators.dlp.verdict import Verdict
    from schemas.reading import Record
    from schemas.registry import ParsedSchema
    from streams.kafka.fetch import SourceRecord

NAME_BYTES: Final = 1_024
"""Most bytes of a tenant, of the id of a message and of that of a thread."""

_FRAME: Final = 64  # bytes around each header


class Reader(Protocol):
    """A codec of messages, with a registry's wire header or without."""

    def decode(self, data: bytes | None) -> Record:
        """Return the record that the bytes hold."""

    def strip(self, data: bytes) -> tuple[memoryview, ParsedSchema]:
        """Return the record's own bytes and the schema that wrote them."""


class Incoming(NamedTuple):
    """A message that came.

    Attributes:
        message: as decoded.
        digest: SHA-256 of its Avro bytes, without wire header.
    """

    message: dict[str, Any]
    digest: bytes

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return str(self.message["tenant"])

    @property
    def target(self) -> Target:
        """What its verdict is about."""
        return Target(self.tenant, MESSAGE, str(self.message["id"]))

    @property
    def thread(self) -> str | None:
        """Id of its thread, if it stands in one."""
        thread = self.message["thread"]
        return None if thread is None else str(thread["id"])

    @property
    def entity(self) -> str:
        """Its Kafka key, and the id of its verdict's event: the thread, or else the message."""
        return str(self.message["id"]) if self.thread is None else self.thread


class News(NamedTuple):
    """What came back about a verdict.

    Attributes:
        kind: ``prediction`` or ``label``.
        tenant: of the verdict.
        target: id of the message.
        value: probability that an analyst will confirm it, or what one said: 1 confirmed.
    """

    kind: str
    tenant: str
    target: str
    value: float


class MessageReader:
    """Reads what comes.

    Args:
        codec: of messages.
        max_bytes: larger messages are refused, key and headers included.
    """

    def __init__(self, codec: Reader, max_bytes: int) -> None:
        self._codec = codec
        self._max_bytes = max_bytes
        self._news = {"prediction": Codec("prediction"), "label": Codec("event")}
        self._kinds = dict.fromkeys(released_writers("prediction"), "prediction")
        self._kinds |= dict.fromkeys(released_writers("event"), "label")

    def __call__(self, record: SourceRecord) -> Incoming | News:
        """Read a record.

        Raises:
            BadMessage: it is too large, or is none of the above.
        """
        value = record.value
        if value is None:
            raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
        kind = self._kinds.get(value[:HEADER_BYTES])
        if kind is not None:
            return self._read_news(kind, value)
        size = len(value) + len(record.key or b"")
        size += sum(len(name) + len(of or b"") + _FRAME for name, of in headers_of(record))
        if size > self._max_bytes:
            raise BadMessage(
                Reason.OVERSIZED,
                f"{size} bytes, more than messages.max_message_bytes = {self._max_bytes}",
            )
        message = self._codec.decode(value)
        thread = message["thread"]
        names = {"tenant": message["tenant"], "id": message["id"]}
        if thread is not None:
            names["thread.id"] = thread["id"]
        for name, text in names.items():
            if not 0 < (size := len(text.encode())) <= NAME_BYTES:
                raise BadMessage(
                    Reason.BAD_FIELD,
                    f"{name} has {size} bytes, not 1 to {NAME_BYTES}",
                )
        return Incoming(message, hashlib.sha256(self._codec.strip(value)[0]).digest())

    def _read_news(self, kind: str, value: bytes) -> News:
        record = self._news[kind].decode(value)
        number = record["y_hat" if kind == "prediction" else "label"]
        if number is None or not math.isfinite(number):
            raise BadMessage(Reason.NON_FINITE_LABEL, f"the {kind} of a verdict is {number}")
        return News(kind, record["tenant"], record["event_id"], float(number))


def headers_of(record: SourceRecord) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of a record, where its reader brings them."""
    return list(getattr(record, "headers", ()))


def scannable(message: dict[str, Any]) -> Message:
    """Return a decoded message as the scanner takes it."""
    thread = message["thread"]
    return Message(
        message["body"],
        message["kind"],
        message["role"] or "",
        message["sender"] or "",
        tuple(Recipient(one["address"], one["external"]) for one in message["recipients"]),
        message["subject"] or "",
        message["metadata"],
        None if thread is None else thread["position"],
        tuple(Attachment(one["name"], one["text"] or "") for one in message["attachments"]),
        tuple(message["links"]),
    )


def length_of(message: Message) -> int:
    """Return how many code points of text a message has."""
    texts = [message.subject, message.body, *(one.text for one in message.attachments)]
    return sum(map(len, (*texts, *message.links)))


def redacted(message: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Return a message with the spans of a verdict masked, in all fields. Lengths stay."""

    def masked(text: str | None, field: str, index: int = 0) -> str | None:
        if text is None:
            return None
        return redact(text, verdict.spans, Redaction.MASK, field=field, index=index)

    return message | {
        "subject": masked(message["subject"], "subject"),
        "body": masked(message["body"], "body"),
        "attachments": [
            one | {"text": masked(one["text"], "attachment", index)}
            for index, one in enumerate(message["attachments"])
        ],
        "links": [masked(link, "link", index) for index, link in enumerate(message["links"])],
    }
