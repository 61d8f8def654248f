"""Whole messages with their document labels, ready for the model."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from operators.dlp.dsl import Attachment, FieldSpan, Message, Recipient, Serialized, serialize
from operators.dlp.generator import legal, people
from operators.dlp.generator.documents import body
from operators.dlp.generator.slots import Cast
from operators.dlp.generator.writing import Draft, write

if TYPE_CHECKING:
    from operators.dlp.generator.library import Library
    from operators.dlp.generator.pools import Pools
    from operators.dlp.generator.writing import Entity

POINTS: Final = {
    "PAN": 1.0, "SSN": 1.0, "SECRET": 1.0, "DBURI": 1.0, "NDA": 0.6, "MATTER": 0.5, "ADDR": 0.4,
    "PHONE": 0.25, "EMAIL": 0.1, "NAME": 0.1,
}  # fmt: skip
"""What one value adds to a document's sensitivity; from 1 on it is sensitive (docs/dlp-labels.md)."""
LIMITS: Final = {"NAME": 0.3, "EMAIL": 0.3, "NDA": 0.6}
"""How much values of one type add at most."""
_PUBLIC: Final = (
    "pastebin.com",
    "gist.github.com",
    "transfer.sh",
    "forum",
    "public-channel",
    "wetransfer.com",
)
_ROLES: Final = (
    "engineer",
    "counsel",
    "support",
    "sales",
    "hr",
    "finance",
    "analyst",
    "contractor",
    "executive",
)
_OWN: Final = {
    "SECRET": ("engineer", "contractor"),
    "DBURI": ("engineer", "analyst"),
    "MATTER": ("counsel", "executive"),
    "NDA": ("counsel", "sales", "executive"),
    "SSN": ("hr", "finance"),
    "PAN": ("support", "finance"),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message, its text for the model, its spans, and what decides its document labels.

    Attributes:
        message: as its sender wrote it.
        serialized: the text and its field map.
        spans: values in the message's fields.
        entities: the same values in the serialised text, in order, with what they are underneath.
        outside: whether somebody outside the organisation reads it.
        inconsistent_from: code point of the serialised text from which on it contradicts its
            thread, role or matter; -1 if it never does.
    """

    message: Message
    serialized: Serialized
    spans: tuple[FieldSpan, ...]
    entities: tuple[Entity, ...]
    outside: bool
    inconsistent_from: int


def generate(
    seed: int, pools: Pools, library: Library, size: int, *, easy: bool = False
) -> Labelled:
    """The message of a seed; about one in two is a bare text without any context.

    Args:
        seed: all chance comes from it.
        pools: names of one side of the split.
        library: carriers of the same side.
        size: code points of its body, roughly.
        easy: whether nothing is disguised.
    """
    rng = Random(seed)
    cast = _cast(rng, pools, library, easy=easy)
    return (_bare if rng.random() < 0.5 else _mailed)(cast, library, size)


def generate_thread(
    seed: int, pools: Pools, library: Library, sizes: tuple[int, int], *, easy: bool = False
) -> list[Labelled]:
    """Two messages of one conversation: the same people, with the same details."""
    rng = Random(seed)
    cast = _cast(rng, pools, library, easy=easy)
    return [_mailed(cast, library, size) for size in sizes]


def _cast(rng: Random, pools: Pools, library: Library, *, easy: bool) -> Cast:
    words = [word for line in library.lines(rng, "prose", 400) for word in line.split()]
    known = library.known(pools)
    cast = Cast(rng, pools, company=people.domain(rng), words=words, known=known)
    if not easy and rng.random() < 0.25:
        cast.disguised = rng.choice((0.15, 0.5, 1.0))
    return cast


def _bare(cast: Cast, library: Library, size: int) -> Labelled:
    draft = body(cast, library, size)
    return _label(Message(draft.text), {("body", 0): draft}, outside=False, clash="")


def _mailed(cast: Cast, library: Library, size: int) -> Labelled:
    """A message with sender, recipients and the rest of its context."""
    rng = cast.rng
    kind = rng.choice(("EMAIL", "EMAIL", "CHAT", "PULL_REQUEST", "UPLOAD"))
    outside = rng.random() < 0.6
    sender = people.email(rng, cast.person(""))
    recipients = []
    for number in range(rng.choice((1, 1, 1, 2, 3, 5))):
        who = cast.person(str(number + 1) if number < 8 else "")
        if outside and number == 0:
            address = (
                rng.choice(_PUBLIC)
                if rng.random() < 0.2
                else people.email(rng, people.invent(rng, cast.pools))
            )
            recipients.append(Recipient(address, rng.choice((True, True, None))))
        else:
            local = people.email(rng, who).split("@")[0]
            recipients.append(
                Recipient(f"{local}@{cast.company}", rng.choice((False, False, None)))
            )
    draft = body(cast, library, size)
    subject = _subject(cast, library)
    drafts = {("body", 0): draft, ("subject", 0): subject}
    attachments: tuple[Attachment, ...] = ()
    if rng.random() < 0.2:
        attached = body(cast, library, rng.randrange(100, max(101, size)))
        attachments = (
            Attachment(
                rng.choice(
                    (
                        "notes.txt",
                        "export.csv",
                        "contract.docx",
                        "config.yaml",
                        "scan.pdf",
                        "dump.sql",
                    )
                ),
                attached.text,
            ),
        )
        drafts["attachment", 0] = attached
    own, role, metadata, clash = "", rng.choice(_ROLES), {}, ""
    kinds = {entity.type for entity in draft.entities}
    if "MATTER" in kinds or rng.random() < 0.15:
        own = next(
            (entity.key for entity in draft.entities if entity.type == "MATTER"), legal.matter(rng)
        )
        if "MATTER" in kinds and rng.random() < 0.45:
            own, clash = legal.matter(rng), "MATTER"
        metadata["matter"] = own
    for kind_of, owners in _OWN.items():
        if kind_of in kinds and not clash:
            if rng.random() < 0.5:
                role = rng.choice(owners)
            elif role not in owners and rng.random() < 0.6:
                role = rng.choice(
                    [
                        other
                        for other in ("support", "sales", "hr", "contractor")
                        if other not in owners
                    ]
                )
                clash = kind_of
            else:
                role = ""
    if rng.random() < 0.3:
        metadata[rng.choice(("channel", "repository", "client", "project"))] = rng.choice(
            (people.domain(rng).split(".")[0], cast.fill("ident").text)
        )
    message = Message(
        draft.text, kind, role, sender, tuple(recipients), subject.text, metadata,
        rng.choice((None, 0, 1, 2, 5)), attachments,
    )  # fmt: skip
    return _label(message, drafts, outside=outside, clash=clash)


def _subject(cast: Cast, library: Library) -> Draft:
    chance = cast.rng.random()
    if chance < 0.4:
        draft = Draft()
        draft.put(cast.rng.choice(("", "RE: ", "Re: ", "Fwd: ")) + cast.fill("topic").text)
        return draft
    return write(
        library.template(cast.rng, "mail" if chance < 0.7 else "negative").split("\\n")[0], cast
    )


def _label(
    message: Message, drafts: dict[tuple[str, int], Draft], *, outside: bool, clash: str
) -> Labelled:
    serialized = serialize(message)
    spans: list[FieldSpan] = []
    entities: list[Entity] = []
    for (name, index), draft in drafts.items():
        for entity in draft.entities:
            span = FieldSpan(name, index, entity.start, entity.end, entity.type)
            placed = serialized.to_text(span)
            if placed is not None:
                spans.append(span)
                entities.append(entity._replace(start=placed.start, end=placed.end))
    kept: list[Entity] = []
    for entity in sorted(entities):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
    start = next((entity.end for entity in kept if entity.type == clash), -1) if clash else -1
    return Labelled(message, serialized, tuple(spans), tuple(kept), outside, start)
