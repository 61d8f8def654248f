"""A message as the one text that the model reads, and the way between the two.

``serialize`` writes a message's fields one after the other, each behind its mark:

    kind · role · sender · recipients · subject · metadata · thread · body · attachments · links

Texts of the sender are normalised first (`operators.dlp.normalise`), which also replaces every
reserved code point, so no text can forge a field. Offsets count Unicode code points, half open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.markers import Mark
from operators.dlp.normalise import normalise
from operators.dlp.tags import TypedSpan, from_tags, to_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from operators.dlp.offsets import Traced

KINDS: Final = ("EMAIL", "CHAT", "PULL_REQUEST", "UPLOAD")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One reader of a message; `external` is None where it is not known."""

    address: str
    external: bool | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with a message, with its text where that was extracted."""

    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is about to leave; `thread_position` is the number of messages before it."""

    body: str
    kind: str = "UPLOAD"
    role: str = ""
    sender: str = ""
    recipients: tuple[Recipient, ...] = ()
    subject: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    thread_position: int | None = None
    attachments: tuple[Attachment, ...] = ()
    links: tuple[str, ...] = ()


class FieldSpan(NamedTuple):
    """A span in one field of a message.

    Attributes:
        field: ``subject``, ``body``, ``attachment`` or ``link``.
        index: which attachment or link; 0 for the others.
        start: first code point in the text as it was sent.
        end: code point after the last one.
        type: one of `operators.dlp.tags.TYPES`.
    """

    field: str
    index: int  # type: ignore[assignment]
    start: int
    end: int
    type: str


class Section(NamedTuple):
    """Where a field's text stands in the serialised text."""

    field: str
    index: int  # type: ignore[assignment]
    start: int
    traced: Traced

    @property
    def end(self) -> int:
        """Code point after the section."""
        return self.start + len(self.traced.text)


@dataclass(frozen=True, slots=True)
class Serialized:
    """A message's text for the model, and where each of its fields stands in it."""

    text: str
    offset_map: tuple[Section, ...]

    def to_text(self, span: FieldSpan) -> TypedSpan | None:
        """The span in this text, or None if nothing of it was left by normalisation."""
        for section in self.offset_map:
            if (section.field, section.index) == (span.field, span.index):
                start, end = section.traced.from_original(span.start, span.end)
                if start == end:
                    return None
                return TypedSpan(section.start + start, section.start + end, span.type)
        return None

    def to_fields(self, span: TypedSpan) -> list[FieldSpan]:
        """The parts of a span of this text that lie in fields, as ranges of what was sent."""
        found = []
        for section in self.offset_map:
            start, end = max(span.start, section.start), min(span.end, section.end)
            if start < end:
                low, high = section.traced.to_original(start - section.start, end - section.start)
                if low < high:
                    found.append(FieldSpan(section.field, section.index, low, high, span.type))
        return found


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.sections: list[Section] = []

    def put(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def plain(self, mark: Mark, text: str) -> None:
        self.put(mark.value)
        self.put(normalise(text).text)

    def traced(self, mark: Mark, name: str, index: int, text: str) -> None:
        self.put(mark.value)
        traced = normalise(text)
        self.sections.append(Section(name, index, self.length, traced))
        self.put(traced.text)


def serialize(message: Message) -> Serialized:
    """The message as one text, and the map of its fields. Linear in the length of the message."""
    out = _Writer()
    out.put(Mark[message.kind].value)
    if message.role:
        out.plain(Mark.ROLE, message.role)
    if message.sender:
        out.plain(Mark.SENDER, message.sender)
    audience = {True: Mark.EXTERNAL, False: Mark.INTERNAL, None: Mark.UNKNOWN}
    for recipient in message.recipients:
        out.plain(audience[recipient.external], recipient.address)
    if message.subject:
        out.traced(Mark.SUBJECT, "subject", 0, message.subject)
    for name in sorted(message.metadata):
        out.plain(Mark.METADATA, f"{name}={message.metadata[name]}")
    if message.thread_position is not None:
        out.plain(Mark.THREAD, str(message.thread_position))
    out.traced(Mark.BODY, "body", 0, message.body)
    for index, attachment in enumerate(message.attachments):
        out.plain(Mark.ATTACHMENT, attachment.name)
        out.traced(Mark.ATTACHED_TEXT, "attachment", index, attachment.text)
    for index, link in enumerate(message.links):
        out.traced(Mark.LINK, "link", index, link)
    out.put(Mark.END.value)
    return Serialized("".join(out.parts), tuple(out.sections))


def align_spans(serialized: Serialized, spans: Iterable[FieldSpan]) -> NDArray[np.uint8]:
    """One BIO tag for each code point of the serialised text.

    Spans that overlap can't both be told by tags: the earlier and then the longer one is kept.
    """
    found = (serialized.to_text(span) for span in spans)
    return to_tags((span for span in found if span is not None), len(serialized.text))


def spans_of(serialized: Serialized, tags: NDArray[np.integer]) -> list[FieldSpan]:
    """The spans that tags of the serialised text's code points spell, in fields of the message."""
    return [part for span in from_tags(tags) for part in serialized.to_fields(span)]
