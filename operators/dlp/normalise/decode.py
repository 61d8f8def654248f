"""Encodings undone, one level: HTML entities, percent, base64, hex."""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import Final

from operators.dlp.offsets import Edit

_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/_=.$-])(?:[A-Za-z0-9+/]{12,8192}|[A-Za-z0-9_-]{12,8192})={0,2}"
    r"(?![A-Za-z0-9+/_=-])"
)
_HEX: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:0x)?(?:[0-9a-fA-F]{2}){7,4096}"
    r"|(?:[0-9a-fA-F]{2}[ :]){6,2048}[0-9a-fA-F]{2}"
    r"|(?:\\x[0-9a-fA-F]{2}){4,2048})(?![0-9A-Za-z])"
)
_NOT_HEX: Final = re.compile(r"0x|\\x|[ :]")
_LUHN_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LEAST: Final = 7
_CARD_LENGTHS: Final = range(12, 20)


def entities(text: str) -> list[Edit]:
    """HTML entities, each to become what it spells."""
    if "&" not in text:
        return []
    found = []
    for match in _ENTITY.finditer(text):
        plain = html.unescape(match[0])
        if plain != match[0] and "\x00" not in plain:
            found.append(Edit(match.start(), match.end(), plain))
    return found


def percents(text: str) -> list[Edit]:
    """Percent-encoded characters of runs that are UTF-8 text, each by itself."""
    if "%" not in text:
        return []
    found = []
    for match in _PERCENT.finditer(text):
        plain = _as_text(binascii.unhexlify(match[0].replace("%", "")))
        place = match.start()
        for char in plain or "":
            end = place + 3 * len(char.encode())
            found.append(Edit(place, end, char))
            place = end
    return found


def base64s(text: str) -> list[Edit]:
    """Words of base64, plain or URL-safe, that hold readable text."""
    found = []
    for match in _BASE64.finditer(text):
        word = match[0].rstrip("=")
        if len(word) % 4 == 1 or word.isdigit() or (word.isalpha() and word.islower()):
            continue
        padded = (word + "=" * (-len(word) % 4)).replace("-", "+").replace("_", "/")
        plain = _as_text(base64.b64decode(padded))
        if plain is not None and _is_readable(plain):
            found.append(Edit(match.start(), match.end(), plain))
    return found


def hexes(text: str) -> list[Edit]:
    r"""Runs of hex bytes (bare, spaced, ``\x``) that hold readable text."""
    found = []
    for match in _HEX.finditer(text):
        digits = _NOT_HEX.sub("", match[0])
        if len(digits) % 2 or (digits.isdigit() and _may_be_card(digits)):
            continue
        plain = _as_text(binascii.unhexlify(digits))
        if plain is not None and _is_readable(plain):
            found.append(Edit(match.start(), match.end(), plain))
    return found


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\t\r\n" for char in text) else None


def _is_readable(text: str) -> bool:
    """Whether random bytes would hardly look like this: ASCII for the most part, and words."""
    plain = sum(char.isascii() and (char.isalnum() or char in " @.-_:/") for char in text)
    return len(text) >= _LEAST and plain >= 0.8 * len(text)


def _may_be_card(digits: str) -> bool:
    if len(digits) not in _CARD_LENGTHS:
        return False
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(_LUHN_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0
