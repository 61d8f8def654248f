"""The tokens of a stream that the encoder has before it: one segment, and when it is flushed.

    state              what comes                    what happens
    room               a token                       it joins the segment
    full (512 tokens)  a token                       FULL or SENTENCE flush, then it joins
    any                a token after the period      TIME flush (policy TIME), then it joins
    any                the end of the stream         END flush

A flush closes the segment and says up to which token it is done with: the *cut*. The next segment
begins at least `overlap` tokens before the cut, where a chunk of the slow tier begins, and the
tokens from there on are encoded again; what lies before is let go. Policies differ in the cut:

    policy    flushes when                            cut
    FIXED     full                                    after the last token
    SENTENCE  full                                    after the last sentence that ends among the
                                                      last `seek` tokens; else as FIXED
    TIME      full, or a token comes `period_us`      after the last token
              after the first one since the last
              flush and the flush would let go
              of something

Every segment begins at a token whose number is a multiple of `chunk`, so that the slow state that
it starts in is one that the segment before had at the end of a chunk, and each token advances it
once. Flushes follow from the tokens, the code points at which they and the sentences' ends became
certain, and, for TIME, the times of the pieces: not from how the text was cut into pieces.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from operators.errors import InvalidConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.hierarchy.boundaries import Boundary


class Policy(Enum):
    """When a segment is flushed before the stream ends."""

    SENTENCE = "sentence_boundary"
    FIXED = "fixed_size"
    TIME = "time_based"


class Reason(Enum):
    """Why a segment was flushed."""

    SENTENCE = "sentence"
    FULL = "full"
    TIME = "time"
    END = "end"


@dataclass(frozen=True, slots=True)
class BufferConfig:
    """Sizes and policy (seed section 1.1).

    Attributes:
        policy: when a segment is flushed.
        most: tokens of a segment.
        overlap: tokens that are encoded again, at least.
        chunk: tokens per step of the slow tier.
        seek: tokens at the end of a full segment among which SENTENCE looks for a cut.
        period_us: of TIME, in microseconds of the stream's time.
    """

    policy: Policy = Policy.SENTENCE
    most: int = 512
    overlap: int = 128
    chunk: int = 64
    seek: int = 128
    period_us: int = 10_000_000

    def __post_init__(self) -> None:
        if self.most % self.chunk or self.most - self.seek < self.overlap + self.chunk:
            raise InvalidConfig(
                f"most={self.most}: must be a multiple of chunk={self.chunk} and at least overlap "
                f"+ chunk + seek = {self.overlap + self.chunk + self.seek}, or a flush lets go of "
                "nothing"
            )


class Token(NamedTuple):
    """A token and where it comes from, in code points of the stream's text.

    Attributes:
        id: of the vocabulary.
        start: first code point that it stands for.
        end: place after the last one; equal to `start` for a mark.
        known: how many code points must have come for it to be certain.
    """

    id: int
    start: int
    end: int
    known: int


class Flush(NamedTuple):
    """A segment that is closed. Tokens are numbered through the stream, from 0.

    Attributes:
        reason: why.
        first: its first token.
        cut: the token after those that are done with.
        next: first token of the next segment.
        tokens: of the segment, those after the cut included.
    """

    reason: Reason
    first: int
    cut: int
    next: int
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class BufferState:
    """What is kept of a stream's tokens; plain values.

    Attributes:
        first: number of the first token of the segment; a multiple of the chunk.
        tokens: of the segment, at most 512.
        sentences: places where sentences end, from the segment's first token on.
        since_us: time of the first token since the last flush; -1 if none has come.
    """

    first: int = 0
    tokens: tuple[Token, ...] = ()
    sentences: tuple[int, ...] = ()
    since_us: int = -1

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The state again."""
        tokens = tuple(Token(*token) for token in values["tokens"])
        return cls(values["first"], tokens, tuple(values["sentences"]), values["since_us"])


def advance(
    config: BufferConfig,
    state: BufferState,
    tokens: Sequence[Token],
    sentences: Sequence[Boundary],
    time_us: int,
) -> tuple[BufferState, list[Flush]]:
    """Take in what a piece of the text made certain.

    Args:
        config: sizes and policy.
        state: before it.
        tokens: that became certain, in order.
        sentences: that became certain, in order.
        time_us: of the piece.

    Returns:
        The state after it, and the segments that were closed, in order.
    """
    flushes: list[Flush] = []
    left = list(sentences)
    for token in tokens:
        while left and left[0].certain <= token.known:
            state = replace(state, sentences=(*state.sentences, left.pop(0).end))
        reason = _due(config, state, time_us)
        if reason is not None:
            state, flush = _flushed(config, state, reason)
            flushes.append(flush)
        since = time_us if state.since_us < 0 else state.since_us
        state = replace(state, tokens=(*state.tokens, token), since_us=since)
    return replace(state, sentences=(*state.sentences, *(one.end for one in left))), flushes


def finish(state: BufferState) -> Flush:
    """Close the last segment of a stream."""
    end = state.first + len(state.tokens)
    return Flush(Reason.END, state.first, end, end, state.tokens)


def _due(config: BufferConfig, state: BufferState, time_us: int) -> Reason | None:
    count = len(state.tokens)
    if count == config.most:
        return Reason.FULL
    lets_go = count >= config.overlap + config.chunk
    waited = state.since_us >= 0 and time_us - state.since_us >= config.period_us
    return Reason.TIME if config.policy is Policy.TIME and lets_go and waited else None


def _flushed(config: BufferConfig, state: BufferState, reason: Reason) -> tuple[BufferState, Flush]:
    count = len(state.tokens)
    cut = count
    if config.policy is Policy.SENTENCE:
        ends = [token.end for token in state.tokens]
        cuts = [bisect_right(ends, place) for place in state.sentences]
        good = [one for one in cuts if one > count - config.seek]
        if good:
            cut, reason = good[-1], Reason.SENTENCE
    gone = (cut - config.overlap) // config.chunk * config.chunk
    flush = Flush(reason, state.first, state.first + cut, state.first + gone, state.tokens)
    kept = state.tokens[gone:]
    sentences = tuple(place for place in state.sentences if place > kept[0].start)
    return BufferState(state.first + gone, kept, sentences), flush
