"""Look-alikes and invisible code points folded to what a reader sees."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from operators.dlp.normalise.lookalikes import LOOKALIKES
from operators.dlp.offsets import Edit

_HIDDEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]+"
)
_CLUSTER: Final = re.compile(r"[^\x00-\x7f]+|[\x00-\x7f][^\x00-\x7f]+")
_WORD: Final = re.compile(r"[^\W_]+")
_TOKEN: Final = re.compile(r"\S+")
_LETTERLIKE: Final = frozenset(
    ("<font>", "<wide>", "<narrow>", "<circle>", "<super>", "<sub>", "<square>")
)


def hidden(text: str) -> list[Edit]:
    """Zero-width, bidi and other invisible code points, to be dropped."""
    return [Edit(match.start(), match.end(), "") for match in _HIDDEN.finditer(text)]


def compatibility(text: str) -> list[Edit]:
    """What NFKC changes, as small edits: a base with its combining marks at a time."""
    if unicodedata.is_normalized("NFKC", text):
        return []
    edits = []
    for match in _CLUSTER.finditer(text):
        run, offset = match[0], match.start()
        if unicodedata.is_normalized("NFKC", run):
            continue
        start = 0
        for position in range(1, len(run) + 1):
            if position < len(run) and _joins(run[position]):
                continue
            cluster = run[start:position]
            plain = unicodedata.normalize("NFKC", cluster)
            if plain != cluster:
                edits.append(Edit(offset + start, offset + position, plain))
            start = position
    return edits


def confusables(text: str) -> list[Edit]:
    """Look-alikes of ASCII letters and digits in words, or tokens, that mix scripts."""
    edits = []
    for token in _TOKEN.finditer(text):
        if token[0].isascii():
            continue
        mixed = any(char.isascii() and (char.isalnum() or char in "@:/") for char in token[0])
        for word in _WORD.finditer(text, token.start(), token.end()):
            if not mixed or word[0].isascii():
                continue
            plain = "".join(_fold(char) for char in word[0])
            if plain.isascii():
                edits.append(Edit(word.start(), word.end(), plain))
    return edits


def is_letterlike(text: str) -> bool:
    """Whether it is a styled form of letters or digits, and not a ligature or a no-break space."""
    return any(
        char in LOOKALIKES or unicodedata.decomposition(char).split(" ")[0] in _LETTERLIKE
        for char in text
    )


def _joins(char: str) -> bool:
    return unicodedata.combining(char) != 0 or "\u1160" <= char <= "\u11ff"


def _fold(char: str) -> str:
    if char.isascii():
        return char
    plain = LOOKALIKES.get(char)
    if plain is not None:
        return plain
    digit = unicodedata.digit(char, None)
    return char if digit is None else str(digit)
