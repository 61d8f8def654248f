"""How what the scanner finds and decides is coloured on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.policy import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS: Final[Mapping[str, str]] = {
    "SECRET": "red",
    "DBURI": "red",
    "PAN": "magenta",
    "SSN": "magenta",
    "EMAIL": "cyan",
    "PHONE": "cyan",
    "ADDR": "cyan",
    "NAME": "blue",
    "NDA": "yellow",
    "MATTER": "yellow",
}
DECISIONS: Final[Mapping[str, str]] = {
    Decision.ALLOW: "bold green",
    Decision.ALLOW_WITH_WARNING: "bold yellow",
    Decision.REVIEW: "bold magenta",
    Decision.BLOCK: "bold red",
}
