"""Whether what the model found can be what it says, and whether something near speaks for it."""

from __future__ import annotations

import re
from typing import Final

from operators.dlp.rules import contacts, numbers
from operators.dlp.rules.hit import cued
from operators.dlp.rules.placeholders import is_code, is_id, is_placeholder

_SURE: Final = 0.9
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
_CODE_NAME: Final = re.compile(r"[_(){}\[\]=<>/\\|$%#@*+;:\"`~^]|::|->|\w\.\w{3,}|[a-z][A-Z]|\d{2}")
_TITLED: Final = re.compile(r"[^\W\d_a-z]", re.UNICODE)
_COMMENT: Final = re.compile(
    r"copyright|\(c\)|©|\bauthors?\b|licen[cs]e|maintain|contribut|written by|thanks|\bby\b|credit",
    re.IGNORECASE,
)


def is_supported(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a word before the place says that such a value follows."""
    del end
    cue = _CUES.get(kind)
    return cue is not None and cued(text, start, cue)


def is_vetoed(  # noqa: C901, PLR0911 - one case a type
    text: str, start: int, end: int, kind: str, sure: float, *, supported: bool
) -> bool:
    """Whether a span of the model alone cannot be what it says."""
    value = text[start:end]
    digits = numbers.digits_of(value)
    if not value.strip():
        return True
    match kind:
        case "PAN":
            return _not_a_card(value, digits, supported=supported, sure=sure)
        case "PHONE":
            spoken = re.search("[a-z]{3}", value, re.IGNORECASE) is not None
            few, many = len(digits) < 7, len(digits) > 20
            return (few and not spoken) or many or is_id(value)
        case "SSN":
            return len(digits) < 4 and not re.search("[a-z]{3}", value, re.IGNORECASE)
        case "SECRET":
            return _not_a_secret(text, start, end, supported=supported, sure=sure)
        case "DBURI":
            return is_placeholder(value) or not re.search(r"[:=/]", value)
        case "EMAIL":
            return "@" in value and not contacts.is_mail(value.strip("<>()[],;.\"'"))
        case "MATTER":
            return not _DIGIT.search(value) or len(value) < 4
        case "NAME":
            return _not_a_name(text, start, value)
        case "ADDR":
            return not _DIGIT.search(value) or len(value) < 8
    return False


def _not_a_card(value: str, digits: str, *, supported: bool, sure: float) -> bool:
    if re.match(r"[A-Za-z]{2}\d\d", value):
        return not numbers.is_iban(value) and not (supported and sure >= _SURE)
    if 12 <= len(digits) <= 19 and len(digits) >= len(value) // 2:
        return not numbers.is_card(digits) and not (supported and sure >= _SURE)
    return len(digits) < 8 and not re.search("[a-z]{3}", value, re.IGNORECASE)


def _not_a_secret(text: str, start: int, end: int, *, supported: bool, sure: float) -> bool:
    value = text[start:end]
    if len(value) < 4 or is_placeholder(value) or is_id(value):
        return True
    if is_code(value) and not (supported and sure >= _SURE and text[end : end + 1] not in "([."):
        return True
    return value.isdigit() and not supported


def _not_a_name(text: str, start: int, value: str) -> bool:
    if _WORDLESS.match(value) or len(value) < 2 or _CODE_NAME.search(value):
        return True
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return _COMMENT.search(line[-80:]) is not None
