"""Whole texts in another shape, of the same length: lower case, capitals, lines of a mail program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.generator.writing import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_EXACT: Final = frozenset(("SECRET", "DBURI", "PAN"))
"""Types whose values are not what they were in another case."""
_LOWER: Final = 0.04
_UPPER: Final = 0.06
_WRAPPED: Final = 0.2


def reshaped(draft: Draft, rng: Random) -> Draft:
    """The text as it is, mostly; else in lower case, in capitals, or wrapped at some column."""
    chance = rng.random()
    if chance < _LOWER:
        return _cased(draft, str.lower)
    if chance < _UPPER:
        return _cased(draft, str.upper)
    if chance < _WRAPPED:
        return _wrapped(draft, rng.randrange(50, 80))
    return draft


def _cased(draft: Draft, change: Callable[[str], str]) -> Draft:
    old = draft.text
    changed = [other if len(other := change(char)) == 1 else char for char in old]
    for entity in draft.entities:
        if entity.type in _EXACT or entity.disguised:
            changed[entity.start : entity.end] = old[entity.start : entity.end]
    text = "".join(changed)
    entities = [
        entity if entity.disguised else entity._replace(key=text[entity.start : entity.end])
        for entity in draft.entities
    ]
    return Draft([text], len(text), entities)


def _wrapped(draft: Draft, width: int) -> Draft:
    """Spaces become line ends where a line gets longer than the width, in values as well."""
    chars = list(draft.text)
    fixed = {
        place
        for entity in draft.entities
        if entity.type in _EXACT or entity.disguised
        for place in range(entity.start, entity.end)
    }
    begin, space = 0, -1
    for place, char in enumerate(chars):
        if char == "\n":
            begin, space = place + 1, -1
        elif char == " " and place not in fixed:
            space = place
        if place - begin >= width and space > begin:
            chars[space] = "\n"
            begin, space = space + 1, -1
    text = "".join(chars)
    entities = [
        entity if entity.disguised else entity._replace(key=text[entity.start : entity.end])
        for entity in draft.entities
    ]
    return Draft([text], len(text), entities)
