"""People as messages mention them: names, addresses of both kinds, phones, birthdays."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import places

if TYPE_CHECKING:
    from random import Random

    from operators.dlp.generator.pools import LocalePool, Pools

MAIL_HOSTS: Final = (
    "gmail.com", "gmail.com", "gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com",
    "icloud.com", "live.com", "msn.com", "comcast.net", "verizon.net", "att.net", "me.com",
    "protonmail.com", "proton.me", "gmx.de", "web.de", "t-online.de", "orange.fr", "free.fr",
    "wanadoo.fr", "libero.it", "yahoo.co.uk", "btinternet.com", "mail.ru", "yandex.ru", "qq.com",
    "163.com", "naver.com", "yahoo.co.jp", "uol.com.br", "rediffmail.com", "ymail.com",
    "earthlink.net", "sbcglobal.net", "cox.net", "bellsouth.net", "fastmail.com", "zoho.com",
)  # fmt: skip
_ENDINGS: Final = (
    *("com",) * 12, *("org", "net", "io", "co.uk", "de", "fr", "eu", "edu", "gov", "co", "ai"),
    *("ca", "com.au", "nl", "it", "es", "ch", "se", "in", "co.in", "com.br", "biz", "info", "us"),
    *("ac.uk", "pl", "dk", "no", "be", "at", "jp", "co.jp", "dev", "app", "tech", "health", "law"),
)  # fmt: skip
_SYLLABLES: Final = (
    "nor", "vel", "tex", "ar", "bright", "sol", "data", "blue", "green", "max", "pro", "inno",
    "core", "med", "fin", "trans", "global", "north", "west", "stone", "hill", "river", "oak",
    "net", "soft", "sys", "lab", "cap", "trust", "bank", "ener", "gen", "bio", "aero", "auto",
    "metro", "uni", "first", "alpha", "delta", "omni", "vert", "quant", "lum", "zen", "air", "sky",
)  # fmt: skip
_INITIAL: Final = "ABCDEFGHJKLMNPRSTW"
_SUFFIXES: Final = ("Jr.", "Sr.", "III", "II", "Esq.", "PhD", "MD", "CPA", "Jr")
_PARTICLES: Final = (
    "van ",
    "van der ",
    "de ",
    "von ",
    "da ",
    "Mc",
    "Mac",
    "O'",
    "St. ",
    "al-",
    "De",
)
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(slots=True)
class Person:
    """Someone, with what stays the same wherever the message mentions them."""

    pool: LocalePool
    first: str
    middle: str
    last: str
    full: str
    host: str
    facts: dict[str, str] = field(default_factory=dict)


def invent(rng: Random, pools: Pools, host: str = "") -> Person:
    """A person of some locale; one in five bears a name that is in no list."""
    pool = pools.locale(rng)
    first, last = rng.choice(pool.firsts), rng.choice(pool.lasts)
    full = rng.choice(pool.fulls) if rng.random() < 0.25 else ""
    if not (2 < len(full) < 45 and " " in full and "," not in full) or full[-1] == ".":
        full = ""
    chance = rng.random()
    if pool.is_latin and chance < 0.2:
        first = pools.invent_first(rng) if rng.random() < 0.5 else first
        last, full = pools.invent_last(rng), ""
    elif pool.is_latin and chance < 0.26:
        last, full = rng.choice(_PARTICLES) + last.split(" ")[-1], ""
    elif pool.is_latin and chance < 0.31:
        last, full = f"{last}-{rng.choice(pool.lasts)}", ""
    elif chance < 0.4:  # names of one place are found in another
        last, full = rng.choice(pools.locale(rng).lasts), ""
    if pool.locale == "en_US" and not full:
        if rng.random() < 0.35:
            first = rng.choice(places.COMMON_FIRSTS)
        if rng.random() < 0.3:
            last = rng.choice(places.COMMON_LASTS)
    middle = rng.choice(_INITIAL) if rng.random() < 0.7 else rng.choice(pool.firsts)
    return Person(pool, first, middle, last, full, host or domain(rng))


def name(rng: Random, who: Person) -> str:
    """The person's name, in one of the shapes that people write."""
    first, last, initial = who.first, who.last, who.middle[0] + "."
    if not who.pool.is_latin:
        return who.full or (f"{last}{first}" if ord(first[0]) > 0x3000 else f"{first} {last}")
    shape = rng.choices(range(21), cum_weights=_SHAPES)[0]
    if shape == 0:
        return who.full or f"{first} {last}"
    if shape < 9:
        return (
            f"{first} {initial} {last}", f"{first[0]}. {last}", f"{last}, {first}",
            f"{last}, {first} {initial}", f"{first} {last}".lower(), f"{first} {last}".upper(),
            f"{last.upper()}, {first.upper()}", f"{first} {who.middle} {last}",
        )[shape - 1]  # fmt: skip
    if shape < 12:
        return (first, last, f"{first[0]}.{initial} {last}")[shape - 9]
    if shape < 15:
        return (
            f"{first} {last} {rng.choice(_SUFFIXES)}", f"{first} {last[0]}.",
            f'{first} "{rng.choice(who.pool.firsts)}" {last}',
        )[shape - 12]  # fmt: skip
    return (
        first.lower(), f"{last.upper()} {first}", f"{last} {first[0]}", f"{last}, {first[0]}.",
        f"{first}  {last}", f"{first}.{last}",
    )[shape - 15]  # fmt: skip


_SHAPES: Final = (
    420, 480, 510, 550, 575, 615, 640, 665, 690, 800, 830, 845, 860, 872, 880, 930, 940, 948, 962,
    968, 972,
)  # fmt: skip


