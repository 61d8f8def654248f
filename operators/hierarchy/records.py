"""What is kept of a stream, so that it can be gone on with after an eviction or a restart.

    head         with every unit of work that the stream has a part in: what came since the last
                 checkpoint, as text, and what has been told
    checkpoint   after a segment was flushed: tokens that the next one begins with, slow state,
                 levels
    judgement    after a segment was scanned: its spans, the scores so far, slow state of the scan

Neither caches nor anything that follows from these is kept. Numbers of checkpoints and judgements
count from 1; checkpoint 0 is the beginning of the stream.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from operators.dlp.fuse import Origin, Span
from operators.hierarchy.arrivals import Arrivals
from operators.hierarchy.boundaries import BoundaryState
from operators.hierarchy.buffer import BufferState, Flush, Reason, Token
from operators.hierarchy.growing import GrowingState
from operators.hierarchy.packed import packed, unpacked
from operators.hierarchy.places import Places
from operators.hierarchy.rests import Rests
from operators.hierarchy.session import Operation, Piece
from operators.hierarchy.spans import Part
from operators.hierarchy.spelling import Ids
from operators.hierarchy.text import Closed, TextState
from operators.hierarchy.told import Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TOKEN: Final = np.dtype("<i4")
_ITEM: Final = np.dtype("<i8")  # a gap may be longer than any vocabulary


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a stream before its text.

    Attributes:
        kind: one of `operators.dlp.dsl.KINDS`.
        external: whether somebody outside reads it; None where that is not known.
    """

    kind: str = "CHAT"
    external: bool | None = None


class Kept(NamedTuple):
    """A checkpoint that an edit may go back to.

    Attributes:
        number: of it.
        place: where it stands in the text.
        offset: where the text begins that its segment needs.
    """

    number: int
    place: int
    offset: int


