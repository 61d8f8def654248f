"""A stream's text as it grows: its units, boundaries and segments, unit by unit.

The text is that of all pieces taken, one after the other, a line feed where something is missing.
Everything here is worked out unit by unit (`operators.hierarchy.growing`), so that it follows from
the text alone, however it is cut into pieces. After a unit that flushed a segment nothing depends
on how the text before it was read: that state is a *checkpoint*, from which the text after it is
read to the same effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.markers import Mark
from operators.hierarchy import boundaries, buffer, growing
from operators.hierarchy.boundaries import Boundary, BoundaryState, Level
from operators.hierarchy.buffer import BufferConfig, BufferState, Flush, Token
from operators.hierarchy.growing import GrowingState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dlp.tokenizer import Tokenizer

MOST_TEXT: Final = 16_384
"""Code points that are kept of a segment's text, and that may follow a checkpoint before the next:
what is hidden from the reader makes no tokens, and so flushes nothing."""


@dataclass(frozen=True)
class Reading:
    """How streams are read.

    Attributes:
        tokenizer: of the model.
        config: of segments.
    """

    tokenizer: Tokenizer
    config: BufferConfig = field(default_factory=BufferConfig)

    @cached_property
    def end(self) -> tuple[int, ...]:
        """What follows the last token of a stream."""
        return tuple(self.tokenizer.encode(Mark.END.value).ids.tolist())


@dataclass(frozen=True, slots=True)
class TextState:
    """A stream's text as far as it has come; plain values.

    Attributes:
        growing: what is not a unit yet.
        boundaries: where sentences and paragraphs are, in what is.
        buffer: the tokens of the segment.
        text: of the segment, from its first token on, at most `MOST_TEXT` code points.
        offset: place of its first code point.
        low: place from which on spans that begin there are the segment's to find.
        checkpoint: place of the last checkpoint.
        passed: text from there to the last complete unit.
    """

    growing: GrowingState = field(default_factory=GrowingState)
    boundaries: BoundaryState = field(default_factory=BoundaryState)
    buffer: BufferState = field(default_factory=BufferState)
    text: str = ""
    offset: int = 0
    low: int = 0
    checkpoint: int = 0
    passed: str = ""

    @property
    def tip(self) -> str:
        """Text since the last checkpoint."""
        return self.passed + self.growing.held

    @property
    def length(self) -> int:
        """Code points of the text so far."""
        return self.growing.offset + len(self.growing.held)


class Closed(NamedTuple):
    """A segment that is complete.

    Attributes:
        flush: its tokens, and why.
        text: behind them.
        offset: place of the first code point of `text`.
        low: place from which on spans that begin there are this segment's to find.
        high: place from which on they are the next one's; None: there is no next one.
    """

    flush: Flush
    text: str
    offset: int
    low: int
    high: int | None


class Certain(NamedTuple):
    """What is certain once a unit of the text is complete.

    Attributes:
        place: up to where all boundaries are known.
        boundaries: that became known with it, in order.
    """

    place: int
    boundaries: tuple[Boundary, ...]


class Stage(NamedTuple):
    """Part of what a piece of text did.

    Attributes:
        closed: segments that were flushed by its last unit, in order.
        units: what each of its units made certain, in order.
        state: after it.
        passed: where the text after it can be read from there, as from a checkpoint: text since the
            one before; else None.
    """

    closed: tuple[Closed, ...]
    units: tuple[Certain, ...]
    state: TextState
    passed: str | None

    @property
    def boundaries(self) -> tuple[Boundary, ...]:
        """All that became certain, in order."""
        return tuple(one for unit in self.units for one in unit.boundaries)


def begin(opening: Sequence[Token]) -> TextState:
    """A stream of which nothing has come but what is known before."""
    return TextState(buffer=BufferState(tokens=tuple(opening)))


def advance(reading: Reading, state: TextState, text: str, time_us: int) -> list[Stage]:
    """Take in text.

    Args:
        reading: how.
        state: before it.
        text: that follows.
        time_us: of the piece; for the policy TIME alone.

    Returns:
        What it did, part by part, each but the last ending with a checkpoint; at least one.

    Linear in the length of the text.
    """
    held, units = growing.advance(state.growing, text, reading.tokenizer.neighbours)
    return _taken(reading, state, held, units, time_us)


def finish(reading: Reading, state: TextState, time_us: int) -> list[Stage]:
    """End the text; see `advance`. The last segment that is closed is the text's last."""
    units = growing.release(state.growing)
    stages = _taken(reading, state, GrowingState("", state.length), units, time_us)
    *before, (closed, certain, state, _) = stages
    _, last = boundaries.advance(state.boundaries, "", complete=True)
    flush = buffer.finish(state.buffer)
    room = reading.config.most - len(flush.tokens)
    end = tuple(Token(number, state.length, state.length, 0) for number in reading.end[:room])
    flush = flush._replace(tokens=flush.tokens + end)
    segment = Closed(flush, state.text, state.offset, state.low, None)
    certain = (*certain, Certain(state.length, tuple(last)))
    return [*before, Stage((*closed, segment), certain, state, None)]


def _taken(
    reading: Reading,
    state: TextState,
    held: GrowingState,
    units: list[growing.Unit],
    time_us: int,
) -> list[Stage]:
    """What complete units do, one after the other."""
    stages: list[Stage] = []
    certain: list[Certain] = []
    for unit in units:
        state, closed, found = _unit(reading, state, unit, time_us)
        certain.append(Certain(state.boundaries.scanned, tuple(found)))
        if closed or unit.end - state.checkpoint >= MOST_TEXT:
            passed, state = state.passed, replace(state, checkpoint=unit.end, passed="")
            stages.append(Stage(closed, tuple(certain), state, passed))
            certain = []
    state = replace(state, growing=held)
    return [*stages, Stage((), tuple(certain), state, None)]


def _unit(
    reading: Reading, state: TextState, unit: growing.Unit, time_us: int
) -> tuple[TextState, tuple[Closed, ...], list[Boundary]]:
    tokens = growing.tokens(reading.tokenizer, unit)
    marks, found = boundaries.advance(state.boundaries, unit.text)
    sentences = [one for one in found if one.level is Level.SENTENCE]
    kept, flushes = buffer.advance(reading.config, state.buffer, tokens, sentences, time_us)
    text, offset, low = state.text + unit.text, state.offset, state.low
    closed = []
    for flush in flushes:
        high = _middle(flush)
        closed.append(Closed(flush, text, offset, low, high))
        low = high
        text, offset = _from(text, offset, flush.tokens[flush.next - flush.first].start)
    text, offset = _from(text, offset, offset + len(text) - MOST_TEXT)
    after = replace(
        state, growing=GrowingState("", unit.end), boundaries=marks, buffer=kept, text=text,
        offset=offset, low=low, passed=state.passed + unit.text,
    )  # fmt: skip
    return after, tuple(closed), found


def _middle(flush: Flush) -> int:
    """Where the next segment knows more of what stands around a token than this one."""
    middle = flush.next + (flush.cut - flush.next) // 2
    return flush.tokens[middle - flush.first].start


def _from(text: str, offset: int, place: int) -> tuple[str, int]:
    """The text from a place on."""
    gone = max(0, place - offset)
    return text[gone:], offset + gone
