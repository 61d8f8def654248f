"""Real text of one side of the split, and the templates of that side; values in real lines tagged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import named, templates_code, templates_fields, templates_prose
from operators.dlp.generator.carrier import in_dev
from operators.dlp.generator.named import Known
from operators.dlp.generator.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from operators.dlp.generator.carrier import Carrier
    from operators.dlp.generator.pools import Pools
    from operators.dlp.generator.slots import Cast
    from operators.dlp.generator.writing import Draft

_PERSON: Final = re.compile(
    r"\b[Tt]he (?:user|author|maintainer|developer|administrator|programmer|reader|owner|caller"
    r"|operator|recipient|sender|customer|client|person|reviewer|contributor|editor|team|system"
    r"|application|program|process|company|court|bank|group|committee|project|department)\b"
    r"|\b(?:[Ss]omeone|[Ss]omebody|Alice|Bob|[Hh]e|[Ss]he|[Yy]ou|[Tt]hey|[Ww]e|[Uu]sers|[Ee]veryone)\b"
)
_EMAIL: Final = re.compile(
    r"(?<![\w.+@/:-])[\w.+-]{2,}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,8}\b(?![@:/])"
)
_RESERVED: Final = re.compile(
    r"@(?:[\w.-]*\.)?(?:example|test|invalid|localhost|local)(?:\.\w+)*$|^(?:git|svn|hg|root)@|noreply",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"^\W*(?:From|To|Cc|Reply-To|Sender)\b|\bwrote\b", re.IGNORECASE)
_NAMED: Final = re.compile(r"([A-Z][\w'’-]+(?: [A-Z][\w.'’-]*){1,3}) $")


def _split(templates: Sequence[str]) -> dict[bool, tuple[str, ...]]:
    return {dev: tuple(text for text in templates if in_dev(text) == dev) for dev in (False, True)}


_PROSE: Final = {
    name: _split(lines)
    for name, lines in {
        "mail": templates_prose.MAIL,
        "chat": templates_prose.CHAT,
        "report": templates_prose.REPORT,
        "ticket": templates_prose.TICKET,
        "foreign": templates_prose.FOREIGN,
        "code": (*templates_fields.CODE, *templates_code.CODE),
        "config": (*templates_fields.CONFIG, *templates_code.CONFIG),
        "log": templates_fields.LOG,
        "negative": (*templates_fields.NEGATIVE, *templates_code.NEGATIVE),
    }.items()
}
_SAMPLE: Final = 600
"""Texts that show which words are ordinary."""


class Library:
    """Carriers of one side of the split, by kind.

    Args:
        carriers: every carrier.
        dev: which side to keep.
    """

    def __init__(self, carriers: Sequence[Carrier], *, dev: bool) -> None:
        self.dev = dev
        self.kinds: dict[str, list[str]] = {}
        for carrier in carriers:
            if in_dev(carrier.source) == dev:
                self.kinds.setdefault(carrier.kind, []).append(carrier.text)
        self._known: Known | None = None

    def known(self, pools: Pools) -> Known:
        """Tells people in this side's text; made from a sample of it when first asked for."""
        if self._known is None:
            texts = self.kinds["prose"]
            self._known = Known(pools, texts[:: max(1, len(texts) // _SAMPLE)])
        return self._known

    def lines(self, rng: Random, kind: str, size: int) -> list[str]:
        """Consecutive lines of some carrier, about as long as asked for."""
        texts = self.kinds.get(kind) or self.kinds["prose"]
        text = rng.choice(texts)
        start = rng.randrange(max(1, len(text) - size))
        start = text.rfind("\n", 0, start) + 1
        end = text.find("\n", start + size)
        return text[start : end if end > 0 else len(text)].split("\n")

    def template(self, rng: Random, register: str) -> str:
        """A template of a register, of this side of the split."""
        lines = _PROSE[register][self.dev] or _PROSE[register][False]
        return rng.choice(lines)


def carrier_line(
    draft: Draft, line: str, cast: Cast, *, people: float, swapped: float = 0.0
) -> None:
    """A real line: its people and mail addresses tagged, and with some luck others put in it."""
    done = 0
    for start, end, value in named.changes(line, cast, swapped):
        _addressed(draft, line[done:start])
        draft.value(value)
        done = end
    line = line[done:]
    match = _PERSON.search(line) if people and cast.rng.random() < people else None
    if match:
        _addressed(draft, line[: match.start()])
        draft.value(cast.fill(cast.rng.choice(("n", "n", "f", "n2", "l"))))
        line = line[match.end() :]
    _addressed(draft, line)


def _addressed(draft: Draft, line: str) -> None:
    """Real text with its mail addresses tagged, and the names beside them in mail headers."""
    done = 0
    for match in _EMAIL.finditer(line) if "@" in line else ():
        if _RESERVED.search(match[0]):
            continue
        before = line[done : match.start()]
        who = _NAMED.search(before[:-1]) if before[-1:] in {"<", "("} else None
        if who and _HEADER.search(line):
            draft.put(before[: who.start(1)])
            draft.value(Value(who[1], "NAME", key=who[1]))
            draft.put(before[who.end(1) :])
        else:
            draft.put(before)
        draft.value(Value(match[0], "EMAIL", key=match[0]))
        done = match.end()
    draft.put(line[done:])
