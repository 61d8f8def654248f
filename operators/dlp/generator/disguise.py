"""Values written so that a pattern would miss them."""

from __future__ import annotations

import base64
import html
import urllib.parse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_ZERO_WIDTH: Final = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad")
_TWINS: Final = {
    "a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441", "x": "\u0445",
    "y": "\u0443", "i": "\u0456", "s": "\u0455", "j": "\u0458", "A": "\u0410", "B": "\u0412",
    "E": "\u0415", "H": "\u041d", "K": "\u041a", "M": "\u041c", "O": "\u041e", "P": "\u0420",
    "C": "\u0421", "T": "\u0422", "X": "\u0425", "v": "\u03bd", "u": "\u03c5", "n": "\u0578",
    "h": "\u04bb", "d": "\u0501", "l": "\u04cf", "0": "\u041e", "3": "\u0417", "I": "\u0406",
}  # fmt: skip
_LEET: Final = str.maketrans(
    {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7", "A": "4", "E": "3"}
)
_NUMBERS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_CIRCLED: Final = "⓪①②③④⑤⑥⑦⑧⑨"
_SEPARATORS: Final = (" ", " ", " ", "-", ".", "_", "  ", " - ", "/", "|", ",", "*")


def disguise(rng: Random, kind: str, text: str) -> str:
    """The value in disguise; the same value must be readable in it by a person who knows how."""
    return rng.choice(_WAYS.get(kind, _ANY))(rng, text)


def _spaced(rng: Random, text: str) -> str:
    mark = rng.choice(_SEPARATORS)
    bare = "".join(char for char in text if not char.isspace()) if rng.random() < 0.7 else text
    return mark.join(bare)


def _grouped(rng: Random, text: str) -> str:
    bare = "".join(char for char in text if char.isalnum())
    size = rng.choice((2, 3, 3, 4, 5))
    return rng.choice(_SEPARATORS).join(
        bare[place : place + size] for place in range(0, len(bare), size)
    )


def _twins(rng: Random, text: str) -> str:
    share = rng.choice((0.2, 0.5, 1.0))
    changed = [_TWINS.get(char, char) if rng.random() < share else char for char in text]
    places = [place for place, char in enumerate(text) if char in _TWINS]
    if places:
        place = rng.choice(places)
        changed[place] = _TWINS[text[place]]
    return "".join(changed)


def _hidden(rng: Random, text: str) -> str:
    mark, share = rng.choice(_ZERO_WIDTH), rng.choice((0.15, 0.5, 1.0))
    parts = [char + (mark if rng.random() < share else "") for char in text]
    return parts[0].rstrip(mark) + mark + "".join(parts[1:]).rstrip(mark)


def _wide(rng: Random, text: str) -> str:
    del rng
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _styled(rng: Random, text: str) -> str:
    lower, upper, digit = rng.choice(
        ((0x1D41A, 0x1D400, 0x1D7CE), (0x1D5BA, 0x1D5A0, 0x1D7E2), (0x1D68A, 0x1D670, 0x1D7F6))
    )
    return "".join(
        chr(lower + ord(char) - 97) if "a" <= char <= "z"
        else chr(upper + ord(char) - 65) if "A" <= char <= "Z"
        else chr(digit + ord(char) - 48) if "0" <= char <= "9" else char
        for char in text
    )  # fmt: skip


def _leet(rng: Random, text: str) -> str:
    del rng
    return text.translate(_LEET)


def _base64(rng: Random, text: str) -> str:
    data = text.encode()
    return (base64.urlsafe_b64encode if rng.random() < 0.2 else base64.b64encode)(data).decode()


def _hex(rng: Random, text: str) -> str:
    digits = text.encode().hex()
    pairs = [digits[place : place + 2] for place in range(0, len(digits), 2)]
    return rng.choice(
        (
            digits,
            digits,
            digits.upper(),
            " ".join(pairs),
            ":".join(pairs),
            "\\x" + "\\x".join(pairs),
            "0x" + digits,
        )
    )


def _percent(rng: Random, text: str) -> str:
    if rng.random() < 0.5:
        return "".join(f"%{byte:02X}" for byte in text.encode())
    return "".join(
        f"%{ord(char):02X}"
        if char.isascii() and (not char.isalnum() or rng.random() < 0.4)
        else urllib.parse.quote(char)
        for char in text
    )


def _entities(rng: Random, text: str) -> str:
    share = rng.choice((0.3, 1.0))
    style = rng.choice(("&#{};", "&#{};", "&#x{:x};"))
    return "".join(
        style.format(ord(char)) if rng.random() < share else html.escape(char) for char in text
    )


def _reversed(rng: Random, text: str) -> str:
    del rng
    return text[::-1]


def _split(rng: Random, text: str) -> str:
    mark = rng.choice(("\n", "\n", "\r\n", "\n    ", " \\\n", "-\n", "\n> ", " / ", " ... ", "=\n"))
    cuts = sorted({rng.randrange(1, max(2, len(text))) for _ in range(rng.choice((1, 1, 2, 3)))})
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return mark.join(pieces)


def _joined(rng: Random, text: str) -> str:
    mark = rng.choice(("' + '", '" + "', '" "', "' . '", '" .. "', "', '", '"\n    "', '" & "'))
    cuts = sorted({rng.randrange(1, max(2, len(text))) for _ in range(rng.choice((1, 2, 3)))})
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return mark.join(pieces)


def _spelled(rng: Random, text: str) -> str:
    mark = rng.choice((" ", " ", "-", ", "))
    words = [
        _NUMBERS[int(char)] if char in "0123456789" else char
        for char in text
        if char not in " -.()"
    ]
    if rng.random() < 0.2:
        words = ["oh" if word == "zero" else word for word in words]
    joined = mark.join(words)
    return joined.title() if rng.random() < 0.15 else joined


def _mixed(rng: Random, text: str) -> str:
    share = rng.choice((0.3, 0.6))
    return (
        "".join(
            f" {_NUMBERS[int(char)]} " if char in "0123456789" and rng.random() < share else char
            for char in text
        )
        .strip()
        .replace("  ", " ")
    )


def _circled(rng: Random, text: str) -> str:
    style = rng.random()
    return "".join(
        (_CIRCLED[int(char)] if style < 0.5 else f"{char}\ufe0f\u20e3")
        if char in "0123456789"
        else char
        for char in text
    )


def _letter_o(rng: Random, text: str) -> str:
    del rng
    return text.replace("0", "O").replace("1", "l")


def _dot_at(rng: Random, text: str) -> str:
    at, dot = rng.choice((
        (" at ", " dot "), (" [at] ", " [dot] "), ("(at)", "(dot)"), ("[at]", "."), (" AT ", " DOT "), (" at ", "."),
        ("{at}", "{dot}"), (" (at) ", " (dot) "), ("_at_", "_dot_"), (" @ ", " . "), ("<at>", "<dot>"), (" @ ", "."),
        ("-at-", "-dot-"), ("[@]", "[.]"), (" a t ", " d o t "), ("(@)", "."), (" arroba ", " punto "), ("(a)", "."),
    ))  # fmt: skip
    return text.replace("@", at).replace(".", dot)


_UNICODE: Final = (_twins, _hidden, _wide, _styled, _hidden, _twins)
_ENCODED: Final = (_base64, _hex, _percent, _entities, _base64)
_ANY: Final[tuple[Callable[[Random, str], str], ...]] = (
    *_UNICODE,
    *_ENCODED,
    _spaced,
    _reversed,
    _split,
    _leet,
)
_DIGITS: Final[tuple[Callable[[Random, str], str], ...]] = (
    *_UNICODE, *_ENCODED, *(_spaced, _grouped, _spelled, _mixed, _circled, _letter_o, _split, _reversed),
    *(_spaced, _grouped, _spelled),
)  # fmt: skip
_WAYS: Final[dict[str, tuple[Callable[[Random, str], str], ...]]] = {
    "EMAIL": (*_UNICODE, *_ENCODED, *(_dot_at,) * 8, _spaced, _split, _reversed, _leet),
    "PHONE": _DIGITS,
    "PAN": _DIGITS,
    "SSN": _DIGITS,
    "SECRET": (*_UNICODE, *_ENCODED, _spaced, _split, _joined, _joined, _reversed, _split),
    "DBURI": (*_UNICODE, *_ENCODED, _split, _joined, _reversed, _spaced),
    "NAME": (*_UNICODE, *_ENCODED, _spaced, _leet, _leet, _split, _reversed),
    "NDA": (*_UNICODE, _spaced, _leet, _spaced),
    "MATTER": (*_UNICODE, *_ENCODED, _spaced, _split, _grouped),
    "ADDR": (*_UNICODE, *_ENCODED, _split, _leet, _spaced),
}
