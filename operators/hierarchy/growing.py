"""Tokens of a text that is still arriving, the same however it is cut into pieces.

The text is cut into *units*: places where nothing that comes can change what stands before. Each
unit is normalised and tokenised by itself, as soon as it is complete; the rest is held back.

    a unit ends                       it is complete with
    before space after a word         the space; where two hex digits stand before it, with the
                                      code point that shows whether a run of hex bytes goes on
    after a line feed                 the line feed
    between two letters of scripts    the second letter
    without spaces that no piece of
    the vocabulary holds together
    after `LONGEST` code points       the last of them
    at the end                        that

SentencePiece never joins a word to the space after it, and normalisation looks no further than a
word but for bytes in hex with spaces in between. So a unit's tokens are those that it has in the
whole text, save where decoding makes spaces at its edges, where two cuts of a word into pieces are
equally likely, or where a unit was cut for its length. Units follow from the text alone: neither
from the pieces that it came in nor from when they came.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.dsl import serialize
from operators.dlp.markers import Mark
from operators.dlp.normalise import normalise
from operators.hierarchy.buffer import Token

if TYPE_CHECKING:
    from operators.dlp.dsl import Message
    from operators.dlp.tokenizer import Tokenizer

LONGEST: Final = 1024
AHEAD: Final = 4
"""Code points after a unit that it takes, at most, to know that it ends there."""
_PAIR_BEFORE: Final = re.compile(r"(?:^|[^0-9A-Za-z])[0-9a-fA-F]{2}\Z")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_PAIR: Final = 2
_UNSPACED: Final = (
    range(0x3001, 0x3040),  # stops and brackets
    range(0x3041, 0x3097),  # Hiragana
    range(0x30A1, 0x30FB),  # Katakana
    range(0x3400, 0xA000),  # Han
    range(0x20000, 0x32000),
)


class Unit(NamedTuple):
    """A part of the text that is tokenised by itself.

    Attributes:
        text: of it.
        start: its first code point in the stream's text.
        end: place after its last one.
        known: how many code points had come when it was complete.
    """

    text: str
    start: int
    end: int
    known: int


@dataclass(frozen=True, slots=True)
class GrowingState:
    """What is held back of a text; plain values.

    Attributes:
        held: the end of the text, at most `LONGEST` code points.
        offset: place of the first of them; the length of the text if there is none.
    """

    held: str = ""
    offset: int = 0


def advance(
    state: GrowingState, text: str, neighbours: frozenset[str]
) -> tuple[GrowingState, list[Unit]]:
    """Take in a piece of text; linear in what was held back and the piece.

    Args:
        state: before it.
        text: that follows.
        neighbours: `Tokenizer.neighbours`.

    Returns:
        The state after it, and the units that are complete, in order.
    """
    units: list[Unit] = []
    whole = state.held + text
    start, place = 0, max(1, len(state.held) - _PAIR - 1)
    while place <= len(whole):
        cut, needed = _cut(whole, start, place, neighbours)
        if needed > len(whole):
            break
        if cut:
            low, high = state.offset + start, state.offset + place
            units.append(Unit(whole[start:place], low, high, state.offset + needed))
            start = place
        place += 1
    return GrowingState(whole[start:], state.offset + start), units


def release(state: GrowingState) -> list[Unit]:
    """What is held back, as it is where the text ends."""
    end = state.offset + len(state.held)
    return [Unit(state.held, state.offset, end, end)] if state.held else []


def tokens(tokenizer: Tokenizer, unit: Unit) -> list[Token]:
    """The tokens of a unit, with the code points of the stream's text that they stand for."""
    traced = normalise(unit.text)
    encoding = tokenizer.encode(traced.text)
    width = unit.end - unit.start
    reached = 0
    found = []
    for number, start, end in zip(
        encoding.ids.tolist(), encoding.starts.tolist(), encoding.ends.tolist(), strict=True
    ):
        low, high = traced.to_original(start, end) if start < end else (reached, reached)
        reached = max(reached, min(high, width))
        low = min(low, reached)
        found.append(Token(number, unit.start + low, unit.start + reached, unit.known))
    return found


def opening(tokenizer: Tokenizer, message: Message) -> list[Token]:
    """The tokens before a stream's text: what is known of it before anything was written.

    Args:
        tokenizer: of the model.
        message: with its kind, sender, recipients and so on, and no body.
    """
    text = serialize(message).text
    head = text[: text.index(Mark.BODY.value) + 1]
    return [Token(number, 0, 0, 0) for number in tokenizer.encode(head).ids.tolist()]


def _cut(whole: str, start: int, place: int, neighbours: frozenset[str]) -> tuple[bool, int]:
    """Whether a unit ends before a place, and how many code points it takes to know that."""
    before = whole[place - 1]
    if before == "\n" or place - start >= LONGEST:
        return True, place
    if place == len(whole):
        return False, place + 1
    char = whole[place]
    if char.isspace():
        if before.isspace():
            return False, place + 1
        return _before_space(whole, start, place)
    cut = (
        _is_unspaced(before)
        and _is_unspaced(char)
        and before + char not in neighbours
        and not unicodedata.combining(char)
    )
    return cut, place + 1


def _before_space(whole: str, start: int, place: int) -> tuple[bool, int]:
    if whole[place] != " " or not _PAIR_BEFORE.search(whole[max(start, place - _PAIR - 1) : place]):
        return True, place + 1
    for ahead in range(place + 1, place + 1 + _PAIR):
        if ahead >= len(whole) or whole[ahead] not in _HEX:
            return True, ahead + 1
    last = place + 1 + _PAIR
    return last < len(whole) and whole[last].isascii() and whole[last].isalnum(), last + 1


def _is_unspaced(char: str) -> bool:
    return any(ord(char) in one for one in _UNSPACED)
