"""What a rule says of a place in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import re


class Hit(NamedTuple):
    """A place that a rule knows.

    Attributes:
        start: first code point.
        end: code point after the last one.
        type: one of `operators.dlp.tags.TYPES`.
        rule: name of the rule; never the value.
        validated: whether a checksum, a numbering plan or a vendor's format confirms the value.
        adds: whether the rule reports it alone; otherwise it only supports the model.
    """

    start: int
    end: int
    type: str
    rule: str
    validated: bool
    adds: bool


Rule = Callable[[str], Iterator[Hit]]

WINDOW = 48
"""Code points before a value in which a word says what it is."""


def cued(text: str, start: int, cue: re.Pattern[str], window: int = WINDOW) -> bool:
    """Whether a cue stands shortly before a place, on its line or the one above."""
    low = max(0, start - window)
    above = text.rfind("\n", low, start)
    if above > 0:
        low = max(low, text.rfind("\n", low, above) + 1)
    return cue.search(text, low, start) is not None
