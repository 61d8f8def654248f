"""Spans of a stream: found segment by segment, united, and called by names that stay.

Neighbouring segments share tokens. Each finds the spans that begin in its own part of the text;
one that goes on where the next segment's part begins is made longer by what that segment finds
there. Places are positions of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.fuse import Origin, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_SPANS: Final = 4_096
"""Spans of a stream; a verdict with more would outgrow a message of Kafka's."""


class Part(NamedTuple):
    """What one segment found.

    Attributes:
        low: position from which on spans are its own to find.
        spans: those, and those before that reach beyond `low`, in order.
    """

    low: int
    spans: tuple[Span, ...]


def part(spans: Iterable[Span], low: int, high: int | None) -> Part:
    """What of a segment's spans counts: those that begin in [low, high), or reach over low."""
    kept = [
        span
        for span in spans
        if span.end > low and (high is None or span.start < high)
    ]  # fmt: skip
    return Part(low, tuple(kept))


def united(parts: Iterable[Part]) -> list[Span]:
    """Spans of all segments, in order, none overlapping another; at most `MOST_SPANS`."""
    found: list[Span] = []
    for low, spans in parts:
        for span in spans:
            clash = next((n for n in _last(found) if found[n].end > span.start), None)
            if clash is not None and found[clash].start < span.end:
                found[clash] = _joined(found[clash], span)
            elif span.start >= low and len(found) < MOST_SPANS:
                found.append(span)
    return found


def _last(found: Sequence[Span]) -> range:
    """Numbers of the spans that the next one may overlap: they are in order."""
    return range(max(0, len(found) - 8), len(found))


def _joined(left: Span, right: Span) -> Span:
    """Two that overlap: one that is longer if they are of one type, else the surer one."""
    if left.type != right.type:
        return max(left, right, key=_strength)
    best = max(left, right, key=_strength)
    return best._replace(
        start=min(left.start, right.start),
        end=max(left.end, right.end),
        confidence=max(left.confidence, right.confidence),
        origin=left.origin if left.origin is right.origin else Origin.BOTH,
    )


def _strength(span: Span) -> tuple[bool, bool, float, int]:
    return span.validated, span.origin is not Origin.MODEL, span.confidence, span.end - span.start


class Named(NamedTuple):
    """A span that has been told.

    Attributes:
        name: number by which it is known.
        start: position of its first code point.
        end: position after the last one.
        type: of it.
    """

    name: int
    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a stream's spans; plain values.

    Attributes:
        known: spans as they were told last, in order.
        given: how many names have been given.
        revised: spans that were told otherwise later.
        withdrawn: spans that were taken back.
    """

    known: tuple[Named, ...] = ()
    given: int = 0
    revised: int = 0
    withdrawn: int = 0

    def call(self, spans: Sequence[Span]) -> tuple[Names, list[int]]:
        """Names for the spans of a verdict: those of spans that they overlap, else new ones.

        Args:
            spans: in order, none overlapping another.

        Returns:
            The names as of this verdict, and the name of each span. O(spans · known) at worst.
        """
        left = list(self.known)
        given, revised = self.given, self.revised
        told: list[Named] = []
        for span in spans:
            at = _meant(left, span)
            if at is None:
                name, given = given, given + 1
            else:
                before = left.pop(at)
                name = before.name
                revised += before[1:] != span[:3]
            told.append(Named(name, *span[:3]))
        after = Names(tuple(told), given, revised, self.withdrawn + len(left))
        return after, [one.name for one in told]

    def shifted(self, position: int, end: int, by: int) -> Names:
        """After an edit: what stood behind the units from `position` to `end` moves."""
        known = tuple(
            one._replace(start=one.start + by, end=one.end + by) if one.start >= end else one
            for one in self.known
            if one.start >= end or one.start < position or one.end > position
        )
        return replace(self, known=known)


def _meant(known: Sequence[Named], span: Span) -> int | None:
    """Which of the known spans this one is: of its type if there is one."""
    over = [
        (one.type != span.type, abs(one.start - span.start), number)
        for number, one in enumerate(known)
        if one.start < span.end and span.start < one.end
    ]
    return min(over)[2] if over else None
