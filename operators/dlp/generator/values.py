"""A value on its way into a text."""

from __future__ import annotations

from typing import NamedTuple


class Value(NamedTuple):
    """A piece of text and, where it is one of the tagged types, which.

    Attributes:
        text: as it is written.
        type: one of `operators.dlp.tags.TYPES`, or empty where it must not be flagged.
        disguised: whether the writer tried to hide it.
        key: what the value is underneath, so that one value written twice counts once.
    """

    text: str
    type: str = ""
    disguised: bool = False
    key: str = ""
