"""Card numbers, IBANs, and numbers that governments give to people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import stdnum.exceptions
from stdnum import iban, luhn
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.us import itin
from stdnum.za import idnr as za_idnr

from operators.dlp.rules.hit import Hit, cued
from operators.dlp.rules.words import folded, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CARD: Final = re.compile(r"(?<![\w.+/=-])(?:\d[ -]{0,3}){11,18}\d(?![\w/=]|[.,-]\d|-\w)")
CARD_CUE: Final = re.compile(
    r"\b(?:cards?|cc|credit|debit|visa|master ?card|amex|american express|discover|diners|jcb|maestro|pan|karte(?:nnummer)?"
    r"|kreditkarte|carte|tarjeta|carta|cart[aã]o|payment|charged?|ccn|cardnumber|card_?(?:no|num\w*))\b|card",
    re.IGNORECASE,
)
_NOT_CARD: Final = re.compile(
    r"\b(?:order|tracking|invoice|isbn|imei|serial|timestamp|epoch|seed|upc|ean|gtin|sku|account id|version|build|ticket|ref)\b[\w #:.-]{0,12}$",
    re.IGNORECASE,
)
_ISSUERS: Final = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"6011|65|64[4-9]"), (16, 17, 18, 19)),
    (re.compile(r"3(?:0[0-59]|[689])"), (14, 16, 17, 18, 19)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16, 17, 18, 19)),
    (re.compile(r"62|81"), (16, 17, 18, 19)),
    (
        re.compile(r"5018|5020|5038|5[67]|6304|6759|676|60|508|353|356"),
        (12, 13, 14, 15, 16, 17, 18, 19),
    ),
    (re.compile(r"9792|220[0-4]"), (16,)),
)
_SHAPED: Final = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_SAFE: Final = re.compile(r"4|5[1-5]|3[47]|6011|65|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_IBAN_LOWER: Final = re.compile(
    r"(?<![A-Za-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}(?![A-Za-z0-9])"
)
_SSN: Final = re.compile(
    r"(?<![\w.+/=-])(\d{3})([ .-]|[ ]?[-/][ ]?)(\d{2})\2(\d{4})(?![\w/=]|[.,-]\d|-\w)"
)
SSN_CUE: Final = re.compile(
    r"\bss[ns]?\b|ssn|social[ _-]?sec|soc\.? ?sec|\bsocial\b|taxpayer|\btin\b|\bitin\b|tax id",
    re.IGNORECASE,
)
_NINE: Final = re.compile(r"(?<![\w.+/=-])\d{9}(?![\w/=]|[.,-]\d|-\w)")
_SHOWN: Final = frozenset(
    (
        "078-05-1120",
        "219-09-9999",
        "123-45-6789",
        "987-65-4320",
        "111-22-3333",
        "111-11-1111",
        "222-22-2222",
        "123-45-6788",
    )
)
_NATIONAL: Final[tuple[tuple[str, str, str, Any, tuple[str, ...]], ...]] = (
    ("gb-nino", r"[A-Za-z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-Da-d]", r"\bnino\b|national insurance|\b(?-i:NI)\b", None, ("nino", "national insurance", "ni")),
    ("gb-nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", r"\bnhs\b", nhs, ("nhs",)),
    ("br-cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", r"\bcpf\b", cpf, ("cpf",)),
    ("es-dni", r"\d{8}[ -]?[A-Za-z]", r"\bdni\b|\bnif\b", dni, ("dni", "nif")),
    ("es-nie", r"[XYZxyz][ -]?\d{7}[ -]?[A-Za-z]", r"\bnie\b|\bnif\b", nie, ("nie", "nif")),
    ("it-cf", r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]", r"codice|fiscale|\bc\.?f\.?\b", codicefiscale, ("codice", "fiscale", "cf", "c.f")),
    ("fr-nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", r"s[ée]cu|\bnir\b|insee|social", nir, ("secu", "sécu", "nir", "insee", "social")),
    ("de-idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", r"steuer|\bidnr\b|tax id|\btin\b", idnr, ("steuer", "idnr", "tax id", "tin")),
    ("nl-bsn", r"\d{9}", r"\bbsn\b|burgerservice|\bsofi", bsn, ("bsn", "burgerservice", "sofi")),
    ("pl-pesel", r"\d{11}", r"pesel", pesel, ("pesel",)),
    ("ca-sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", r"\bsin\b|social insurance", sin, ("sin", "social insurance")),
    ("au-tfn", r"\d{3} ?\d{3} ?\d{2,3}", r"\btfn\b|tax file", tfn, ("tfn", "tax file")),
    ("in-aadhaar", r"\d{4}[ -]?\d{4}[ -]?\d{4}", r"aadh?aar|\buid(?:ai)?\b", aadhaar, ("aadhaar", "aadaar", "uid")),
    ("in-pan", r"[A-Z]{5}\d{4}[A-Z]", r"\bpan\b|permanent account", pan, ("pan", "permanent account")),
    ("se-pnr", r"(?:\d{2})?\d{6}[-+]?\d{4}", r"person(?:nummer|al)|\bpnr\b", personnummer, ("personnummer", "personal", "pnr")),
    ("no-fnr", r"\d{6} ?\d{5}", r"f[øo]dselsnummer|\bfnr\b|personnummer", fodselsnummer, ("fødselsnummer", "fodselsnummer", "fnr", "personnummer")),
    ("dk-cpr", r"\d{6}-?\d{4}", r"\bcpr\b", cpr, ("cpr",)),
    ("fi-hetu", r"\d{6}[-+A]\d{3}[0-9A-Z]", r"\bhetu\b|henkil", hetu, ("hetu", "henkil")),
    ("be-nn", r"\d{2}[.]?\d{2}[.]?\d{2}[-]?\d{3}[.]?\d{2}", r"rijksregister|registre national|\binsz\b|national number", nn, ("rijksregister", "registre national", "insz", "national number")),
    ("ie-pps", r"\d{7}[A-Z]{1,2}", r"\bpps", pps, ("pps",)),
    ("pt-nif", r"\d{9}", r"\bnif\b|contribuinte", nif, ("nif", "contribuinte")),
    ("ro-cnp", r"\d{13}", r"\bcnp\b", cnp, ("cnp",)),
    ("hr-oib", r"\d{11}", r"\boib\b", oib, ("oib",)),
    ("za-id", r"\d{13}", r"\bid\b|identity", za_idnr, ("id",)),
    ("us-itin", r"9\d{2}-\d{2}-\d{4}", r"\bitin\b|tax", itin, ("itin", "tax")),
)  # fmt: skip
_NUMBER: Final = r"(?:\s*(?:no|nr|num|number|nummer|n[°ºr]|id|#)\.?)*[\s\"':=#(>|]*(?:(?:is|was|:|=|->)\s*)?[\s\"'(]*"
_CUED: Final = tuple(
    (
        name,
        re.compile(
            rf"(?:{cue})[\w /'’.-]{{0,16}}?{_NUMBER}(?P<v>{shape})(?![\w]|[.,-]\d)", re.IGNORECASE
        ),
        check,
        words,
    )
    for name, shape, cue, check, words in _NATIONAL
)
_DOCUMENTS: Final = ("pass", "travel", "driv", "dl", "licen", "pasaporte")
"""Words without which no travel document or driving licence is named."""
_SOME_DIGITS: Final = re.compile(r"(?:\d\D*){4}")
"""No number of a person has fewer."""
_PASSPORT: Final = re.compile(
    r"(?:passport|travel document|reisepass\w*|passeport|pasaporte|passaporto|driv(?:er|ing)(?:['’]?s)?[ _-]licen[cs]e|\bdln?\b|licen[cs]e)"
    r"(?:[ _]?(?:no|nr|num|number|#|id)\b\.?)+[\s\"':=#(>|]*(?:is\s+)?[\s\"'(]*"
    r"(?P<v>(?-i:(?=[A-Z -]*\d[A-Z -]*\d[A-Z -]*\d[A-Z -]*\d)(?:[A-Z]{1,5}[- ]?)?\d[A-Z0-9]{0,14}(?:[ -][A-Z0-9]{0,3}\d[A-Z0-9]{0,8}){0,5}))(?![\w-])",
    re.IGNORECASE,
)
_PASS_BARE: Final = re.compile(
    r"\bpassport\b[\s:#=\"'(]*(?:is\s+)?(?P<v>[A-Z]{0,2}\d{6,9})(?![\w-])", re.IGNORECASE
)


def digits_of(text: str) -> str:
    """The decimal digits of a text."""
    return "".join(char for char in text if char in "0123456789")


def is_card(digits: str) -> bool:
    """Whether digits are a card number: its issuer's prefix and length, and Luhn's check."""
    fits = any(prefix.match(digits) and len(digits) in sizes for prefix, sizes in _ISSUERS)
    return fits and len(set(digits)) > 1 and luhn.is_valid(digits)


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN: its country's length and shape, and its check digits."""
    return bool(iban.is_valid("".join(filter(str.isalnum, text)), check_country=False))


