"""Bodies of messages: values among real carrier lines, in prose, forms, chats, code and logs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import cues, templates_fields, templates_prose
from operators.dlp.generator.carrier import in_dev
from operators.dlp.generator.sentences import listing, sentence
from operators.dlp.generator.values import Value
from operators.dlp.generator.woven import expression, place
from operators.dlp.generator.writing import Draft, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from operators.dlp.generator.carrier import Carrier
    from operators.dlp.generator.slots import Cast

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
_LITERAL: Final = re.compile(r"""(?<=["'])[A-Za-z0-9_ .-]{3,30}(?=["'])""")
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
        "code": templates_fields.CODE,
        "config": templates_fields.CONFIG,
        "log": templates_fields.LOG,
        "negative": templates_fields.NEGATIVE,
    }.items()
}
_FIELDS: Final = [
    (tuple(labels.split("|")), slot)
    for labels, slot in (line.rsplit(" -> ", 1) for line in templates_fields.FIELDS)
]
_NEGATIVE_SLOTS: Final = frozenset(
    "dob usr mrn npi ord co city job date time amt uuid sha ver ip num neg ex topic tok".split()
)


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


def carrier_line(draft: Draft, line: str, cast: Cast, *, people: float) -> None:
    """A real line: its mail addresses tagged, and with some luck a person put in it."""
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


def plain(cast: Cast, library: Library, kind: str, size: int, people: float = 0.0) -> Draft:
    """Real text as it is."""
    draft = Draft()
    for line in library.lines(cast.rng, kind, size):
        carrier_line(draft, line, cast, people=people)
        draft.put("\n")
    return draft


def spliced(
    cast: Cast, library: Library, kind: str, size: int, count: int, negatives: int
) -> Draft:
    """Real lines with lines of values, and of what only looks like values, among them."""
    rng = cast.rng
    lines = library.lines(rng, kind, size)
    register = "mail" if kind == "prose" else kind
    extra: list[tuple[int, bool]] = [(rng.randrange(len(lines) + 1), True) for _ in range(count)]
    extra += [(rng.randrange(len(lines) + 1), False) for _ in range(negatives)]
    extra.sort()
    draft = Draft()
    for number, line in enumerate([*lines, ""]):
        while extra and extra[0][0] == number:
            positive = extra.pop(0)[1]
            _insert(draft, line, cast, library, register, positive=positive)
        carrier_line(draft, line, cast, people=0.3 if kind == "prose" else 0.03)
        draft.put("\n")
    return draft


def _insert(
    draft: Draft, line: str, cast: Cast, library: Library, register: str, *, positive: bool
) -> None:
    rng = cast.rng
    chance = rng.random()
    code = register != "mail"
    literal = _LITERAL.search(line) if register in {"code", "config"} and chance < 0.15 else None
    if literal:
        slot = (
            rng.choice(("vkey", "vkey", "em", "n", "ph", "card", "db"))
            if positive
            else rng.choice(("neg", "uuid", "sha", "tok", "ord", "ident"))
        )
        draft.put(line[: literal.start()])
        draft.value(cast.fill(slot))
        draft.put(line[literal.end() :] + "\n")
        return
    indent = line[: len(line) - len(line.lstrip())] if rng.random() < 0.8 else ""
    if not positive:
        draft.add(write(library.template(rng, "negative"), cast, indent))
    elif register == "mail":
        if rng.random() < 0.4:
            draft.add(sentence(cast, dev=library.dev))
        else:
            register = rng.choice(("mail", "report", "report", "ticket"))
            draft.add(write(library.template(rng, register), cast))
    else:
        other = rng.choice(("code", "config", "log", "ticket")) if rng.random() < 0.15 else register
        draft.add(write(library.template(rng, other), cast, indent))
    draft.put("\n" if code or rng.random() < 0.5 else " ")


def prose(cast: Cast, library: Library, register: str, sentences: int, negatives: float) -> Draft:
    """Sentences of a register, some of them of real prose and some of look-alikes."""
    rng = cast.rng
    draft = Draft()
    gap = rng.choice((" ", " ", "\n", "\n\n"))
    if register in {"chat", "ticket"}:
        gap = "\n"
    for _ in range(sentences):
        chance = rng.random()
        if chance < negatives:
            draft.add(write(library.template(rng, "negative"), cast))
        elif chance < negatives + 0.25:
            draft.add(sentence(cast, dev=library.dev))
        elif chance < negatives + 0.4:
            for line in library.lines(rng, "prose", rng.choice((60, 200)))[:3]:
                carrier_line(draft, line.strip(), cast, people=0.8)
                draft.put(" ")
        else:
            if register == "chat" and rng.random() < 0.5:
                draft.put(_speaker(cast))
            draft.add(write(library.template(rng, register), cast))
        draft.put(gap if rng.random() < 0.8 else "\n")
    return draft


