"""Code points that look like one ASCII letter or digit: Unicode's confusables."""

from __future__ import annotations

from typing import Final

from confusable_homoglyphs.confusables import confusables_data

_LIVING: Final = range(0xC0, 0x250)
"""Letters that languages in Latin script are written with: Turkish has a dotless i of its own."""


def _table() -> dict[str, str]:
    """The alphabetic look-alikes outside ASCII; where there are several readings, a letter's."""
    table: dict[str, str] = {}
    for char, readings in confusables_data.items():
        if len(char) != 1 or char.isascii() or ord(char) in _LIVING or not char.isalnum():
            continue
        plain = [
            reading["c"]
            for reading in readings
            if len(reading["c"]) == 1 and reading["c"].isascii() and reading["c"].isalnum()
        ]
        if plain:
            table[char] = next((letter for letter in plain if letter.isalpha()), plain[0])
    return table


LOOKALIKES: Final = _table()
