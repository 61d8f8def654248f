"""Real text that values are set into, and that stands for what must not be flagged."""

from __future__ import annotations

import zlib
from typing import NamedTuple


class Carrier(NamedTuple):
    """A part of a file of an installed package.

    Attributes:
        source: the package.
        kind: ``prose``, ``code``, ``config`` or ``log``.
        text: some thousand code points of it.
    """

    source: str
    kind: str
    text: str


def in_dev(name: str) -> bool:
    """Whether a template, locale or carrier source belongs to the development set: one in ten."""
    return zlib.crc32(name.encode()) % 10 == 0