def _speaker(cast: Cast) -> str:
    rng = cast.rng
    return rng.choice(("<{u}> ", "{u}: ", "[{t}] {u}: ", "{u}  {t}\n", "@{u} ", "> ", "- ")).format(
        u=cast.fill("usr").text, t=cast.fill("time").text
    )


def record(cast: Cast, *, rows: int, hard: float) -> Draft:
    """A form, a table or a serialised object, with labels as people and programs write them."""
    rng = cast.rng
    style = rng.choice(
        (
            "colon",
            "colon",
            "table",
            "json",
            "csv",
            "yaml",
            "xml",
            "markdown",
            "html",
            "equals",
            "lines",
        )
    )
    allowed = [
        (labels, slot)
        for labels, slot in _FIELDS
        if (slot in _NEGATIVE_SLOTS) or rng.random() > hard
    ]
    columns = rng.sample(allowed, min(len(allowed), rng.randrange(3, 9)))
    names = [_label_of(rng, labels, slot) for labels, slot in columns]
    slots = [slot for _, slot in columns]
    draft = Draft()
    if style in {"table", "csv", "markdown"}:
        mark = {"table": "  ", "markdown": " | "}.get(style) or rng.choice(
            (",", ",", ";", "\t", "|")
        )
        quote = '"' if style == "csv" and rng.random() < 0.4 else ""
        draft.put(mark.join(quote + name + quote for name in names) + "\n")
        if style == "markdown":
            draft.put(" | ".join("---" for _ in names) + "\n")
        for row in range(rows):
            for number, slot in enumerate(slots):
                draft.put((mark if number else "") + quote)
                draft.value(cast.fill(f"{slot}{row % 10}"))
                draft.put(quote)
            draft.put("\n")
        return draft
    for row in range(max(1, rows // 3)):
        for name, slot in zip(names, slots, strict=True):
            value = cast.fill(f"{slot}{row}" if row < 10 else slot)
            before, after = _STYLES[style](name)
            draft.put(before)
            draft.value(value)
            draft.put(after)
        draft.put(rng.choice(("\n", "---\n", "\n\n")))
    return draft


def _label_of(rng: Random, labels: tuple[str, ...], slot: str) -> str:
    chance = rng.random()
    if slot in cues.CUES and chance < 0.5:
        return (
            cues.cased(rng, rng.choice(cues.CUES[slot]))
            if chance < 0.25
            else rng.choice(cues.CUES[slot]).title()
        )
    if slot in {"pw", "key"} and chance < 0.7:
        return cues.identifier(rng, cues.PASSWORDS if slot == "pw" else cues.SECRETS)
    return rng.choice(labels)


_STYLES: Final[dict[str, Callable[[str], tuple[str, str]]]] = {
    "colon": lambda name: (f"{name}: ", "\n"),
    "json": lambda name: (f'  {json.dumps(name)}: "', '",\n'),
    "yaml": lambda name: (f"{name.lower().replace(' ', '_')}: ", "\n"),
    "xml": lambda name: (f"  <{name.replace(' ', '')}>", f"</{name.replace(' ', '')}>\n"),
    "html": lambda name: (f"<tr><td>{name}</td><td>", "</td></tr>\n"),
    "equals": lambda name: (f"{name.replace(' ', '_')}=", "\n"),
    "lines": lambda name: (f"{name}\n", "\n"),
}


def weave(cast: Cast, library: Library, kind: str, size: int, share: float) -> Draft:
    """Real lines, the given share of them with something woven in, half of it harmless."""
    rng = cast.rng
    draft = Draft()
    for line in library.lines(rng, kind, size):
        if rng.random() >= share:
            carrier_line(draft, line, cast, people=0.02)
            draft.put("\n")
            continue
        if rng.random() < 0.1:
            what = sentence(cast, dev=library.dev)
        else:
            what = expression(cast, positive=rng.random() < 0.5)
        where, before, after = place(rng, line)
        carrier_line(draft, line[:where], cast, people=0.0)
        draft.put(before)
        draft.add(what)
        draft.put(after)
        carrier_line(draft, line[where:], cast, people=0.0)
        draft.put("\n")
        if rng.random() < 0.05:
            cast.people.clear()
    return draft


def logged(cast: Cast, library: Library, size: int, share: float) -> Draft:
    """A log: real sentences and harmless lines behind time stamps, and some that tell too much."""
    rng = cast.rng
    draft = Draft()
    style = rng.choice(_LOG_STYLES)
    while draft.length < size:
        chance = rng.random()
        if chance < share:
            draft.add(write(library.template(rng, "log"), cast))
        elif chance < share + 0.15:
            draft.add(write(library.template(rng, "negative"), cast))
        else:
            before = style.format(
                ts=cast.fill("ts").text, level=rng.choice(("INFO", "WARN", "DEBUG", "ERROR")),
                name=cast.fill("ident").text, num=cast.fill("num").text, ip=cast.fill("ip").text,
            )  # fmt: skip
            line = library.lines(rng, rng.choice(("prose", "code")), 60)[0]
            draft.put(before)
            carrier_line(draft, line.strip()[:160], cast, people=0.1)
        draft.put("\n")
    return draft


_LOG_STYLES: Final = (
    "{ts} {level} {name}: ", "{ts} [{level}] ", "{level}:{name}:", "{ts} host{num} {name}[{num}]: ", "[{ts}] [{name}] {level} - ",
    "{ip} - - [{ts}] ", "time={ts} level={level} msg=", "{ts}\t{level}\t{name}\t", "{level} {ts} {name}.java:{num} - ", "{num} ",
)  # fmt: skip


def body(cast: Cast, library: Library, size: int) -> Draft:
    """A body of about the given number of code points, of a register drawn by chance.

    Half of what could be flagged in it is harmless; one body in four holds nothing at all.
    """
    rng = cast.rng
    draft = Draft()
    if rng.random() < 0.42:
        kind = rng.choice(("prose", "prose", "prose", "code", "code", "config"))
        return weave(cast, library, kind, size, rng.choice((0.1, 0.2, 0.4, 0.8)))
    chance = rng.random()
    if chance < 0.2:
        draft.add(
            plain(
                cast,
                library,
                rng.choice(("prose", "prose", "prose", "code", "code", "code", "config", "log")),
                size,
            )
        )
        return draft
    if chance < 0.27:
        draft.add(
            spliced(
                cast,
                library,
                rng.choice(("prose", "code", "code", "config")),
                size,
                0,
                max(2, size // 250),
            )
        )
        return draft
    if chance < 0.31:
        draft.add(logged(cast, library, size, rng.choice((0.0, 0.1, 0.3, 0.6))))
        return draft
    if chance < 0.5:
        kind = rng.choice(("code", "code", "code", "config", "config", "code", "log"))
        count = rng.choice((1, 1, 2, 3, max(1, size // 400)))
        draft.add(spliced(cast, library, kind, size, count, rng.choice((0, count, 2 * count))))
        return draft
    if chance < 0.62:
        draft.add(
            spliced(
                cast,
                library,
                "prose",
                size,
                rng.choice((1, 2, 3, max(1, size // 300))),
                rng.choice((0, 1, 2)),
            )
        )
        return draft
    if chance < 0.65:
        while draft.length < min(size, 600):
            draft.add(listing(cast, dev=library.dev))
            draft.put(rng.choice(("\n", "\n\n", " ", ", ")))
            if rng.random() < 0.3:
                break
        return draft
    if chance < 0.7:
        gap = rng.choice((" ", " ", "\n"))
        while draft.length < size:
            draft.add(sentence(cast, dev=library.dev))
            draft.put(gap)
            if rng.random() < 0.3:
                cast.people.clear()
        return draft
    register = rng.choices(
        ("mail", "report", "chat", "ticket", "foreign"), weights=(10, 8, 5, 3, 1.5)
    )[0]
    hard = rng.choice((0.0, 0.2, 0.4))
    while draft.length < size:
        if rng.random() < 0.22:
            draft.add(record(cast, rows=rng.choice((1, 2, 3, 6)), hard=rng.choice((0.0, 0.3, 1.0))))
        else:
            draft.add(prose(cast, library, register, rng.randrange(1, 7), hard))
        draft.put(rng.choice(("\n", "\n\n", " ")))
        if rng.random() < 0.15:
            cast.people.clear()
    return draft
