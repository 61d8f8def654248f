"""Bodies of messages: values among real carrier lines, in prose, forms, chats, code and logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.generator.forms import record
from operators.dlp.generator.library import carrier_line
from operators.dlp.generator.reshape import reshaped
from operators.dlp.generator.sentences import listing, sentence
from operators.dlp.generator.woven import expression, place
from operators.dlp.generator.writing import Draft, write

if TYPE_CHECKING:
    from operators.dlp.generator.library import Library
    from operators.dlp.generator.slots import Cast

_LITERAL: Final = re.compile(r"""(?<=["'])[A-Za-z0-9_ .-]{3,30}(?=["'])""")


_LETTERS: Final = 0.5
_GREETINGS: Final = (
    "{f},\\n\\n", "{f} -\\n\\n", "{f}:\\n", "Hi {f},\\n", "Dear {n},\\n\\n", "{f} and {f2},\\n\\n", "hey {f} ", "Hello {f}!\\n",
    "Dear Mr. {l}:\\n\\n", "Dear Ms. {l} and Mr. {l2},\\n", "{f} / {f2},\\n", "All,\\n\\n", "Team,\\n", "Hi,\\n", "{n}:\\n\\n",
)  # fmt: skip
_CLOSINGS: Final = (
    "\\n{f}", "\\n\\n{f}\\n", "\\n- {f}", "\\n{n}", "\\nThanks,\\n{f}", "\\nBest,\\n\\n{n}\\n{job}\\n{ph}", "\\nRegards,\\n{f} {l}",
    "\\nCheers\\n{f}", "\\n{f}\\n{ph}", "\\nSincerely,\\n\\n{n}\\n{co}", "\\nxx {f}", "\\n--\\n{n}, {job}", "\\nThe {dept} team",
)  # fmt: skip


def plain(cast: Cast, library: Library, kind: str, size: int, swapped: float = 0.0) -> Draft:
    """Real text as it is, or with people and others in the place of some of its things."""
    draft = Draft()
    for line in library.lines(cast.rng, kind, size):
        carrier_line(draft, line, cast, people=0.0, swapped=swapped)
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
    swapped = rng.choice((0.0, 0.0, 0.1, 0.4))
    for number, line in enumerate([*lines, ""]):
        while extra and extra[0][0] == number:
            positive = extra.pop(0)[1]
            _insert(draft, line, cast, library, register, positive=positive)
        share = swapped if kind == "prose" else 0.0
        carrier_line(draft, line, cast, people=0.3 if kind == "prose" else 0.03, swapped=share)
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
                carrier_line(draft, line.strip(), cast, people=0.8, swapped=0.3)
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


def weave(cast: Cast, library: Library, kind: str, size: int, share: float) -> Draft:
    """Real lines, the given share of them with something woven in, half of it harmless."""
    rng = cast.rng
    draft = Draft()
    swapped = rng.choice((0.0, 0.0, 0.1, 0.4)) if kind == "prose" else 0.0
    for line in library.lines(rng, kind, size):
        if rng.random() >= share:
            carrier_line(draft, line, cast, people=0.02, swapped=swapped)
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
    return reshaped(_body(cast, library, size), cast.rng)


def _body(cast: Cast, library: Library, size: int) -> Draft:
    rng = cast.rng
    draft = Draft()
    if rng.random() < 0.4:
        kind = rng.choice(("prose", "prose", "prose", "code", "code", "config"))
        return weave(cast, library, kind, size, rng.choice((0.1, 0.2, 0.4, 0.8)))
    chance = rng.random()
    if chance < 0.2:
        kind = rng.choice(("prose", "prose", "prose", "code", "code", "code", "config", "log"))
        return plain(cast, library, kind, size)
    if chance < 0.25:
        return plain(cast, library, "prose", size, rng.choice((0.2, 0.5, 0.9)))
    if chance < 0.31:
        kind = rng.choice(("prose", "code", "code", "config"))
        return spliced(cast, library, kind, size, 0, max(2, size // 250))
    if chance < 0.35:
        return logged(cast, library, size, rng.choice((0.0, 0.1, 0.3, 0.6)))
    if chance < 0.52:
        kind = rng.choice(("code", "code", "code", "config", "config", "code", "log"))
        count = rng.choice((1, 1, 2, 3, max(1, size // 400)))
        return spliced(cast, library, kind, size, count, rng.choice((0, count, 2 * count)))
    if chance < 0.63:
        count = rng.choice((1, 2, 3, max(1, size // 300)))
        return spliced(cast, library, "prose", size, count, rng.choice((0, 1, 2)))
    if chance < 0.66:
        while draft.length < min(size, 600):
            draft.add(listing(cast, dev=library.dev))
            draft.put(rng.choice(("\n", "\n\n", " ", ", ")))
            if rng.random() < 0.3:
                break
        return draft
    if chance < 0.72:
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
    letter = register == "mail" and rng.random() < _LETTERS
    if letter:
        draft.add(write(rng.choice(_GREETINGS), cast))
    while draft.length < size:
        if rng.random() < 0.22:
            draft.add(record(cast, rows=rng.choice((1, 2, 3, 6)), hard=rng.choice((0.0, 0.3, 1.0))))
        else:
            draft.add(prose(cast, library, register, rng.randrange(1, 7), hard))
        draft.put(rng.choice(("\n", "\n\n", " ")))
        if rng.random() < 0.15:
            cast.people.clear()
    if letter:
        draft.add(write(rng.choice(_CLOSINGS), cast))
    return draft
