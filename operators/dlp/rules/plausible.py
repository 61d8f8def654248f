"""Whether what the model found can be what it says, and whether something near speaks for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.normalise import normalise
from operators.dlp.rules import contacts, numbers
from operators.dlp.rules.hit import cued
from operators.dlp.rules.placeholders import is_code, is_id, is_placeholder, is_reference

if TYPE_CHECKING:
    from collections.abc import Callable

_SURE: Final = 0.9
_SIGN: Final = re.compile(r"[{}()\[\];=<>_/\\|#*$%^~`\"]")
_AROUND: Final = 300
_LEAST_AROUND: Final = 60
_NEAR: Final = 24
_BESIDE: Final = re.compile(r"[=\[\]|<>{}\"'`“”‘#*/\\]")
_PROSE: Final = 0.04
"""Of names in ordinary code and documentation, under one in ten stands in text with fewer signs."""
_CERTAIN: Final = 0.97
_ENCODED: Final = re.compile(r"[&%\\]|[A-Za-z0-9+/_-]{12}|(?:[0-9a-fA-F]{2}[ :]){6}")
_WORD: Final = re.compile(r"[A-Za-z]{3}")
_CUES: Final = {
    "PAN": re.compile(numbers.CARD_CUE.pattern + r"|iban|account|acct|konto|bank", re.IGNORECASE),
    "SSN": re.compile(
        numbers.SSN_CUE.pattern + r"|passport|licen[cs]e|\bdl\b|\bdni\b|\bcpf\b|\bbsn\b|\bsin\b|\btfn\b|nino|aadhaar|pesel|national|citizen|identi|\bid\b"
        r"|insurance|fiscal|steuer|personnummer|\bnif\b|\bnhs\b|tax",
        re.IGNORECASE,
    ),
    "PHONE": contacts.PHONE_CUE,
    "SECRET": re.compile(
        r"pass|pwd|\bpw\b|\bpin\b|secret|token|key|credential|auth|bearer|login|signing|webhook|private|contras|kennwort|senha|wachtwoord|clave|mot de",
        re.IGNORECASE,
    ),
    "MATTER": re.compile(
        r"matter|case|docket|cause|action|file|ref|proceeding|court|claim|v\.|client|litigation|aktenzeichen|dossier",
        re.IGNORECASE,
    ),
    "EMAIL": re.compile(r"mail|contact|write|reach|send|@|\bcc\b|from|to\b", re.IGNORECASE),
}  # fmt: skip
_DIGIT: Final = re.compile(r"\d")
_WORDLESS: Final = re.compile(r"^[\W\d_]+$")
_CODE_NAME: Final = re.compile(
    r"[_(){}\[\]=<>/\\|$%#@*+;:`~^]|->|\w\.[a-z]{3,}|\b(?!Mc|Mac|De|Di|La|Le|Du|Van|O)[a-z]*[a-z][A-Z]|\d{2}"
)
_USER: Final = re.compile(
    r"\b(?:user|user[ _-]?name|login|uid|account)\s?[=:]\s?$|(?:^|[\s(,\[])@$", re.IGNORECASE
)
_NOTICE: Final = re.compile(
    r"copyright|\(c\)|©|licen[cs]ed|@author|\bauthors?\b['\"]?\s*[:=]|(?:written|created|maintained|contributed|implemented|ported|patch(?:es)?) by|maintainer|contributor",
    re.IGNORECASE,
)


def is_supported(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a word before the place says that such a value follows.

    For names it is the kind of text: in prose people are named, in code and markup hardly ever.
    """
    if kind == "NAME":
        beside = text[max(0, start - 1) : start] + text[end : end + 1]
        plain = not text[start:end].islower() and not _BESIDE.search(beside)
        return plain and _signs(text, start, end) < _PROSE
    cue = _CUES.get(kind)
    return cue is not None and cued(text, start, cue)


def _signs(text: str, start: int, end: int) -> float:
    """Share of the signs of programs and markup in the text around a place."""
    around = text[max(0, start - _AROUND) : start] + text[end : end + _AROUND]
    return len(_SIGN.findall(around)) / max(_LEAST_AROUND, len(around))


def is_vetoed(text: str, start: int, end: int, kind: str, sure: float, *, supported: bool) -> bool:
    """Whether a span of the model alone cannot be what it says."""
    value = text[start:end]
    plain = normalise(value).text if not value.isascii() or _ENCODED.search(value) else value
    check = _VETOES.get(kind)
    if not value.strip() or check is None:
        return not value.strip()
    if kind == "SECRET" and is_id(plain) and not cued(text, start, _CUES[kind], _NEAR):
        return True
    trusted = sure >= _SURE and (supported or sure >= _CERTAIN)
    if check(plain, trusted):
        return True
    line = text[text.rfind("\n", 0, start) + 1 : start][-80:]
    return (kind == "NAME" and _NOTICE.search(line) is not None) or (
        kind == "SECRET" and _USER.search(line) is not None
    )


def _card(value: str, trusted: bool) -> bool:
    digits = numbers.digits_of(value)
    if trusted:
        return False
    if re.match(r"[A-Za-z]{2}\W?\d", value):
        return not numbers.is_iban(value)
    if 12 <= len(digits) <= 19 and len(digits) >= len(value) // 2:
        return not (numbers.is_card(digits) or numbers.is_card(digits[::-1]))
    return len(digits) < 8 and not _WORD.search(value)


def _phone(value: str, trusted: bool) -> bool:
    digits = numbers.digits_of(value)
    few, many = len(digits) < 7 and not _WORD.search(value), len(digits) > 20
    return few or many or (not trusted and is_id(value))


def _number(value: str, trusted: bool) -> bool:
    del trusted
    return len(numbers.digits_of(value)) < 4 and not _WORD.search(value)


def _secret(value: str, trusted: bool) -> bool:
    if len(value) < 4 or is_reference(value):
        return True
    return not trusted and (
        is_placeholder(value) or is_id(value) or is_code(value) or value.isdigit()
    )


def _uri(value: str, trusted: bool) -> bool:
    short = len(value) < 12 or not re.search(r"@|(?i:pass|pwd|key)\w*\s?=", value)
    return short or is_reference(value) or (not trusted and is_placeholder(value))


def _mail(value: str, trusted: bool) -> bool:
    if "@" in value:
        return not contacts.is_mail(value.strip("<>()[],;.\"'"))
    return not trusted or not re.search(r"(?i)at|arroba|\(a\)|dot|punto", value)


def _matter(value: str, trusted: bool) -> bool:
    del trusted
    return not _DIGIT.search(value) or len(value) < 4


def _name(value: str, trusted: bool) -> bool:
    if _WORDLESS.match(value) or len(value) < 2:
        return True
    return not trusted and _CODE_NAME.search(value) is not None


def _address(value: str, trusted: bool) -> bool:
    return (not trusted and not _DIGIT.search(value)) or len(value) < 8


_VETOES: Final[dict[str, Callable[[str, bool], bool]]] = {
    "PAN": _card,
    "PHONE": _phone,
    "SSN": _number,
    "SECRET": _secret,
    "DBURI": _uri,
    "EMAIL": _mail,
    "MATTER": _matter,
    "NAME": _name,
    "ADDR": _address,
}
