"""A stream in memory: what is kept of it, and what follows from that — caches, tags, levels.

It is made from the stream's records (`Live.restored`), and gives the same from there on as the one
that wrote them: caches are encoded again from the segment's tokens (docs/decisions/0052), and the
text since the last checkpoint is read again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.fuse import Origin
from operators.dlp.tags import SCORES
from operators.hierarchy import session, text
from operators.hierarchy.boundaries import Level
from operators.hierarchy.levels import DOCUMENT, PARAGRAPH, SENTENCE, TOPIC
from operators.hierarchy.records import Checkpoint, Head, Judgement, Kept, Opening
from operators.hierarchy.rests import Rests
from operators.hierarchy.session import Session
from operators.hierarchy.spans import Part, part, united
from operators.hierarchy.told import Told
from streams.hierarchy.early import Early

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor, Future

    from numpy.typing import NDArray

    from operators.dlp.fuse import Span
    from operators.hierarchy.boundaries import Boundary
    from operators.hierarchy.buffer import Token
    from operators.hierarchy.cache import SegmentCache
    from operators.hierarchy.outline import Outline
    from operators.hierarchy.session import Piece
    from operators.hierarchy.spelling import Ids
    from operators.hierarchy.text import Closed, Stage
    from streams.hierarchy.encoder import Encoded
    from streams.hierarchy.model import StreamModel

LOOK_BACK: Final = 240
"""Code points before what is new that are looked at again: a value and what announces it."""
_SETTLED: Final = 64
"""Of those, the first ones: spans that begin in them stay as they were found."""
_TOKEN_BYTES: Final = 232
"""Of a token in memory: a tuple and four integers."""
_ID_BYTES: Final = 36
"""Of a token id that is kept for edits."""
_OBJECT_BYTES: Final = 12_000
"""Of all other objects of a stream."""


class Turn(NamedTuple):
    """Where a topic ends.

    Attributes:
        place: first code point of the sentence that begins another.
        chance: that it does.
    """

    place: int
    chance: float


class Update(NamedTuple):
    """A level that has ended, or the document, which has taken a step.

    Attributes:
        level: one of `operators.hierarchy.levels`.
        position: number of the last token in it.
        representation: of it, [width].
    """

    level: int
    position: int
    representation: NDArray[np.float64]


class Back(NamedTuple):
    """Where an edit goes back to.

    Attributes:
        number: of the checkpoint; 0 for the beginning.
        checkpoint: it; None for the beginning.
        segments: closed before it.
        judgements: of those of them that have been judged.
        text: of the stream from there on.
        ids: where those begin that are kept from there on; None in a stream of text.
    """

    number: int
    checkpoint: Checkpoint | None
    segments: int
    judgements: list[Judgement]
    text: str
    ids: Ids | None


@dataclass(slots=True)
class Written:
    """Records that a stream has brought about since they were last taken.

    Attributes:
        checkpoints: by number; None: it is no longer needed.
        judgements: by number; None: it is taken back.
    """

    checkpoints: dict[int, Checkpoint | None] = field(default_factory=dict)
    judgements: dict[int, Judgement | None] = field(default_factory=dict)


class Live:
    """One stream.

    Args:
        model: that reads it.
        opening: what is known of it before its text.
        edits: checkpoints that edits may go back to.

    Attributes:
        session: what has been read.
        told: what has been told of it.
        written: records to be kept.
        parts: spans of the segments whose judgement is applied, in positions.
        last: the last judgement that is applied.
        closed: segments that are to be judged, in order: the last one, or all at the end.
        cache: of the current segment.
        ended: whether the text has ended; what is left is to be judged.
    """

    def __init__(self, model: StreamModel, opening: Opening, edits: int) -> None:
        self.model = model
        self.opening = opening
        self.session: Session = session.begin(model.opening(opening))
        self.told = Told()
        self.written = Written()
        self.ended = False
        self.parts: list[Part] = []
        self.closed: list[Closed] = []
        self.last: Judgement | None = None
        # What was found in the closed segment while it was read, in positions.
        self._carried: tuple[Span, ...] = ()
        self._carried_low = 0
        self._job: Future[Judgement] | None = None
        self._ready: Judgement | None = None
        self._edits = edits
        self._judged = 0
        self._kept: tuple[Kept, ...] = (Kept(0, 0, 0),)
        self._segments = 0
        self._todo: deque[Stage] = deque()
        self._at = 0
        self._done = 0
        self._begin_segment(model.start, 0)
        # Up to where tokens and boundaries have been told of.
        self._noted = 0
        self._noted_place = -1
        self.boundaries: list[Boundary] = []
        self.turns: list[Turn] = []
        self.updates: list[Update] = []
        self._outline = model.above.outline()
        self._rests = Rests()
        # Number of the first token that is not in the outline; tokens from there on, encoded.
        self._pooled = 0
        self._ahead: deque[tuple[Token, NDArray[np.float32]]] = deque()
        self._looked = 0
        self._spans: list[Span] = []

    # -- records ----------------------------------------------------------------------------------

    @classmethod
    def restored(
        cls,
        model: StreamModel,
        head: Head,
        checkpoint: Checkpoint | None,
        judgements: list[Judgement],
        edits: int,
    ) -> Live:
        """The stream that wrote these records; its tokens wait to be encoded.

        Args:
            model: that reads it.
            head: of it.
            checkpoint: the last one; None for a stream that has none yet.
            judgements: all of them, in order.
            edits: as for a new stream.
        """
        live = cls(model, head.opening, edits)
        live.told = head.told
        live.closed = list(head.closed)
        live._kept = head.kept
        live._rests = head.rests
        live._carried, live._carried_low = head.carried, head.carried_low
        live._judge(judgements, head.applied)
        before = live.session.text
        if checkpoint is not None:
            before = live._back_to(checkpoint)
        stages = text.advance(model.reading, before, head.tip, head.time_us)
        state = stages[-1].state
        state = replace(state, buffer=replace(state.buffer, since_us=head.since_us))
        stages[-1] = stages[-1]._replace(state=state)
        live._todo.extend(stages)
        live._noted_place = state.growing.offset
        live._noted = state.buffer.first + len(state.buffer.tokens)
        live.session = Session(
            head.arrivals, head.in_ids, head.spelled, head.ids, head.places, head.time_us, state
        )
        live._looked, live._spans = head.looked, list(head.spans)
        return live

    def head(self) -> Head:
        """The record of the stream as it is now."""
        at = self.session
        return Head(
            self.opening, at.arrivals, at.in_ids, at.spelled, at.ids, at.places, at.time_us,
            at.text.buffer.since_us, at.text.tip, self._kept, self._looked, tuple(self._spans),
            self._judged, len(self.parts), tuple(self.closed), self._carried, self._carried_low,
            self.told, rests=self._rests,
        )  # fmt: skip

    @property
    def kept(self) -> tuple[Kept, ...]:
        """Checkpoints that an edit may go back to, in order."""
        return self._kept

    @property
    def judged(self) -> int:
        """Segments that have been judged."""
        return self._judged

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        texts = 4 * (len(self.session.text.text) + len(self.session.text.tip))
        tokens = _TOKEN_BYTES * len(self.session.text.buffer.tokens)
        if self.session.ids is not None:
            tokens += _ID_BYTES * len(self.session.ids.items)
        spans = 400 * (len(self._spans) + sum(len(part.spans) for part in self.parts))
        above = self._outline.nbytes + self._lookahead.nbytes
        above += sum(row.nbytes for _, row in self._ahead)
        above += self._early.nbytes
        return self.cache.nbytes + above + texts + tokens + spans + _OBJECT_BYTES

    @property
    def tokens(self) -> int:
        """Tokens of the stream that have been encoded; the number of the next one."""
        return self._first + self.cache.count

    @property
    def is_behind(self) -> bool:
        """Whether there is something to be encoded, closed or checkpointed."""
        return bool(self._todo)

    def take_written(self) -> Written:
        """Records since the last call."""
        written, self.written = self.written, Written()
        return written

    def _begin_segment(self, slow: NDArray[np.float32], first: int) -> None:
        self._first = first
        self.cache: SegmentCache = self.model.steps.begin(slow)
        self._lookahead = self.model.above.lookahead()
        self._early = Early(self.model.steps, self.model.reading.config)
        # What there is of the segment that begins, and its first token, counted from the last one.
        self._handed: tuple[Early, int] | None = None
        self._present: Sequence[Token] = ()

    def _back_to(self, checkpoint: Checkpoint) -> text.TextState:
        self._segments = checkpoint.segments
        self._outline = self.model.above.outline(checkpoint.levels)
        self._pooled = checkpoint.pooled
        self._ahead.clear()
        self._begin_segment(checkpoint.slow, checkpoint.text.buffer.first)
        return checkpoint.text

    def _judge(self, judgements: list[Judgement], applied: int) -> None:
        self.parts = [one.part for one in judgements[:applied]]
        self.last = judgements[applied - 1] if applied else None
        self._ready = judgements[applied] if applied < len(judgements) else None
        self._judged = len(judgements)

    # -- reading ----------------------------------------------------------------------------------

    def take(self, piece: Piece) -> None:
        """Read the units of an APPEND or END that are new.

        Raises:
            InvalidInput: the piece does not fit the stream; nothing has changed.
        """
        self.session, stages = session.append(self.model.reading, self.session, piece)
        self._todo.extend(stages)

    def rest(self, *, topics: bool) -> None:
        """Let topics rest, or work, in what becomes certain from now on.

        Args:
            topics: whether they work.
        """
        self._rests = self._rests.go_on(self.session.text.growing.offset, resting=not topics)

    def edit(self, change: session.Edit, back: Back) -> None:
        """Read the text anew from a checkpoint before an edit on.

        Args:
            change: what is replaced.
            back: the checkpoint.
        """
        self.written.checkpoints |= {
            one.number: None for one in self._kept if one.number > back.number
        }
        self._kept = tuple(one for one in self._kept if one.number <= back.number)
        for number in range(len(back.judgements) + 1, self._judged + 1):
            self.written.judgements[number] = None
        open_ = back.segments - len(back.judgements)
        self._job = None if len(self.closed) > open_ else self._job
        self.closed = self.closed[:open_]
        self._judge(back.judgements, len(back.judgements))
        state = text.begin(self.model.opening(self.opening))
        self._todo.clear()
        self._at = 0
        self._segments = 0
        self._noted = 0
        self._noted_place = change.start
        # What was known before the edit is read as it was read first.
        resting = self._rests.now
        self._rests = self._rests.before(change.start).go_on(change.start, resting=resting)
        self._done = 0
        if back.checkpoint is None:
            self._outline, self._pooled = self.model.above.outline(), 0
            self._ahead.clear()
            self._begin_segment(self.model.start, 0)
        else:
            state = self._back_to(back.checkpoint)
        self._spans = [span for span in self._spans if span.end <= min(change.start, state.length)]
        self._looked = state.length
        self.session, stages = session.edited(
            self.model.reading, state, change, back.text, back.ids
        )
        names = self.told.names.shifted(change.low, change.high, change.by)
        self.told = replace(self.told, names=names)
        self._todo.extend(stages)

    def waiting(self) -> tuple[Token, ...]:
        """Tokens to be encoded next, in one segment; none: all have been.

        Segments that are complete are closed on the way, and checkpoints are taken.
        """
        while self._todo:
            stage = self._todo[0]
            closes = self._at < len(stage.closed)
            tokens = stage.closed[self._at].flush.tokens if closes else stage.state.buffer.tokens
            if self._handed is not None:
                self._take_early(*self._handed, tokens)
            if left := tokens[self.cache.count :]:
                self._present = tokens
                return left
            if closes:
                self._reach(stage, len(stage.units) - 1)
                self._flush(stage.closed[self._at])
                self._at += 1
                continue
            self._reach(stage, len(stage.units))
            if stage.passed is not None:
                self._check(stage.state, stage.passed)
            self._todo.popleft()
            self._at = self._done = 0
        return ()

    def early(self, new: int) -> tuple[SegmentCache, NDArray[np.int64]] | None:
        """What is to be encoded of the next segment beside new tokens of this one, if anything is.

        Args:
            new: tokens that wait.
        """
        ids = self._early.waiting(self._present, self.cache, new)
        if not ids or self._early.cache is None:
            return None
        return self._early.cache, np.array(ids, np.int64)

    def take_early(self, ids: NDArray[np.int64], made: Encoded) -> None:
        """Take what that gave."""
        self._early.take(ids.tolist(), made)

    def _take_early(self, early: Early, start: int, tokens: Sequence[Token]) -> None:
        """Begin the segment with what there is of it."""
        self._handed = None
        found = early.handed(start, tokens)
        if found is not None:
            self.cache, made = found
            self.encoded(tokens[: self.cache.count], made)

    def unnoted(self, tokens: Sequence[Token]) -> tuple[int, Sequence[Token]]:
        """Of tokens that wait, those that have not been told of yet, and the number of the first.

        What two segments share is encoded twice, and told of once.
        """
        first = max(self.tokens, self._noted)
        self._noted = max(first, self.tokens + len(tokens))
        return first, tokens[first - self.tokens :]

    def text_at(self, start: int, end: int) -> str:
        """A part of the segment's text, as far as it is kept."""
        state = self.session.text
        return (state.text + state.growing.held)[
            max(0, start - state.offset) : max(0, end - state.offset)
        ]

    def encoded(self, tokens: Sequence[Token], encoded: Encoded) -> None:
        """Take what tokens gave that waited and have been encoded."""
        self._lookahead.take(encoded.spans, encoded.hidden)
        first = self.tokens - len(tokens)
        new = self._pooled + len(self._ahead) - first
        self._ahead.extend(zip(tokens[new:], encoded.hidden[new:], strict=True))

    # -- levels -----------------------------------------------------------------------------------

    def outlined(self) -> Outline:
        """Sentences, paragraphs, topics and the document as of the last token; a copy."""
        outline = self.model.above.outline(self._outline.to_bytes())
        if self._ahead:
            outline.tokens(np.stack([row for _, row in self._ahead]))
        return outline

    def _reach(self, stage: Stage, units: int) -> None:
        """Take in what the first units of a stage made certain.

        It is done unit by unit: the same tokens are pooled before a segment is flushed, however
        the text came.
        """
        if not self._pooled and self._ahead:
            while self._ahead and not self._ahead[0][0].known:
                self._pool()
            self._outline.sentence()
            self._outline.paragraph()
        for unit in stage.units[self._done : units]:
            for boundary in unit.boundaries:
                self._pool_to(boundary.end)
                self._end(boundary)
            self._pool_to(unit.place)
        self._done = max(self._done, units)

    def _end(self, boundary: Boundary) -> None:
        """Close what ends."""
        unknown = boundary.certain > self._noted_place
        if unknown:
            self.boundaries.append(boundary)
        if boundary.level is Level.PARAGRAPH:
            self._outline.paragraph()
            if unknown:
                self._updated(PARAGRAPH, self._pooled)
            return
        start = self._pooled - self._outline.begun
        chance = self._outline.sentence(topics=not self._rests.at(boundary.certain))
        if not unknown:
            return
        if self._outline.begins_topic(chance):
            self.turns.append(Turn(boundary.start, chance))
            self._updated(PARAGRAPH, start)
            self._updated(TOPIC, start)
        self._updated(SENTENCE, self._pooled)

    def _updated(self, level: int, end: int) -> None:
        """Note what a level has become, whose last token is the one before a number."""
        self.updates.append(Update(level, end - 1, self._outline.carried(level)))

    def _pool_to(self, place: int) -> None:
        while self._ahead and self._ahead[0][0].end <= place:
            self._pool()

    def _pool(self) -> None:
        self._outline.tokens(self._ahead.popleft()[1][None])
        self._pooled += 1

    def finish(self) -> None:
        """End the text: what is left of it is closed, and nothing more is encoded."""
        self.session, stages = session.finish(self.model.reading, self.session)
        for stage in (*self._todo, *stages):
            self.closed += stage.closed[self._at :]
            self._at = 0
        self._todo.clear()
        self.ended = True
        self._early = Early(self.model.steps, self.model.reading.config)
        self.cache.release()

    def _flush(self, closed: Closed) -> None:
        """Go on to the next segment: what both share is encoded again."""
        flush = closed.flush
        # Tokens that are encoded again are pooled as they are then; the others have to be now.
        while self._ahead and self._pooled < flush.next:
            self._pool()
        self._ahead.clear()
        self._outline.flush()
        # What the document would be if all in it ended here: its topic rarely does.
        document = self._outline.read(np.zeros(len(SCORES))).levels[DOCUMENT]
        self.updates.append(Update(DOCUMENT, self._pooled - 1, document))
        early, start = self._early, flush.next - flush.first
        chunk = start // self.model.reading.config.chunk
        self._begin_segment(self.cache.states[chunk], flush.next)
        self._handed = early, start
        # One segment at most is not judged yet: what partial verdicts rest on does not depend on
        # how long judging takes.
        self.settle()
        places = self.session.places
        mine = part(self._spans, closed.low, closed.high).spans
        self._carried = tuple(places.moved(span) for span in mine)
        self._carried_low = places.position(closed.low)
        self.closed.append(closed)
        self._segments += 1

    def _check(self, state: text.TextState, passed: str) -> None:
        """Take a checkpoint."""
        number = self._kept[-1].number + 1
        before, ids = None, self.session.ids
        if ids is not None:
            before, ids = ids.split(self.model.reading.tokenizer, state.checkpoint)
        self.written.checkpoints[number] = Checkpoint(
            state,
            passed,
            self._segments,
            self.cache.states[0],
            self._outline.to_bytes(),
            self._pooled,
            before,
        )
        kept = (*self._kept, Kept(number, state.checkpoint, state.offset))
        self.written.checkpoints |= {one.number: None for one in kept[: -self._edits]}
        self._kept = kept[-self._edits :]
        needed = min([self._kept[0].offset, *(closed.offset for closed in self.closed)])
        self._rests = self._rests.since(self._kept[0].place)
        places = self.session.places.since(needed)
        self.session = replace(self.session, places=places, ids=ids)

    # -- spans ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look for spans in what is new of the current segment."""
        self._spans = self._seen()
        self._looked = self.session.text.length

    def _seen(self) -> list[Span]:
        """Spans of the current segment, what is new of it included."""
        state = self.session.text
        whole = state.text + state.growing.held
        start = max(state.offset, self._looked - LOOK_BACK)
        tokens = state.buffer.tokens
        at = next((n for n, token in enumerate(tokens) if token.start >= start), len(tokens))
        tags = self._lookahead.logits()[at:]
        text = whole[start - state.offset :]
        found = self.model.spans(text, start, tokens[at:], tags, whole=False)
        low = start + _SETTLED if start > state.offset else state.low
        before = [span for span in self._spans if state.low <= span.start < low]
        return united([Part(0, tuple(before)), part(found, low, None)])

    def found(self, *, fresh: bool = False) -> list[Span]:
        """All spans of the stream, in positions.

        Args:
            fresh: as of now; else as of when it was looked at last. Nothing changes either way.
        """
        places = self.session.places
        low = self.session.text.low
        spans = self._sure(self._seen() if fresh else self._spans)
        now = Part(places.position(low), tuple(places.moved(span) for span in spans))
        parts = list(self.parts)
        parts.append(Part(self._carried_low, self._carried))
        return united([*parts, now])

    def _sure(self, spans: list[Span]) -> list[Span]:
        """Spans of the current segment, as sure as they may be that early."""
        starts = [token.start for token in self.session.text.buffer.tokens if token.known]
        certainty = self.model.above.certainty
        return [
            span._replace(
                confidence=certainty.confidence(
                    span.confidence, len(starts) - bisect_left(starts, span.end)
                )
            )
            if span.origin is Origin.MODEL
            else span
            for span in spans
        ]

    # -- judging ----------------------------------------------------------------------------------

    def judge_with(self, executor: Executor) -> None:
        """Let the closed segment be judged meanwhile, if there is one."""
        if self.closed and self._job is None:
            self._job = executor.submit(
                self.model.judge, self.closed[0], self.session.places, self._ready or self.last
            )

    def take_judged(self) -> None:
        """Take the judgement that is waited for, if it is there; it is not applied yet."""
        if self._job is not None and self._job.done():
            self._take(self._job.result())

    def settle(self) -> None:
        """Apply the judgements of all closed segments, once they are there."""
        while self.closed:
            self._apply()
            job = self._job
            self._take(
                self.model.judge(self.closed[0], self.session.places, self.last)
                if job is None
                else job.result()
            )
        self._apply()

    def _take(self, judgement: Judgement) -> None:
        self.closed.pop(0)
        self._job = None
        self._judged += 1
        self.written.judgements[self._judged] = judgement
        self._ready = judgement

    def _apply(self) -> None:
        if self._ready is not None:
            self.parts.append(self._ready.part)
            self.last, self._ready = self._ready, None
        self._carried = ()
