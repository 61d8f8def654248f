"""Card numbers, IBANs and numbers that governments give to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

    from operators.dlp.generator.pools import LocalePool

_ISSUERS: Final = (
    ("4", 16), ("4", 16), ("4", 16), ("4", 13), ("4", 19), ("51", 16), ("52", 16), ("53", 16),
    ("54", 16), ("55", 16), ("2221", 16), ("2500", 16), ("2720", 16), ("34", 15), ("37", 15),
    ("6011", 16), ("65", 16), ("644", 16), ("36", 14), ("300", 14), ("305", 14), ("38", 14),
    ("3528", 16), ("3589", 16), ("62", 16), ("62", 19), ("5018", 12), ("6304", 13), ("6759", 18),
    ("6762", 16), ("60", 16), ("508", 16), ("9792", 16),
)  # fmt: skip
_IBANS: Final = (
    ("DE", "nnnnnnnnnnnnnnnnnn"), ("GB", "aaaannnnnnnnnnnnnn"), ("FR", "nnnnnnnnnncccccccccccnn"),
    ("ES", "nnnnnnnnnnnnnnnnnnnn"), ("IT", "annnnnnnnnncccccccccccc"), ("NL", "aaaannnnnnnnnn"),
    ("BE", "nnnnnnnnnnnn"), ("CH", "nnnnncccccccccccc"), ("AT", "nnnnnnnnnnnnnnnn"),
    ("PL", "nnnnnnnnnnnnnnnnnnnnnnnn"), ("SE", "nnnnnnnnnnnnnnnnnnnn"), ("NO", "nnnnnnnnnnn"),
    ("DK", "nnnnnnnnnnnnnn"), ("FI", "nnnnnnnnnnnnnn"), ("PT", "nnnnnnnnnnnnnnnnnnnnn"),
    ("IE", "aaaannnnnnnnnnnnnn"), ("GR", "nnnnnnncccccccccccccccc"), ("CZ", "nnnnnnnnnnnnnnnnnnnn"),
    ("AE", "nnnnnnnnnnnnnnnnnnn"), ("TR", "nnnnnncccccccccccccccc"), ("SA", "nncccccccccccccccccc"),
)  # fmt: skip
_SHAPES: Final = (
    "{area:03}-{group:02}-{serial:04}", "{area:03}-{group:02}-{serial:04}",
    "{area:03}-{group:02}-{serial:04}", "{area:03} {group:02} {serial:04}",
    "{area:03}{group:02}{serial:04}", "{area:03}.{group:02}.{serial:04}",
    "{area:03} - {group:02} - {serial:04}", "{area:03}/{group:02}/{serial:04}",
)  # fmt: skip
_LETTERS: Final = "ABCDEFGHJKLMNPRSTVWXYZ"
_NATIONAL: Final = (
    "@@ ## ## ## @", "@@######@", "###.###.###-##", "###########", "#### #### ####", "########@",
    "@#######@", "######-####", "######/####", "@@@@@####@", "###-###-###", "### ### ###",
    "############", "@@@@######@@@@@@##", "######-#######", "##.##.##-###.##", "###.####.####.##",
    "@@@@@@##@##@###@", "########-@", "##-#######-#", "######@###@", "@########", "### ## ####",
)  # fmt: skip
_PASSPORTS: Final = (
    "#########", "@########", "@@#######", "@#######", "##@@#####", "@@######", "C0@@#@###",
    "@@ #######", "@#@######", "@@@######",
)  # fmt: skip
_LICENCES: Final = (
    "@#######", "########", "@###-####-####", "@############", "###-##-####", "@@@@@######@@9@@",
    "@##-##-####", "#########", "@###-###-##-###-#", "@@######@", "@@-##-####-#######", "@#########",
    "@###########", "##@@#####", "@@@@@@######", "@#### ##### #####",
)  # fmt: skip


def luhn_digit(digits: str) -> str:
    """The digit that completes a number to pass the Luhn check."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def fill(rng: Random, pattern: str) -> str:
    """The pattern with # a digit and @ a capital letter."""
    return "".join(
        str(rng.randrange(10)) if char == "#" else rng.choice(_LETTERS) if char == "@" else char
        for char in pattern
    )


def card(rng: Random) -> str:
    """A payment card number of 12 to 19 digits that passes Luhn, grouped or not."""
    prefix, length = rng.choice(_ISSUERS)
    digits = prefix + "".join(str(rng.randrange(10)) for _ in range(length - 1 - len(prefix)))
    digits += luhn_digit(digits)
    chance = rng.random()
    if chance < 0.4:
        return digits
    mark = rng.choices((" ", "-", ".", "  "), weights=(6, 4, 0.4, 0.3))[0]
    if length == 15:
        return mark.join((digits[:4], digits[4:10], digits[10:]))
    if length == 14:
        return mark.join((digits[:4], digits[4:10], digits[10:]))
    return mark.join(digits[start : start + 4] for start in range(0, length, 4))


def iban(rng: Random) -> str:
    """An IBAN with valid check digits, in groups of four or not."""
    country, pattern = rng.choice(_IBANS)
    draw = {"n": "0123456789", "a": "ABCDEFGHIKLMNOPRSTUVW", "c": "0123456789ABCDEFGHKLMN"}
    body = "".join(rng.choice(draw[char]) for char in pattern)
    number = int("".join(str(int(char, 36)) for char in f"{body}{country}00"))
    text = f"{country}{98 - number % 97:02}{body}"
    if rng.random() < 0.5:
        return text
    mark = rng.choice((" ", " ", " ", "-"))
    return mark.join(text[start : start + 4] for start in range(0, len(text), 4))


def ssn(rng: Random) -> str:
    """A social security number of the United States by its rules."""
    area = rng.choice([*range(1, 666), *range(667, 900)]) if rng.random() < 0.02 else 0
    while area in {0, 666}:
        area = rng.randrange(1, 900)
    shape = rng.choice(_SHAPES)
    return shape.format(area=area, group=rng.randrange(1, 100), serial=rng.randrange(1, 10000))


def national(rng: Random, pool: LocalePool) -> str:
    """A national identity, tax or insurance number of some country."""
    if pool.nationals and rng.random() < 0.4:
        return rng.choice(pool.nationals)
    return fill(rng, rng.choice(_NATIONAL))


def passport(rng: Random) -> str:
    """A passport number."""
    return fill(rng, rng.choice(_PASSPORTS))


def licence(rng: Random) -> str:
    """A driver's licence number."""
    return fill(rng, rng.choice(_LICENCES))
