"""Where sentences and paragraphs end in a text that is still arriving.

A sentence ends at a stop (`operators.hierarchy.stops`) or at a newline; a paragraph ends at a blank
line. A boundary is the range of what it ends, without the spaces around it, and the number of code
points of the stream after which it is certain. Both are functions of the text alone: however it is
cut into pieces, the same boundaries come out, each with the piece that holds its last certain code
point.

    state of a text      what comes                     what happens
    between sentences    space                          nothing
    between sentences    anything else                  a sentence begins, and a paragraph if none
    in a sentence        stop that ends it              SENTENCE; between sentences
    in a sentence        stop that does not             in the sentence
    in a sentence        stop that depends on more      wait for it, at most `stops.REACH` on
    in a sentence        newline                        SENTENCE; between sentences
    between sentences    second newline in a row        PARAGRAPH, if one has begun
    any                  end of the stream              SENTENCE and PARAGRAPH, if begun

CR LF is one newline, so is a CR or an LF alone; U+2029 is a blank line of its own.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from operators.hierarchy.stops import NEWLINES, REACH, STOPS, Reader, Stop, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENT: Final = re.compile(f"[{re.escape(STOPS + NEWLINES)}]")
_SOLID: Final = re.compile(r"\S")
_NOWHERE: Final = -1
_BLANK: Final = 2


class Level(Enum):
    """What ends."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"


class Boundary(NamedTuple):
    """The end of a sentence or paragraph; places count code points of the stream's text.

    Attributes:
        level: what ends.
        start: its first code point.
        end: place after its last one.
        certain: how many code points must have come for it to be known.
    """

    level: Level
    start: int
    end: int
    certain: int


@dataclass(frozen=True, slots=True)
class BoundaryState:
    """What has to be kept of a text between two pieces; plain values, at most some 130 code points.

    Attributes:
        window: the end of the text, as far as decisions to come rest on it.
        offset: place of the window's first code point.
        scanned: up to where stops and newlines have been dealt with.
        sentence: where the sentence begins; -1 between sentences.
        paragraph: the same for the paragraph.
        solid: place after the last code point that is no space.
        newlines: in a row, at most 2.
        after_return: whether the last code point was a CR, which an LF would belong to.
        certain: of the last boundary.
    """

    window: str = ""
    offset: int = 0
    scanned: int = 0
    sentence: int = _NOWHERE
    paragraph: int = _NOWHERE
    solid: int = 0
    newlines: int = 0
    after_return: bool = False
    certain: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The state again."""
        return cls(**values)


def advance(
    state: BoundaryState, text: str, *, complete: bool = False
) -> tuple[BoundaryState, list[Boundary]]:
    """Take in a piece of text.

    Args:
        state: of the text before.
        text: that follows.
        complete: whether it is the last piece; the state that comes back is of no use then.

    Returns:
        The state after it, and the boundaries that have become certain, in their order.

    Linear in the length of the piece.
    """
    scan = _Scan(state, text, complete=complete)
    scan.run()
    return scan.state(), scan.found


class _Scan:
    """One pass over the window and a piece; places in here count from the window's start."""

    def __init__(self, state: BoundaryState, text: str, *, complete: bool) -> None:
        self.text = state.window + text
        self.before = state
        self.offset = state.offset
        self.complete = complete
        self.found: list[Boundary] = []
        self.scanned = state.scanned - state.offset
        self.sentence = state.sentence
        self.paragraph = state.paragraph
        self.solid = state.solid
        self.newlines = state.newlines
        self.after_return = state.after_return
        self.certain = state.certain

    def run(self) -> None:
        """Deal with every stop and newline that can be dealt with."""
        while match := _EVENT.search(self.text, self.scanned):
            place = match.start()
            self._pass(place)
            if match[0] in NEWLINES:
                self._newline(place)
            elif not self._stop(place):
                return
        self._pass(len(self.text))
        if self.complete:
            self._end(Level.SENTENCE, self.offset + len(self.text))
            self._end(Level.PARAGRAPH, self.offset + len(self.text))

    def state(self) -> BoundaryState:
        """What is to be kept."""
        low = max(0, self.scanned - REACH)
        return replace(
            self.before, window=self.text[low:], offset=self.offset + low,
            scanned=self.offset + self.scanned, sentence=self.sentence, paragraph=self.paragraph,
            solid=self.solid, newlines=self.newlines, after_return=self.after_return,
            certain=self.certain,
        )  # fmt: skip

    def _pass(self, end: int) -> None:
        """Go to a place that nothing ends before."""
        part = self.text[self.scanned : end]
        first = _SOLID.search(part)
        if first:
            self._begin(self.scanned + first.start())
            self.solid = self.offset + self.scanned + len(part.rstrip())
        if part:
            self.after_return = False
        self.scanned = end

    def _begin(self, place: int) -> None:
        self.newlines = 0
        if self.sentence == _NOWHERE:
            self.sentence = self.offset + place
        if self.paragraph == _NOWHERE:
            self.paragraph = self.offset + place

    def _newline(self, place: int) -> None:
        char = self.text[place]
        self.scanned = place + 1
        if char == "\n" and self.after_return:
            self.after_return = False
            return
        self.after_return = char == "\r"
        seen = self.offset + place + 1
        self._end(Level.SENTENCE, seen)
        self.newlines = _BLANK if char == "\u2029" else min(_BLANK, self.newlines + 1)
        if self.newlines == _BLANK:
            self._end(Level.PARAGRAPH, seen)

    def _stop(self, place: int) -> bool:
        """Deal with a run of stops, unless what it means cannot be known yet."""
        self._begin(place)
        self.after_return = False
        reader = Reader(self.text, complete=self.complete)
        try:
            stop = Stop(reader, place, max(0, self.sentence - self.offset))
        except Unread:
            return False
        self.scanned = stop.end
        self.solid = self.offset + stop.end
        if stop.ends:
            self._end(Level.SENTENCE, self.offset + max(reader.furthest, stop.end))
        return True

    def _end(self, level: Level, seen: int) -> None:
        start = self.sentence if level is Level.SENTENCE else self.paragraph
        if start == _NOWHERE:
            return
        self.certain = max(self.certain, seen)
        self.found.append(Boundary(level, start, self.solid, self.certain))
        if level is Level.SENTENCE:
            self.sentence = _NOWHERE
        else:
            self.paragraph = _NOWHERE
