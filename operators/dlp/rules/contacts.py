"""Mail addresses, telephone numbers, postal addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import phonenumbers

from operators.dlp.rules.hit import Hit, cued

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAIL: Final = re.compile(
    r"(?<![\w.+%@/:=&-])(?P<local>[A-Za-z0-9_][\w.+%'’-]{0,63})@(?P<host>(?:[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?\.)+(?P<end>[A-Za-z]{2,18}))(?![\w@]|[-.]\w|:\w|\()"
)
_MAIL_AFTER: Final = re.compile(
    r"(?:mailto:|[=:&])(?P<v>[A-Za-z0-9_][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,18}))(?![\w@]|[-.]\w|:\w|\()"
)
_RESERVED: Final = re.compile(
    r"(?:^|[@.])(?:example|test|invalid|localhost|local|localdomain|domain|yourdomain|mydomain|internal|lan|host|server|company|foo|bar|baz)(?:\.(?:com|org|net|edu|tld|io))?$"
    r"|@(?:.*\.)?example\.|^(?:git|svn|hg|ssh|root|nobody)@|no-?reply|donotreply|^(?:user|username|you|your|name|someone|somebody|foo|bar|email|address|me)@(?:domain|host|site|server|mail|email|provider|company)\b",
    re.IGNORECASE,
)
_FILE_ENDS: Final = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "css",
        "js",
        "py",
        "pyc",
        "so",
        "md",
        "txt",
        "html",
        "htm",
        "json",
        "xml",
        "yml",
        "yaml",
        "toml",
        "zip",
        "gz",
        "tar",
        "service",
        "socket",
        "target",
        "timer",
        "mount",
        "slice",
    ]
)
_PHONE: Final = re.compile(
    r"(?<![\w.+/=#$€£%*-])(?:(?:\+|00)\d{1,3}[ .\-/]{0,2}(?:\(0\)[ .-]?)?)?(?:\(\d{2,5}\)[ .\-/]{0,2})?\d{1,5}(?:[ .\-/]{1,3}\d{1,5}){0,5}(?P<ext>[ ,;]{0,2}(?:x|ext\.?|extension|#)[ .:]?\d{1,6})?(?![\w/=%]|[.,:-]\d|-\w)",
    re.IGNORECASE,
)
PHONE_CUE: Final = re.compile(
    r"\b(?:phone|ph|tel|telephone|telefon\w*|mobile?|mob|cell(?:ular|phone)?|fax|call(?:ed|ing)?|text(?:ed)?|sms|whatsapp|contact|dial|ring|reach|hotline|handy"
    r"|phones?|(?:my|your|his|her|their|our|new|old|direct|contact|phone|mobile|cell) numbers?|landline|direct|office|home|work|voice ?mail|t[ée]l(?:[ée]phone)?|tel[ée]fono|telefone|rufnummer|celular|m[óo]vil|portable|cellulare)\b",
    re.IGNORECASE,
)
_NORTH: Final = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\)[ ]?|\d{3}[-. ])\d{3}[-. ]\d{4}(?:\D.*)?$")
_NOT_PHONE: Final = re.compile(
    r"^(?:\d{1,2}[-./ ]\d{1,2}[-./ ]\d{2,4}|\d{4}[-./]\d{1,2}[-./]\d{1,2}(?:[ T].*)?|\d{1,3}(?:\.\d{1,3}){3}(?:[/:]\d+)?|\d{1,3}(?:[ .]\d{3})+|\d+\.\d+|\d{4}[ -]\d{4}|(?:\d[ .]){3,}.*|\d{5}-\d{4})$"
)
_REGIONS: Final = (
    "US",
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "NL",
    "IN",
    "AU",
    "BR",
    "CH",
    "AT",
    "PL",
    "SE",
    "BE",
    "MX",
    "JP",
    "CN",
    "PT",
    "DK",
    "NO",
    "FI",
    "IE",
    "ZA",
)
_LEAST: Final = 7
_MOST: Final = 15

_STREET: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Sq|Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Way|Trail|Trl"
    r"|Plaza|Crescent|Cres|Close|Mews|Row|Gardens|Grove|Walk|Alley|Loop|Pike|Turnpike|Expressway|Broadway)"
)
_STATE: Final = (
    r"(?:A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]|PR"
    r"|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine"
    r"|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New (?:Hampshire|Jersey|Mexico|York)|(?:North|South) (?:Carolina|Dakota)"
    r"|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming)"
)
_GAP: Final = r"[, ]{1,2}\s?|\s*,?\s*\n\s*"
_POSTAL: Final = re.compile(
    rf"(?<![\w.#-])\d{{1,6}}[A-Za-z]?(?:[ ](?:[NSEW]|North|South|East|West|[NS][EW])\.?)?(?:[ ][A-Z0-9][\w.'’-]{{0,20}}){{1,4}}?[ ]{_STREET}\b\.?(?:[ ][NS][EW]\b)?"
    rf"(?:(?:{_GAP})(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Bldg|Building|\#)\.?[ ]?[\w-]{{1,8}})?"
    rf"(?:(?:{_GAP})[A-Z][A-Za-z.'’-]{{1,20}}(?:[ ][A-Z][A-Za-z.'’-]{{1,20}}){{0,2}}(?:{_GAP}){_STATE}(?:\s{{1,3}}\d{{5}}(?:-\d{{4}})?)?(?:(?:{_GAP})(?:USA|U\.S\.A\.|United States))?)?"
)
_BOX: Final = re.compile(
    rf"\bP\.?[ ]?O\.?[ ]?Box[ ]\d{{1,6}}(?:(?:{_GAP})[A-Z][A-Za-z.'’-]{{1,20}}(?:[ ][A-Z][A-Za-z.'’-]{{1,20}}){{0,2}}(?:{_GAP}){_STATE}(?:\s{{1,3}}\d{{5}}(?:-\d{{4}})?)?)?"
)
_TOWN: Final = re.compile(rf"{_STATE}\s{{1,3}}\d{{5}}")


def mails(text: str) -> Iterator[Hit]:
    """Mail addresses outside reserved domains."""
    if "@" not in text:
        return
    for match in _MAIL.finditer(text):
        if is_mail(match[0]):
            yield Hit(match.start(), match.end(), "EMAIL", "mail", validated=True, adds=True)
    for match in _MAIL_AFTER.finditer(text):
        word = max(text.rfind(mark, 0, match.start()) for mark in " \n\t\"'<(")
        if is_mail(match["v"]) and "://" not in text[word + 1 : match.start("v")]:
            yield Hit(*match.span("v"), "EMAIL", "mail", validated=True, adds=True)


def is_mail(address: str) -> bool:
    """Whether an address is somebody's: not a reserved one, a file's or a repository's."""
    end = address.rsplit(".", 1)[-1].lower()
    return not (_RESERVED.search(address) or end in _FILE_ENDS or ".." in address)