@dataclass(frozen=True, slots=True)
class Head:
    """See above.

    Attributes:
        opening: of the stream.
        arrivals, in_ids, spelled, ids, places, time_us: of `operators.hierarchy.session.Session`.
        since_us: time of the first token since the last flush.
        tip: text since the checkpoint.
        kept: checkpoints that an edit may go back to, in order; the last one is where `tip` begins.
        looked: place up to which the segment has been looked at for spans.
        spans: that were found in it, in places of the text.
        judged: number of the last judgement.
        applied: number of the last one that partial verdicts rest on.
        closed: segments that are closed and not judged, in order.
        carried: spans that were found in the segment whose judgement is not applied yet, while it
            was read, in positions.
        carried_low: position from which on they are that segment's to find.
        told: what has been told.
        ending: the piece that ends the stream, which is not in what the other fields say; None: it
            is open.
        rests: where its topics rested, as far back as its text may be read again.
    """

    opening: Opening
    arrivals: Arrivals
    in_ids: bool | None
    spelled: bytes
    ids: Ids | None
    places: Places
    time_us: int
    since_us: int
    tip: str
    kept: tuple[Kept, ...]
    looked: int
    spans: tuple[Span, ...]
    judged: int
    applied: int
    closed: tuple[Closed, ...]
    carried: tuple[Span, ...]
    carried_low: int
    told: Told
    ending: Piece | None = None
    rests: Rests = field(default_factory=Rests)

    def to_bytes(self) -> bytes:
        """The record."""
        head: dict[str, Any] = {
            "opening": asdict(self.opening),
            "arrivals": self.arrivals.to_json(),
            "in_ids": self.in_ids,
            "places": [self.places.from_, self.places.shifts],
            "time_us": self.time_us,
            "since_us": self.since_us,
            "tip": self.tip,
            "kept": self.kept,
            "looked": self.looked,
            "spans": self.spans,
            "judged": self.judged,
            "applied": self.applied,
            "closed": [_closed_head(one) for one in self.closed],
            "carried": self.carried,
            "carried_low": self.carried_low,
            "told": self.told.to_json(),
        }
        if self.ending is not None:
            head["ending"] = self.ending
        if self.rests.places:
            head["rests"] = self.rests.places
        ids = _ids(head, self.ids)
        return packed(
            head, (self.spelled, *(_tokens(one.flush.tokens) for one in self.closed), *ids)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The head again.

        Raises:
            StateMismatch: the record is of another format, or damaged.
        """
        head, (spelled, *tokens) = unpacked(data)
        ids = _known(head, tokens)
        closed = zip(head["closed"], tokens, strict=True)
        return cls(
            **{
                **head,
                "opening": Opening(**head["opening"]),
                "arrivals": Arrivals.from_json(head["arrivals"]),
                "spelled": spelled,
                "ids": ids,
                "places": Places(*map(tuple, head["places"])),
                "kept": tuple(Kept(*one) for one in head["kept"]),
                "spans": tuple(_span(one) for one in head["spans"]),
                "closed": tuple(_closed(*one) for one in closed),
                "carried": tuple(_span(one) for one in head["carried"]),
                "told": Told.from_json(head["told"]),
                "ending": _piece(head["ending"]) if "ending" in head else None,
                "rests": Rests(tuple(head.get("rests", ()))),
            }
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """See above.

    Attributes:
        text: nothing of which is held back.
        passed: text between the checkpoint before and this one.
        ids: tokens that spelled it; None in a stream of text.
        segments: closed so far.
        slow: slow state before the current segment, float32 [blocks, width].
        levels: state of the levels; empty without.
        pooled: number of the first token that is not in the levels yet.
    """

    text: TextState
    passed: str
    segments: int
    slow: NDArray[np.float32]
    levels: bytes
    pooled: int
    ids: Ids | None = None

    def to_bytes(self) -> bytes:
        """The record."""
        text = self.text
        head = {
            "boundaries": text.boundaries.to_json(),
            "first": text.buffer.first,
            "sentences": text.buffer.sentences,
            "text": text.text,
            "offset": text.offset,
            "low": text.low,
            "checkpoint": text.checkpoint,
            "passed": self.passed,
            "segments": self.segments,
            "slow": self.slow.shape,
            "pooled": self.pooled,
        }
        slow = self.slow.astype("<f4").tobytes()
        ids = _ids(head, self.ids)
        return packed(head, (_tokens(text.buffer.tokens), slow, self.levels, *ids))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The checkpoint again.

        Raises:
            StateMismatch: the record is of another format, or damaged.
        """
        head, (tokens, slow, levels, *more) = unpacked(data)
        place = head["checkpoint"]
        text = TextState(
            GrowingState("", place),
            BoundaryState.from_json(head["boundaries"]),
            BufferState(head["first"], _untokened(tokens), tuple(head["sentences"])),
            head["text"],
            head["offset"],
            head["low"],
            place,
        )
        state = np.frombuffer(slow, "<f4").reshape(head["slow"])
        ids = _known(head, more)
        return cls(text, head["passed"], head["segments"], state, levels, head["pooled"], ids)


@dataclass(frozen=True, slots=True)
class Judgement:
    """See above.

    Attributes:
        part: what the segment found.
        scores: document logits, the gravest of all segments so far, float32 [4].
        slow: slow state that the next segment's scan starts in, float32 [blocks, width].
        memory: vector of the text so far, float32 [256].
    """

    part: Part
    scores: NDArray[np.float32]
    slow: NDArray[np.float32]
    memory: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """The record."""
        head: dict[str, Any] = {
            "low": self.part.low,
            "spans": self.part.spans,
            "slow": self.slow.shape,
        }
        arrays = (self.scores, self.slow, self.memory)
        return packed(head, tuple(one.astype("<f4").tobytes() for one in arrays))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The judgement again.

        Raises:
            StateMismatch: the record is of another format, or damaged.
        """
        head, arrays = unpacked(data)
        scores, slow, memory = (np.frombuffer(one, "<f4") for one in arrays)
        spans = tuple(_span(one) for one in head["spans"])
        return cls(Part(head["low"], spans), scores, slow.reshape(head["slow"]), memory)


def _piece(values: Sequence[Any]) -> Piece:
    operation, position, end, text, ids, time_us = values
    return Piece(
        Operation(operation), position, end, text, None if ids is None else tuple(ids), time_us
    )


def _span(values: Sequence[Any]) -> Span:
    start, end, kind, confidence, origin, validated, rule = values
    return Span(start, end, kind, confidence, Origin(origin), validated, rule)


def _ids(head: dict[str, Any], ids: Ids | None) -> tuple[bytes, ...]:
    """The array of ids, if there are any; the head says where they begin."""
    if ids is None:
        return ()
    head["ids"] = (ids.first, ids.place)
    return (np.array(ids.items, _ITEM).tobytes(),)


def _known(head: dict[str, Any], arrays: list[bytes]) -> Ids | None:
    """Ids again; takes them out of the head and its arrays, of which they are the last."""
    begins = head.pop("ids", None)
    if begins is None:
        return None
    first, place = begins
    return Ids(first, place, tuple(np.frombuffer(arrays.pop(), _ITEM).tolist()))


def _tokens(tokens: Sequence[Token]) -> bytes:
    return np.array(tokens, _TOKEN).tobytes()


def _untokened(data: bytes) -> tuple[Token, ...]:
    rows = np.frombuffer(data, _TOKEN).reshape(-1, len(Token._fields)).tolist()
    return tuple(Token(*row) for row in rows)


def _closed_head(closed: Closed) -> list[Any]:
    flush = closed.flush
    return [
        flush.reason.value, flush.first, flush.cut, flush.next,
        closed.text, closed.offset, closed.low, closed.high,
    ]  # fmt: skip


def _closed(head: Sequence[Any], tokens: bytes) -> Closed:
    reason, first, cut, following, *rest = head
    flush = Flush(Reason(reason), first, cut, following, _untokened(tokens))
    return Closed(flush, *rest)
