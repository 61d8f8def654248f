"""A text read piece by piece, and what is found in it at each: without Kafka, for measuring.

What the worker does with one stream, on the same parts (docs/token-stream.md), as far as partial
verdicts go: tokens, boundaries and segments of the growing text, the causal graphs, tags thought
again, topics and levels, rules. The whole text so far is looked at each time, which a worker does
not do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.decoding import spans as decoded
from operators.dlp.fuse import Span, fuse
from operators.dlp.rules.find import find
from operators.dlp.tags import TAGS
from operators.dlp.tokenizer import Encoding, Tokenizer
from operators.hierarchy import boundaries, buffer, growing
from operators.hierarchy.boundaries import BoundaryState, Level
from operators.hierarchy.buffer import BufferConfig, BufferState
from operators.hierarchy.growing import GrowingState
from streams.hierarchy.above import Above
from streams.hierarchy.encoder import StepEngine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from operators.dlp.dsl import Message
    from operators.hierarchy.boundaries import Boundary
    from operators.hierarchy.buffer import Token
    from streams.dlp.inference import Engine
    from streams.dlp.package import Package

_GRAVER: Final = np.array([1, 1, -1, 1], np.float32)
"""Sign by which each score gets graver: consistent context is the good one."""


class Seen(NamedTuple):
    """What is found in a text as far as it has come.

    Attributes:
        place: code points that have come.
        read: tokens read, the opening's included.
        segments: document logits of the segments alone, float32 [4].
        logits: with the levels, float64 [4].
        spans: places in the text, confidences as the model gives them.
        after: tokens read after each of them.
        plain: the same without thinking tags again.
        turns: code points at which topics were said to begin so far.
    """

    place: int
    read: int
    segments: NDArray[np.float32]
    logits: NDArray[np.float64]
    spans: tuple[Span, ...]
    after: tuple[int, ...]
    plain: tuple[Span, ...]
    turns: tuple[int, ...]


class Reader:
    """A model that reads texts as they grow.

    Args:
        package: the model's files.
        engine: runs its graphs.
        config: of segments.
    """

    def __init__(self, package: Package, engine: Engine, config: BufferConfig) -> None:
        self.package = package
        self.steps = StepEngine(engine)
        self.above = Above.open(package)
        self.tokenizer = Tokenizer(package.tokenizer)
        self.config = config

    def follow(self, known: Message, text: str, places: Sequence[int]) -> Iterator[Seen]:
        """Read a text up to each of some places, in order, and say what is found up to there.

        Args:
            known: what is known of it before it was written.
            text: all of it.
            places: code points; the text ends at the last one.
        """
        reading, done = _Reading(self, known), 0
        for place in places:
            reading.take(text[done:place], complete=place == places[-1])
            done = place
            yield reading.seen()


class _Reading:
    """One text."""

    def __init__(self, reader: Reader, known: Message) -> None:
        self.reader = reader
        self.text = ""
        self.growing, self.boundaries = GrowingState(), BoundaryState()
        self.buffer = BufferState()
        self.outline = reader.above.outline()
        self.cache = reader.steps.begin()
        self.states: list[NDArray[np.float32]] = []
        self.lookahead = reader.above.lookahead()
        self.before = np.full(4, -np.inf, np.float32)
        self.tokens: list[Token] = []
        self.fresh: list[Token] = []
        self.plain = np.zeros((0, len(TAGS)), np.float32)
        self.settled = np.zeros((0, len(TAGS)))
        self.first = 0
        self.waiting: list[tuple[Token, NDArray[np.float32]]] = []
        self.ends: list[Boundary] = []
        self.turns: list[int] = []
        for token in growing.opening(reader.tokenizer, known):
            self._join(token, [])
        self._encode()
        self.outline.tokens(np.stack([row for _, row in self.waiting]))
        self.waiting.clear()
        self.outline.sentence()
        self.outline.paragraph()

    def take(self, piece: str, *, complete: bool) -> None:
        """Read a piece."""
        reader = self.reader
        self.text += piece
        self.growing, units = growing.advance(self.growing, piece, reader.tokenizer.neighbours)
        if complete:
            units += growing.release(self.growing)
            self.growing = GrowingState("", len(self.text))
        self.boundaries, found = boundaries.advance(self.boundaries, piece, complete=complete)
        self.ends += found
        left = [one for one in found if one.level is Level.SENTENCE]
        for unit in units:
            for token in growing.tokens(reader.tokenizer, unit):
                certain = [one for one in left if one.certain <= token.known]
                left = left[len(certain) :]
                self._join(token, certain)
        self.buffer, _ = buffer.advance(reader.config, self.buffer, [], left, 0)
        self._encode()
        self._outline(len(self.text) if complete else self.boundaries.scanned)

    def seen(self) -> Seen:
        """What is found so far."""
        outline = self.reader.above.outline(self.outline.to_bytes())
        if self.waiting:
            outline.tokens(np.stack([row for _, row in self.waiting]))
        segments = self._gravest()
        spans = self._spans(np.concatenate((self.settled, self.lookahead.logits())))
        starts = [token.start for token in self.tokens]
        after = tuple(len(starts) - int(np.searchsorted(starts, span.end)) for span in spans)
        return Seen(
            len(self.text),
            len(self.tokens),
            segments,
            outline.read(segments).scores,
            spans,
            after,
            self._spans(self.plain),
            tuple(self.turns),
        )

    def _join(self, token: Token, sentences: list[Boundary]) -> None:
        self.buffer, flushes = buffer.advance(
            self.reader.config, self.buffer, [token], sentences, 0
        )
        for flush in flushes:
            self._encode()
            self._flush(flush.first, flush.next, flush.tokens)
        self.fresh.append(token)

    def _flush(self, first: int, following: int, tokens: Sequence[Token]) -> None:
        """Go on to the next segment: what both share is encoded again, and says nothing new."""
        self.before = self._gravest() * _GRAVER
        self.outline.flush()
        self.settled = np.concatenate((self.settled, self.lookahead.logits()))
        chunk = (following - first) // self.reader.config.chunk
        self.cache = self.reader.steps.begin(self.states[chunk - 1])
        self.lookahead, self.states = self.reader.above.lookahead(), []
        shared = [token.id for token in tokens[following - first :]]
        self._run(np.array(shared, np.int64))

    def _encode(self) -> None:
        """Encode the tokens that have come since the last call."""
        if self.fresh:
            spans, hidden = self._run(np.array([token.id for token in self.fresh], np.int64))
            self.lookahead.take(spans, hidden)
            self.plain = np.concatenate((self.plain, spans))
            self.waiting += zip(self.fresh, hidden, strict=True)
            self.tokens += self.fresh
            self.fresh = []

    def _run(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chunk, parts = self.reader.config.chunk, []
        while len(ids):
            part, ids = np.split(ids, [chunk - self.cache.filled])
            parts.append(self.reader.steps.encode([(self.cache, part)])[0])
            if not self.cache.filled:
                self.states.append(self.cache.state)
        return np.concatenate([one.spans for one in parts]), np.concatenate(
            [one.hidden for one in parts]
        )

    def _outline(self, certain: int) -> None:
        """Take tokens into the outline up to where all boundaries are known."""
        while self.waiting and self.waiting[0][0].end <= certain:
            token, row = self.waiting.pop(0)
            while self.ends and self.ends[0].end < token.end:
                end = self.ends.pop(0)
                if end.level is Level.PARAGRAPH:
                    self.outline.paragraph()
                elif self.outline.begins_topic(self.outline.sentence()):
                    self.turns.append(end.start)
            self.outline.tokens(row[None])

    def _gravest(self) -> NDArray[np.float32]:
        (reading,) = self.reader.steps.read([self.cache])
        found: NDArray[np.float32] = np.maximum(self.before, reading.scores * _GRAVER) * _GRAVER
        return found

    def _spans(self, logits: NDArray[np.floating]) -> tuple[Span, ...]:
        own = [number for number, token in enumerate(self.tokens) if token.known]
        guesses = []
        if own:
            ids, starts, ends = np.array([self.tokens[n][:3] for n in own], np.int32).T
            guesses = decoded(self.text, Encoding(ids, starts, ends), logits[own])
        return tuple(fuse(self.text, guesses, find(self.text), self.reader.package.calibration))