def phones(text: str) -> Iterator[Hit]:
    """Telephone numbers that some country's numbering plan has.

    Alone only with a country code, in the North American shape, or where a word announces one.
    """
    for match in _PHONE.finditer(text):
        value = match[0]
        digits = sum(char.isdigit() for char in value)
        if not _LEAST <= digits <= _MOST + 5 or _NOT_PHONE.match(value):
            continue
        number = value[: match.start("ext") - match.start()] if match["ext"] else value
        if sum(char.isdigit() for char in number) > _MOST:
            continue
        cue = cued(text, match.start(), PHONE_CUE)
        shaped = _NORTH.match(value) is not None
        abroad = value.startswith(("+", "00"))
        if not (cue or shaped or abroad):
            continue
        valid = is_phone(number)
        local = cue and digits == _LEAST and re.fullmatch(r"\d{3}[-.]\d{4}", number) is not None
        if not (valid or local):
            continue
        adds = (
            (abroad and (cue or not number.isdigit()))
            or (shaped and (cue or "." not in value))
            or ((cue and not number.isdigit()) or (cue and digits >= 10))
        )
        yield Hit(match.start(), match.end(), "PHONE", "phone", validated=valid, adds=adds)


def is_phone(value: str) -> bool:
    """Whether a number is valid in its own country or one of the larger ones."""
    text = "+" + value[2:] if value.startswith("00") else value
    for region in (None,) if text.startswith("+") else _REGIONS:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return True
    return False


def addresses(text: str) -> Iterator[Hit]:
    """Postal addresses of the United States, down to the town; others only support the model."""
    for match in _POSTAL.finditer(text):
        whole = _TOWN.search(match[0]) is not None
        yield Hit(match.start(), match.end(), "ADDR", "postal", validated=False, adds=whole)
    for match in _BOX.finditer(text):
        whole = _TOWN.search(match[0]) is not None
        yield Hit(match.start(), match.end(), "ADDR", "box", validated=False, adds=whole)
