"""Lines that say who wrote a program: the names in them are not tagged (docs/dlp-labels.md)."""

from __future__ import annotations

import re
from typing import Final

NOTICE: Final = re.compile(
    r"copyright|\(c\)|©|licen[cs]ed|@author|\bauthors?\b['\"]?\s*[:=]|maintainer|contributor"
    r"|\b(?:written|created|maintained|contributed|implemented|ported|patch(?:es)?) by",
    re.IGNORECASE,
)
