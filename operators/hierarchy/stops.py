"""Whether a stop ends a sentence, from what stands around it.

The text is read through a `Reader` that stops where the text so far ends: a decision is taken as
soon as what it rests on is there, and never again. It rests on at most `REACH` code points on
either side.

    mark                     ends a sentence
    newline                  always (`operators.hierarchy.boundaries`)
    。！？｡ । ۔ and the like   always, except before a particle after a closing bracket
    ! ? ؟ and runs of them   before a space, unless in a quotation that goes on in lower case
    ... …                    before a space and a capital
    .                        before a space, unless it belongs to an abbreviation, an initial, a
                             number of a list, a date, or a quotation that goes on
A closing quote or bracket that touches the stop belongs to the sentence.
"""

from __future__ import annotations

import re
from typing import Final

from operators.hierarchy.abbreviations import (
    ENDING,
    EXCLAIMING,
    NAMING,
    NEVER,
    NUMBERED,
    ORDINAL_BEFORE,
    STARTERS,
)

REACH: Final = 64
"""Code points that a decision rests on, before and after the stop."""

HARD: Final = "。！？｡।॥።۔︒"
SOFT: Final = ".!?…؟‼⁇⁈⁉‽．"
STOPS: Final = SOFT + HARD
NEWLINES: Final = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_CLOSERS: Final = "\"')]}*_`’”“»«›‹＂）］｝」』】》〉〕"
_OPENERS: Final = "\"'([{*_`#‘“”„‚«»‹›¿¡-–—•（［「『【《〈〔"
_FRENCH: Final = ("»", "›")
_GOING_ON: Final = ",;:)]}%=、，；：)"
_AFTER_BRACKET: Final = "とって、，,"
_LOUD: Final = "!?؟‼⁇⁈⁉‽"
_TOKEN: Final = re.compile(r"\S+\Z")
_BEFORE: Final = re.compile(r"(\S+)\s+\S*\Z")
_WORDS: Final = re.compile(r"(?:[^\W\d_]|['’-]){2,}\Z")
_PREFIX: Final = re.compile(r".*[/('’]")
_LETTERS: Final = re.compile(r"[^\W\d_]+\Z")
_DOTTED: Final = re.compile(r"[^\W\d_]{1,2}(?:[.-]{1,2}[^\W\d_])+\Z")
_NUMBER: Final = re.compile(r"\(?[\d.,]+\Z")
_ROMAN: Final = re.compile(r"[ivxIVX]{1,5}\Z")
_VOWEL: Final = re.compile(r"[aeiouyäöüåæøáàâãéèêëíìîïóòôõúùûýœаеёиоуыэюяіїєα-ωά-ώ]", re.IGNORECASE)
_WORD: Final = 16
_SHORT: Final = 4
_FEW_DIGITS: Final = 2


class Unread(Exception):  # noqa: N818 - not an error: more text has to come first
    """The decision needs text that is not there yet."""


class Reader:
    """A text of which more may come.

    Args:
        text: what there is.
        complete: whether nothing follows.

    Attributes:
        furthest: code points that have been looked at, from the start of the text.
    """

    def __init__(self, text: str, *, complete: bool) -> None:
        self.text = text
        self.complete = complete
        self.furthest = 0

    def at(self, place: int, limit: int) -> str:
        """The code point at a place; empty at the end of the text and from `limit` on.

        Raises:
            Unread: it is not there yet.
        """
        if place >= limit:
            return ""
        if place < len(self.text):
            self.furthest = max(self.furthest, place + 1)
            return self.text[place]
        if self.complete:
            return ""
        raise Unread


