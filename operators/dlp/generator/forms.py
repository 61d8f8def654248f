"""Forms, tables and serialised objects, with labels as people and programs write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import cues, templates_fields
from operators.dlp.generator.writing import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from operators.dlp.generator.slots import Cast

_FIELDS: Final = [
    (tuple(labels.split("|")), slot)
    for labels, slot in (line.rsplit(" -> ", 1) for line in templates_fields.FIELDS)
]
_NEGATIVE_SLOTS: Final = frozenset(
    "dob usr mrn npi ord co city job date time amt uuid sha ver ip num neg ex topic tok".split()
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
            "arrow",
            "call",
            "header",
            "upper",
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
    "arrow": lambda name: (f"    '{name.lower().replace(' ', '_')}' => '", "',\n"),
    "call": lambda name: (f'    {name.lower().replace(" ", "_")}="', '",\n'),
    "header": lambda name: (f"X-{name.title().replace(' ', '-')}: ", "\n"),
    "upper": lambda name: (f"{name.upper()}: ", "\n"),
    "lines": lambda name: (f"{name}\n", "\n"),
}