def is_ssn(digits: str) -> bool:
    """Whether nine digits can be a social security number (no area 000, 666 or 9xx)."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def cards(text: str) -> Iterator[Hit]:
    """Card numbers that pass issuer and Luhn. Alone only where written or called like one."""
    for match in _CARD.finditer(text):
        digits = digits_of(match[0])
        if not is_card(digits):
            continue
        cue = cued(text, match.start(), CARD_CUE)
        shaped = _SHAPED.fullmatch(match[0]) is not None
        plain = len(digits) in {15, 16} and _SAFE.match(digits) is not None
        other = _NOT_CARD.search(text, max(0, match.start() - 40), match.start())
        adds = (cue or shaped or plain) and not (other and not cue)
        spaced = match[0].isdigit() or shaped or cue
        yield Hit(match.start(), match.end(), "PAN", "card", validated=True, adds=adds and spaced)


def ibans(text: str) -> Iterator[Hit]:
    """IBANs whose check digits hold; a longer run is cut back to the country's length."""
    for pattern in (_IBAN, _IBAN_LOWER):
        for match in pattern.finditer(text):
            end = match.end()
            while end - match.start() > 14 and not is_iban(text[match.start() : end]):
                end -= 1
                while end > match.start() and not text[end - 1].isalnum():
                    end -= 1
            whole = end == match.end() or not text[end].isalnum()
            if end - match.start() > 14 and whole:
                yield Hit(match.start(), end, "PAN", "iban", validated=True, adds=True)


