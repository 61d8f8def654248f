"""What one stream does in a unit of work: reads what came, and tells what is found.

A stream reads up to where a partial verdict is due by its own time, so that partial verdicts follow
from its pieces, and not from how many of them a unit of work happens to have.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from operators.errors import InvalidInput
from operators.hierarchy import session
from operators.hierarchy.growing import AHEAD
from operators.hierarchy.records import Checkpoint, Head, Judgement, Opening
from operators.hierarchy.session import Operation, Piece
from operators.hierarchy.spans import united
from operators.hierarchy.spelling import Ids
from schemas.errors import StateError
from state import stream_keys
from streams.hierarchy.live import Back, Live
from streams.verdicts import confidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from operators.dlp.verdict import Verdict
    from operators.hierarchy.told import Called, PartialConfig, Told
    from state.stream_keys import StreamKey
    from streams.hierarchy.encoder import Reading
    from streams.hierarchy.model import Found, StreamModel

_ENDED: Final = struct.Struct("<Bq")
_ENDED_FORMAT: Final = 1


class Table(Protocol):
    """What has been committed of the streams; ``state.store.ShardStore`` is one."""

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None."""

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in the order of keys."""


class Op(NamedTuple):
    """Something that happens to a stream.

    Attributes:
        source: number of the record that it comes from; -1 for a time-out.
        piece: what has come; None for a time-out, and for word that a stream which had ended has
            been judged.
        opening: what is known of a stream that begins with it.
        turn: its place among all that happens in a unit of work, in the order of the log.
    """

    source: int
    piece: Piece | None
    opening: Opening
    turn: int = 0

    @property
    def ends(self) -> bool:
        """Whether it is an END, a time-out, or word."""
        return self.piece is None or self.piece.operation is Operation.END

    @property
    def is_word(self) -> bool:
        """Whether it is word of a stream that had ended."""
        return self.piece is None and self.source >= 0


class Said(NamedTuple):
    """A verdict of a stream.

    Attributes:
        number: of it among those of its stream, from 0.
        final: whether it is the last one.
        kind: of the stream: chat, mail and so on.
        found: the verdict.
        names: of its spans.
        time_us: of the newest piece that it rests on.
        position: code points seen, those missing included.
        missing, late, repeated: units that were.
        buffer: first token of the segment, its tokens, and code points of its text.
        revised, withdrawn: spans that a verdict before had otherwise, or had and this has not.
        turn: of what brought it about.
    """

    number: int
    final: bool
    kind: str
    found: Verdict
    names: tuple[int, ...]
    time_us: int
    position: int
    missing: int
    late: int
    repeated: int
    buffer: tuple[int, int, int]
    revised: int
    withdrawn: int
    turn: int


@dataclass(slots=True)
class Outcome:
    """What became of one stream.

    Attributes:
        said: verdicts, in order.
        state: table key → value, None to delete.
        time_us: of its newest piece.
        ended: whether it has ended.
        closed: whether it is only to be judged from now on; its state says so.
        rejected: ops that do not fit it, and why.
        late: pieces that came after its end.
        error: why it was given up, if it was.
        head: of it as it was committed last, if it was given up and had one.
    """

    said: list[Said] = field(default_factory=list)
    state: dict[bytes, bytes | None] = field(default_factory=dict)
    time_us: int = -1
    ended: bool = False
    closed: bool = False
    rejected: list[tuple[Op, InvalidInput]] = field(default_factory=list)
    late: int = 0
    error: BaseException | None = None
    head: Head | None = None


class Step:
    """One attempt at what happens to a stream.

    Args:
        model: that reads it.
        partials: when partial verdicts are given.
        table: what was committed of it.
        key: the stream.
        ops: what happens to it.
        live: it.
        judged: what judges it meanwhile, if it has ended.
        defers: whether a stream that ends is judged meanwhile, and word of that waited for.

    Attributes:
        outcome: what became of it so far.
        ending: whether it is about to end.
        due: whether a partial verdict may be given now.
    """

    def __init__(
        self,
        model: StreamModel,
        partials: PartialConfig,
        table: Table,
        key: StreamKey,
        ops: list[Op],
        live: Live,
        judged: Future[None] | None = None,
        *,
        defers: bool = False,
    ) -> None:
        self._model = model
        self._partials = partials
        self._table = table
        self.key = key
        self.left = ops
        self.live = live
        self.outcome = Outcome()
        self.ending = False
        self.due = False
        self._turn = 0
        self._judged = judged
        self._defers = defers

    def read(self) -> None:
        """Read what comes next, as far as it can be before something else has to be done."""
        self.due = False
        if not self.live.ended:  # else it is another thread's until that has judged it
            self.live.take_judged()
        while self.left and not self.ending and not self.due:
            op = self.left[0]
            if self._needs_checkpoints(op) and self.live.is_behind:
                return  # they are taken as tokens are encoded
            self.left.pop(0)
            if self.live.ended:
                self._wait(op)
            elif not op.is_word:  # word of a stream that goes on is not the worker's
                self._read(op)
        if self.ending:
            if not self.live.ended:
                self.live.finish()
            self.outcome.late += sum(op.piece is not None for op in self.left)
            self.left.clear()

    def _needs_checkpoints(self, op: Op) -> bool:
        if op.piece is not None and op.piece.operation is Operation.REPLACE:
            return True
        return self._defers and op.ends

    def _read(self, op: Op) -> None:
        """Read what comes of an open stream."""
        self._turn = op.turn
        before = self.live.head() if op.ends and self._defers else None
        try:
            if op.piece is not None:
                self._take(op.piece)
        except InvalidInput as error:
            self.outcome.rejected.append((op, error))
            return
        if before is not None:
            self._close(before, op.piece)
            return
        self.ending = op.ends
        self.due = self.live.told.is_due(self._partials, self.live.session.time_us)

    def _close(self, before: Head, piece: Piece | None) -> None:
        """End the text; it is judged meanwhile, and its record says that this is all there is."""
        at = self.live.session
        end = piece or Piece(Operation.END, at.arrivals.expected, None, None, None, at.time_us)
        self.outcome.state = _records(self.key, self.live, replace(before, ending=end))
        self.outcome.state |= ended_mark(self.key, at.time_us)
        self.outcome.closed = True
        self.live.finish()

    def _wait(self, op: Op) -> None:
        """Go on to the end when there is word of it; whatever else comes is too late."""
        self.ending = op.is_word
        if self.ending:
            self._turn = op.turn
        self.outcome.late += op.piece is not None

    def _take(self, piece: Piece) -> None:
        if piece.operation is not Operation.REPLACE:
            self.live.take(piece)
            return
        live = self.live
        ids = self._ids()
        known = None if ids is None else reduce(Ids.joined, ids)
        change = session.edit(self._model.reading, live.session, piece, known)
        # A checkpoint stands only if what it took to know of it stays.
        kept = [one for one in live.kept if not one.number or one.place + AHEAD <= change.start]
        if not kept:
            raise InvalidInput(
                f"an edit of unit {piece.position}, which is before the oldest checkpoint that is "
                "kept (hierarchy.edit_checkpoints)"
            )
        number, last = kept[-1].number, live.kept[-1].number
        later = [self._checkpoint(one) for one in range(number + 1, last + 1)]
        text = "".join(one.passed for one in later) + live.session.text.tip
        at = self._checkpoint(number) if number else None
        segments = at.segments if at is not None else 0
        judgements = judgements_of(self._table, self.key, live)[:segments]
        since = None if ids is None else ids[number - live.kept[0].number]
        live.edit(change, Back(number, at, segments, judgements, text, since))

    def _ids(self) -> list[Ids] | None:
        """Token ids from each checkpoint that is kept until the next; None if they are not known.

        An edit counts ids, and where they stand in the text is not known without spelling them.
        """
        live = self.live
        if not live.session.in_ids:
            return None
        numbers = range(live.kept[0].number + 1, live.kept[-1].number + 1)
        found = [*(self._checkpoint(one).ids for one in numbers), live.session.ids]
        kept = [one for one in found if one is not None]
        return kept if len(kept) == len(found) else None

    def _checkpoint(self, number: int) -> Checkpoint:
        fresh = self.live.written.checkpoints.get(number)
        return fresh or checkpoint_of(self._table, self.key, number)

    def judge(self) -> None:
        """Wait for the judgements of all segments, if the stream ends."""
        if self.ending:
            if self._judged is not None:
                self._judged.result()
            self.live.settle()

    def tell(self, reading: Reading) -> None:
        """Look whether there is a partial verdict to give.

        Args:
            reading: of the current segment, as of its last token.
        """
        live = self.live
        live.look()
        found = self._model.partial(live, reading, live.found())
        now = live.session.time_us
        told, called = live.told.partial(
            self._partials, now, found.spans, str(found.verdict.decision), confidence(found.verdict)
        )
        self._say(told, found, called, final=False)

    def seen(self, reading: Reading) -> Said:
        """What there is to say now, whatever has been told; nothing changes."""
        live = self.live
        found = self._model.partial(live, reading, live.found(fresh=True))
        told, called = live.told.tell(found.spans, str(found.verdict.decision))
        return self._said(told, found, called, final=False)

    def finish(self) -> None:
        """Give the final verdict if the stream ends, and take down what is to be kept."""
        live = self.live
        self.outcome.time_us = live.session.time_us
        if live.ended and not self.ending:
            return
        if not self.ending:
            if live.session.time_us >= 0:  # else it has not begun: no piece of it could be used
                self.outcome.state = _records(self.key, live, live.head())
            return
        assert live.last is not None, "a stream that has ended has a judged segment"
        found = self._model.final(live.opening, live.last, united(live.parts))
        told, called = live.told.tell(found.spans, str(found.verdict.decision))
        self._say(told, found, called, final=True)
        self.outcome.ended = True
        self.outcome.state |= gone(self.key, live.head(), live.session.time_us)

    def _say(self, told: Told, found: Found, called: list[Called] | None, *, final: bool) -> None:
        if called is not None:
            self.outcome.said.append(self._said(told, found, called, final=final))
        self.live.told = told

    def _said(self, told: Told, found: Found, called: list[Called], *, final: bool) -> Said:
        at, before = self.live.session, self.live.told.names
        return Said(
            number=told.verdicts - 1,
            final=final,
            kind=self.live.opening.kind,
            found=found.verdict_of([one.span for one in called]),
            names=tuple(one.name for one in called),
            time_us=at.time_us,
            position=at.places.end(at.text.length),
            missing=at.arrivals.missing,
            late=at.arrivals.late,
            repeated=at.arrivals.repeated,
            buffer=(at.text.buffer.first, len(at.text.buffer.tokens), len(at.text.text)),
            revised=told.names.revised - before.revised,
            withdrawn=told.names.withdrawn - before.withdrawn,
            turn=self._turn,
        )


def opened(table: Table, model: StreamModel, key: StreamKey, edits: int) -> Live | None:
    """A stream as it was committed; None: there is none.

    Raises:
        StateError: a record of it is missing.
        StateMismatch: one is damaged, or of another format.
    """
    record = table.get(stream_keys.head_key(key))
    if record is None:
        return None
    head = Head.from_bytes(record)
    number = head.kept[-1].number
    at = checkpoint_of(table, key, number) if number else None
    live = Live.restored(model, head, at, judgements_of(table, key), edits)
    if head.ending is not None:
        live.take(head.ending)
        live.finish()
    return live


def checkpoint_of(table: Table, key: StreamKey, number: int) -> Checkpoint:
    """A checkpoint of a stream.

    Raises:
        StateError: it is not in the table.
        StateMismatch: it is damaged, or of another format.
    """
    record = table.get(stream_keys.checkpoint_key(key, number))
    if record is None:
        raise StateError(
            f"checkpoint {number} of a stream is missing: the changelog is incomplete; delete the "
            "state folder, and it will be restored as far as there is something"
        )
    return Checkpoint.from_bytes(record)


def judgements_of(table: Table, key: StreamKey, live: Live | None = None) -> list[Judgement]:
    """The judgements of a stream, in the order of its segments.

    Args:
        table: what was committed.
        key: the stream.
        live: it, where it may have been judged since.
    """
    records = table.items(stream_keys.judgement_prefix(key))
    found: dict[int, Judgement | None] = {
        number: Judgement.from_bytes(value) for number, (_, value) in enumerate(records, 1)
    }
    if live is not None:
        found |= live.written.judgements
    return [one for _, one in sorted(found.items()) if one is not None]


def gone(key: StreamKey, head: Head | None, time_us: int) -> dict[bytes, bytes | None]:
    """Changes of the table that take a stream out of it, and mark it as ended."""
    state: dict[bytes, bytes | None] = {stream_keys.head_key(key): None}
    if head is not None:
        state |= {stream_keys.checkpoint_key(key, one.number): None for one in head.kept}
        numbers = range(1, head.judged + 1)
        state |= {stream_keys.judgement_key(key, number): None for number in numbers}
    return state | ended_mark(key, time_us)


def ended_mark(key: StreamKey, time_us: int) -> dict[bytes, bytes | None]:
    """The change of the table that says that a stream has ended."""
    return {stream_keys.ended_key(key): _ENDED.pack(_ENDED_FORMAT, time_us)}


def ended_us(value: bytes) -> int:
    """When a stream ended, by its mark.

    Raises:
        StateError: the mark is of another format.
    """
    try:
        version, time_us = _ENDED.unpack(value)
    except struct.error as error:
        raise StateError(f"the mark of an ended stream has {len(value)} bytes") from error
    if version != _ENDED_FORMAT:
        raise StateError(
            f"the mark of an ended stream is of format {version}, this release reads "
            f"{_ENDED_FORMAT}: run the release that wrote it"
        )
    return int(time_us)


def _records(key: StreamKey, live: Live, head: Head) -> dict[bytes, bytes | None]:
    """What is to be kept of a stream that goes on."""
    written = live.take_written()
    state: dict[bytes, bytes | None] = {
        stream_keys.checkpoint_key(key, number): None
        if checkpoint is None
        else checkpoint.to_bytes()
        for number, checkpoint in written.checkpoints.items()
    }
    for number, judgement in written.judgements.items():
        value = None if judgement is None else judgement.to_bytes()
        state[stream_keys.judgement_key(key, number)] = value
    state[stream_keys.head_key(key)] = head.to_bytes()
    return state
