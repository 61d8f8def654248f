"""Texts under construction: pieces, the spans among them, and templates that are filled in."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from operators.dlp.generator.slots import Cast
    from operators.dlp.generator.values import Value

_CHOICE: Final = re.compile("«([^»]*)»")
_SLOT: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z]+\d?)\}")


_NOISY: Final = 0.45
_WORDS: Final = re.compile(r"[A-Za-z]{2,}")
_CUE: Final = re.compile(
    r"pass|pw|pin|log|secret|key|token|ssn|social|sec|id$|dni|cpf|bsn|pesel|fiscal|licen|passport|matter|case|docket"
    r"|file|ref|no$|card|iban|visa|user|auth|bearer|tax|ident|insur|urance|civil|court|mwr|wort|contras|senha|clave|nummer|legal|mot"
    r"|nda|confid|disclos|priv|der|db|code",
    re.IGNORECASE,
)


class Entity(NamedTuple):
    """A tagged value where it stands in a text."""

    start: int
    end: int
    type: str
    disguised: bool
    key: str


@dataclass(slots=True)
class Draft:
    """A text that grows, and its tagged values."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    entities: list[Entity] = field(default_factory=list)

    def put(self, text: str) -> None:
        """Add plain text."""
        self.parts.append(text)
        self.length += len(text)

    def value(self, value: Value) -> None:
        """Add a value, tagged if it has a type."""
        if value.type and value.text:
            end = self.length + len(value.text)
            self.entities.append(Entity(self.length, end, value.type, value.disguised, value.key))
        self.put(value.text)

    def add(self, other: Draft) -> None:
        """Add another text with its values."""
        self.entities += [
            entity._replace(start=entity.start + self.length, end=entity.end + self.length)
            for entity in other.entities
        ]
        self.parts += other.parts
        self.length += other.length

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.parts)


def write(template: str, cast: Cast, indent: str = "") -> Draft:
    r"""A template with its choices made and its slots filled; ``\\n`` in it is a line end."""
    draft = Draft()
    if "«" in template:
        template = _CHOICE.sub(lambda match: cast.rng.choice(match[1].split("|")), template)
    draft.put(indent)
    noisy = cast.rng.random() < _NOISY
    for literal, slot in _parse(template):
        if literal and noisy and "\n" not in literal:
            draft.put(_noise(literal, cast))
        elif literal:
            draft.put(literal.replace("\n", "\n" + indent) if indent else literal)
        if slot:
            draft.value(cast.fill(slot))
    return draft


def _noise(literal: str, cast: Cast) -> str:
    """The wording changed here and there, but for words that say what a value is."""
    rng = cast.rng
    done, parts = 0, []
    for match in _WORDS.finditer(literal):
        if rng.random() > 0.22 or _CUE.search(match[0]):
            continue
        parts.append(literal[done : match.start()])
        chance = rng.random()
        if chance < 0.6 and cast.words:
            parts.append(rng.choice(cast.words))
        elif chance < 0.75:
            parts.append(match[0].upper() if chance < 0.68 else match[0].lower())
        done = match.end()
    parts.append(literal[done:])
    return "".join(parts)


@functools.lru_cache(50_000)
def _parse(template: str) -> tuple[tuple[str, str], ...]:
    parts: list[tuple[str, str]] = []
    done, literal = 0, ""
    for match in _SLOT.finditer(template):
        literal += template[done : match.start()]
        done = match.end()
        if match[1] is None:
            literal += match[0][0]
            continue
        parts.append((literal.replace("\\n", "\n"), match[1]))
        literal = ""
    parts.append(((literal + template[done:]).replace("\\n", "\n"), ""))
    return tuple(parts)