def social(text: str) -> Iterator[Hit]:
    """Social security numbers of the United States."""
    for match in _SSN.finditer(text):
        if not is_ssn(match[1] + match[3] + match[4]) or match[0] in _SHOWN:
            continue
        cue = cued(text, match.start(), SSN_CUE)
        adds = cue or match[2] == "-"
        yield Hit(match.start(), match.end(), "SSN", "ssn", validated=True, adds=adds)
    for match in _NINE.finditer(text):
        if is_ssn(match[0]) and cued(text, match.start(), SSN_CUE, 24):
            yield Hit(match.start(), match.end(), "SSN", "ssn", validated=False, adds=True)


def national(text: str) -> Iterator[Hit]:
    """Identity, tax and insurance numbers of other countries, where a word names them."""
    if not _SOME_DIGITS.search(text):
        return
    plain = folded(text)
    for name, pattern, check, words in _CUED:
        if not names(plain, words):
            continue
        for match in pattern.finditer(text):
            valid = check is not None and _holds(check.is_valid, match["v"])
            if valid or check is None:
                yield Hit(*match.span("v"), "SSN", name, validated=valid, adds=True)
            else:
                yield Hit(*match.span("v"), "SSN", name, validated=False, adds=False)
    for pattern in (_PASSPORT, _PASS_BARE) if names(plain, _DOCUMENTS) else ():
        for match in pattern.finditer(text):
            yield Hit(*match.span("v"), "SSN", "document", validated=False, adds=True)


def _holds(check: Callable[[str], bool], value: str) -> bool:
    try:
        return check(value)
    except (stdnum.exceptions.ValidationError, ValueError):
        return False