def full_name(who: Person) -> str:
    """First and last name, plainly."""
    return who.full or (
        f"{who.first} {who.last}" if who.pool.is_latin else f"{who.last}{who.first}"
    )


def domain(rng: Random) -> str:
    """A domain that an organisation might have."""
    base = "".join(rng.choices(_SYLLABLES, k=rng.choice((1, 2, 2, 2, 3))))
    if rng.random() < 0.15:
        base += "-" + rng.choice(_SYLLABLES)
    if rng.random() < 0.08:
        base = "".join(rng.choices("abcdefghiklmnoprstuvw", k=rng.choice((2, 3, 3, 4))))
    if rng.random() < 0.12:
        base = rng.choice(("mail.", "corp.", "us.", "uk.", "eu.", "cs.", "law.", "hr.")) + base
    return f"{base}.{rng.choice(_ENDINGS)}"


def email(rng: Random, who: Person) -> str:
    """A mail address of the person, at work or at a free host."""
    first, last = _plain(who.first) or "info", _plain(who.last) or "office"
    local = rng.choice(
        (
            f"{first}.{last}", f"{first}.{last}", f"{first[0]}{last}", f"{first}", f"{first}_{last}",
            f"{first}{last}", f"{last}{first[0]}", f"{first[0]}.{last}", f"{last}.{first}",
            f"{first}{last[0]}", f"{first}-{last}", f"{last}", f"{first[0]}{last}{rng.randrange(99)}",
        )
    )  # fmt: skip
    host = who.host if rng.random() < 0.6 else rng.choice(MAIL_HOSTS)
    if host in MAIL_HOSTS and rng.random() < 0.5:
        local += rng.choice(
            (str(rng.randrange(1950, 2012)), str(rng.randrange(100)), f"_{rng.randrange(10)}")
        )
    chance = rng.random()
    if chance < 0.08:
        local = rng.choice(places.ROLES)
    elif chance < 0.14:
        local = rng.choice(places.HANDLES) + rng.choice(("", str(rng.randrange(1000)), "_x"))
    elif chance < 0.17:
        local += "+" + rng.choice(("news", "spam", "shop", "test", str(rng.randrange(99))))
    address = f"{local}@{host}"
    if rng.random() < 0.1:
        address = address.title() if rng.random() < 0.5 else address.upper()
    return address


def handle(rng: Random, who: Person) -> str:
    """A user name: not tagged."""
    first, last = _plain(who.first) or "user", _plain(who.last) or "x"
    return rng.choice(
        (
            f"{first[0]}{last}", f"{first}{last[0]}", f"{first}.{last}", f"{last}{first[0]}",
            f"{first}{rng.randrange(100)}", f"{rng.choice(places.HANDLES)}{rng.randrange(1000)}",
            f"{last[:5]}{first[0]}{rng.randrange(10)}", f"{rng.choice(places.HANDLES)}_{first}",
        )
    )  # fmt: skip


def _digits(rng: Random, pattern: str) -> str:
    """The pattern with N a digit of 2 to 9 and # any digit."""
    return "".join(
        str(rng.randrange(2, 10))
        if char == "N"
        else str(rng.randrange(10))
        if char == "#"
        else char
        for char in pattern
    )


def phone(rng: Random, pool: LocalePool) -> str:
    """A phone number, as many countries and people write them."""
    if pool.phones and rng.random() < 0.3:
        return rng.choice(pool.phones)
    text = _digits(rng, rng.choice(places.PHONE_SHAPES))
    if rng.random() < 0.1:
        text += rng.choice((" x", " ext. ", " ext ", "x", " Ext. ", " extension ")) + _digits(
            rng, rng.choice(("##", "###", "####", "#####"))
        )
    return text


def address(rng: Random, pool: LocalePool, *, lines: bool) -> str:
    """A postal address, on one line or on several."""
    choice = rng.random()
    if (pool.is_latin and choice < 0.6 and pool.locale.startswith("en")) or choice < 0.68:
        parts = places.anglo_address(rng, pool)
    elif choice < 0.75:
        parts = places.continental_address(rng, pool)
    else:
        parts = rng.choice(pool.addresses).split("\n")
    if lines:
        return "\n".join(parts)
    text = rng.choice((", ", ", ", ", ", " ", " - ")).join(parts)
    chance = rng.random()
    return text.upper() if chance < 0.06 else text.lower() if chance < 0.1 else text


def birthday(rng: Random) -> str:
    """A date of birth: not tagged, but personal."""
    return date(rng, rng.randrange(1935, 2012))


def date(rng: Random, year: int = 0) -> str:
    """A date in one of the usual shapes."""
    year = year or rng.randrange(1998, 2027)
    month, day = rng.randrange(1, 13), rng.randrange(1, 29)
    text = rng.choice(_DATES)
    return text.format(
        y=year, yy=year % 100, m=month, d=day, M=_MONTHS[month - 1], b=_MONTHS[month - 1][:3]
    )


_DATES: Final = (
    "{m:02}/{d:02}/{y}", "{m}/{d}/{yy:02}", "{y}-{m:02}-{d:02}", "{d} {M} {y}", "{M} {d}, {y}",
    "{d:02}.{m:02}.{y}", "{b} {d}, {y}", "{d:02}-{b}-{y}", "{d}/{m}/{y}", "{M} {d}", "{m}/{d}",
    "{d:02}/{m:02}/{yy:02}", "{y}/{m:02}/{d:02}", "{d}th {M} {y}", "{b} {d}", "{y}{m:02}{d:02}",
)  # fmt: skip
_NOT_LOCAL: Final = re.compile(r"[^a-z0-9]")


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss").replace("ø", "o"))
    return _NOT_LOCAL.sub("", decomposed)