class Stop:
    """A run of stops, and whether it ends a sentence.

    Args:
        reader: of the text.
        place: of the first stop.
        begin: where the sentence begins, or what is left of it within reach.

    Attributes:
        after: place after the stops.
        end: place after the quotes and brackets that close the sentence with them.

    Raises:
        Unread: it depends on text that is not there yet.
    """

    def __init__(self, reader: Reader, place: int, begin: int) -> None:
        self._reader = reader
        self._place = place
        self._begin = begin
        self._limit = place + REACH
        self.after = place + 1
        while (char := self._at(self.after)) and char in STOPS:
            self.after += 1
        self._run = reader.text[place : self.after]
        self._hard = any(char in HARD for char in self._run)
        self.end = self.after
        while (
            (char := self._at(self.end)) and char in _CLOSERS and not (self._hard and char in "“«")
        ):
            self.end += 1
        self.ends = self._ends()

    def _at(self, place: int) -> str:
        return self._reader.at(place, self._limit)

    def _space(self, place: int) -> int:
        """The first place that is no space on the same line."""
        while (char := self._at(place)).isspace() and char not in NEWLINES:
            place += 1
        return place

    def _ends(self) -> bool:
        following = self._at(self.end)
        closed = self.end > self.after
        if self._hard:
            return not (closed and following and following in _AFTER_BRACKET)
        if not following or following in NEWLINES:
            return True
        if not following.isspace():
            return not closed and self._is_unspaced()
        return self._ends_before_space(closed=closed)

    def _ends_before_space(self, *, closed: bool) -> bool:
        place = self._space(self.end)
        if self._at(place) in _FRENCH and not self._at(place + 1).isalnum():
            closed = True  # « Non ! » dit-il
            self.end = place + 1
            place = self._space(self.end)
        char = self._at(place)
        if not char or char in NEWLINES:
            return True
        goes_on = char in _GOING_ON
        while char and (char in _OPENERS or char.isspace()) and char not in NEWLINES:
            place += 1
            char = self._at(place)
        if goes_on or (closed and char.islower()):
            return False
        if any(mark in _LOUD for mark in self._run):
            return self._is_loud(char)
        if len(self._run) > 1 or self._run == "…":
            return bool(self._token()) and not char.islower() and not char.isdigit()
        return self._full_stop(place, char)

    def _token(self) -> str:
        """What touches the stop on its left, without what opens a quotation or bracket."""
        found = _TOKEN.search(self._left())
        return found[0].lstrip(_OPENERS) if found else ""

    def _left(self) -> str:
        low = max(0, self._place - REACH, self._begin)
        return self._reader.text[low : self._place]

    def _word(self, place: int) -> str:
        """The word that begins at a place, as far as it counts."""
        end = place
        while end < place + _WORD and self._at(end).isalpha():
            end += 1
        return self._reader.text[place:end]

    def _is_starter(self, place: int) -> bool:
        return self._word(place) in STARTERS

    def _is_unspaced(self) -> bool:
        """Whether a space was forgotten after a full stop: "left.The next"."""
        if self._run != "." or not self._at(self.after).isupper():
            return False
        token = self._token()
        if not (_LETTERS.match(token) and token.islower() and len(token) > 1):
            return False
        word = self._word(self.after)
        return word in STARTERS and len(word) > 1 and self._at(self.after + len(word)) in " ,"

    def _is_loud(self, char: str) -> bool:
        token = self._token()
        if char.islower() and token.lower() in EXCLAIMING:
            return False
        if not token and char.islower():  # a French space, or an operator
            before = _BEFORE.search(self._left())
            return before is not None and _WORDS.match(before[1]) is not None
        return any(mark.isalnum() for mark in self._left())

    def _full_stop(self, place: int, char: str) -> bool:
        token = self._token()
        word = _PREFIX.sub("", token)
        if not any(mark.isalnum() for mark in word):
            return not word and char.isupper() and any(map(str.isalnum, self._left()))
        if self._is_tied(word.lower(), place, char) or self._is_item(token):
            return False
        if _NUMBER.match(word):
            return not char.islower() and self._after_number(word, place)
        if (key := word.lower()) in NAMING or key in ENDING:
            may = self._is_starter(place) if key in NAMING else not char.isdigit()
            return may and not char.islower()
        if len(word) == 1 or _DOTTED.match(word):
            return char.isalpha() and not char.islower() and self._after_initial(word, place)
        clipped = len(word) <= _SHORT and word.isalpha() and not _VOWEL.search(word)
        return not (char.islower() and clipped and self._left().strip() != token)

    def _is_tied(self, key: str, place: int, char: str) -> bool:
        """Whether it is an abbreviation that belongs to what follows."""
        if key not in NUMBERED:
            return key in NEVER
        return char.isdigit() or _ROMAN.match(self._word(place)) is not None

    def _is_item(self, token: str) -> bool:
        """Whether it is the number of a list's item: "2." or "b." at the start of a line."""
        short = token.isdecimal() or len(token) == 1 or _ROMAN.match(token) is not None
        return short and self._left().strip(_OPENERS + " \t") == token

    def _after_number(self, word: str, place: int) -> bool:
        few = word.isdecimal() and len(word) <= _FEW_DIGITS
        before = _BEFORE.search(self._left())
        if few and before and before[1].lower() in ORDINAL_BEFORE:
            return self._is_starter(place)
        return True

    def _after_initial(self, word: str, place: int) -> bool:
        before = _BEFORE.search(self._left())
        if before and (before[1].islower() if word == "I" else _NUMBER.match(before[1])):
            return True  # so do I. He …; it takes 2 s. Then …
        return self._is_starter(place) and len(self._word(place)) > 1
