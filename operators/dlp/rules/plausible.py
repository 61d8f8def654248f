"""Whether what the model found can be what it says, and whether something near speaks for it."""

from __future__ import annotations

import calendar
import re
from typing import TYPE_CHECKING, Final

from operators.dlp.normalise import normalise
from operators.dlp.notices import NOTICE
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
_MOST_DOTS: Final = 4
"""No government's number has more; those of sections do."""
_SAMPLE_URI: Final = re.compile(r"//(?:scott:tiger|guest:guest|user:pass(?:word)?)@")
_WORDLESS: Final = re.compile(r"^[\W\d_]+$")
_CODE_NAME: Final = re.compile(
    r"[_(){}\[\]=<>/\\|$%#@*+;:`~^]|->|\w\.[a-z]{3,}|\b(?!Mc|Mac|De|Di|La|Le|Du|Van|O)[a-z]*[a-z][A-Z]|\d{2}"
)
_PERSON_KEY: Final = re.compile(
    r"(?:first|last|full|given|family|middle|maiden|sur|customer|client|patient|employee|user|contact|owner|holder|applicant|recipient|sender|beneficiary|manager"
    r"|member|driver|student|attendee|billing|shipping|display|nick|card ?holder|spouse|person)[ _.-]?(?:name)?['\"]?\s*[:=]\s*(?:\{\s*['\"]?\w*name['\"]?\s*:\s*)?['\"]?$"
    r"|\b(?:FN|X-(?:From|To|cc)|(?:Signed-off|Reported|Reviewed|Tested|Acked|Suggested)-by)\s?:\s?$",
    re.IGNORECASE,
)
_KEY_REACH: Final = 40
_COMMIT: Final = re.compile(r"\s*(?:Author|Commit(?:ter)?):\s*$")
_LOWER: Final = 0.8
"""Confidence that a name in lower case needs: in chats they are names, elsewhere words."""
_IMPORT: Final = re.compile(r"^[ \t]*(?:from +[\w.]+ +import\b|import +\w)", re.MULTILINE)
_PROGRAM: Final = 20_000
"""Code points around a word in which a program is searched for other uses of it."""
_STATEMENT: Final = re.compile(
    r"[ \t]*(?:case|var|const|func|fn|def|type|class|struct|enum|interface)\b[^\"'`/#]*$"
)
"""A line of a program up to a place that is neither quoted nor in a comment."""
_ARMOUR: Final = "-----"
_LEAST_KEY: Final = 64
_DATES: Final = frozenset((*calendar.month_name, *calendar.day_name)) - {"April", "May", "June"}
"""Words that are nobody's name; the other months are first names as well."""
_USER: Final = re.compile(
    r"\b(?:user|user[ _-]?name|login|uid|account)\s?[=:]\s?$|(?:^|[\s(,\[])@$", re.IGNORECASE
)


def is_supported(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a word before the place says that such a value follows.

    For names it is the kind of text: in prose people are named, in code and markup hardly ever.
    """
    if kind == "NAME":
        return _is_named(text, start, end)
    cue = _CUES.get(kind)
    return cue is not None and cued(text, start, cue)


def _is_named(text: str, start: int, end: int) -> bool:
    """Whether a name stands in prose, or where a form or a record has a person's."""
    if _PERSON_KEY.search(text, max(0, start - _KEY_REACH), start):
        return True
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    if _BESIDE.search(beside) or _signs(text, start, end) >= _PROSE:
        return False
    return not text[start:end].islower() or _around(text, start, end).islower()


def _around(text: str, start: int, end: int) -> str:
    return text[max(0, start - _LEAST_AROUND) : end + _LEAST_AROUND]


def _signs(text: str, start: int, end: int) -> float:
    """Share of the signs of programs and markup in the text around a place."""
    around = text[max(0, start - _AROUND) : start] + text[end : end + _AROUND]
    return len(_SIGN.findall(around)) / max(_LEAST_AROUND, len(around))


def _is_module(text: str, start: int, end: int) -> bool:
    """Whether a program's own text uses the word as the name of a module or in that of a class."""
    word = text[start:end]
    low, high = max(0, start - _PROGRAM), end + _PROGRAM
    if not word.isascii() or not word.isalpha() or _IMPORT.search(text, low, high) is None:
        return False
    lower = word.lower()
    used = (
        rf"^[ \t]*(?:from +[\w.]*\b{lower}\b[\w.]* +import\b|import +[\w., ]*\b{lower}\b)"
        rf"|\b{lower}\.\w+\(|\b{word}[A-Z][a-z]"
    )
    return re.compile(used, re.MULTILINE).search(text, low, high) is not None


def _is_declared(text: str, start: int, end: int) -> bool:
    """Whether a program's own text has the word as a type, a field or a function."""
    word = text[start:end]
    if not word.isascii() or not word.isalpha():
        return False
    used = (
        rf"[a-z)\]]\.{word}\b(?!@)|\b(?:func|fn|def|type|class|struct|enum|interface|new) +{word}\b"
    )
    low, high = max(0, start - _PROGRAM), end + _PROGRAM
    return re.compile(used).search(text, low, high) is not None


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
    if kind == "NAME":
        noted = NOTICE.search(line) is not None and not _COMMIT.match(line)
        worded = plain != value and plain.islower() and plain.isalpha() and sure < _CERTAIN
        least = _LOWER if _around(text, start, end).islower() else _CERTAIN
        low = value.islower() and sure < least
        stated = not supported and _STATEMENT.match(line) is not None
        if not stated and (not supported or sure < _CERTAIN):
            stated = _is_declared(text, start, end)
        return noted or worded or low or stated or _is_module(text, start, end)
    return kind == "SECRET" and _USER.search(line) is not None


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
    few = len(numbers.digits_of(value)) < 4 and not _WORD.search(value)
    return few or value.count(".") > _MOST_DOTS


def _secret(value: str, trusted: bool) -> bool:
    bare = value.startswith(_ARMOUR) and len(value) < _LEAST_KEY
    if len(value) < 4 or bare or is_reference(value):
        return True
    return not trusted and (
        is_placeholder(value) or is_id(value) or is_code(value) or value.isdigit()
    )


def _uri(value: str, trusted: bool) -> bool:
    short = len(value) < 12 or not re.search(r"@|(?i:pass|pwd|key)\w*\s?=", value)
    shown = is_reference(value) or _SAMPLE_URI.search(value) is not None
    return short or shown or (not trusted and is_placeholder(value))


def _mail(value: str, trusted: bool) -> bool:
    if "@" in value:
        return not contacts.is_mail(value.strip("<>()[],;.\"'"))
    return not trusted or not re.search(r"(?i)at|arroba|\(a\)|dot|punto", value)


def _matter(value: str, trusted: bool) -> bool:
    del trusted
    return not _DIGIT.search(value) or len(value) < 4


def _name(value: str, trusted: bool) -> bool:
    if _WORDLESS.match(value) or len(value) < 2 or value in _DATES or value.endswith("="):
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
