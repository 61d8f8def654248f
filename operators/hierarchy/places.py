"""From code points of a stream's text to positions in what its producer wrote.

The two differ by what is missing: the text has a line feed where a gap of any length is.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.dlp.fuse import Span


@dataclass(frozen=True, slots=True)
class Places:
    """Where positions leave the text's own count.

    Attributes:
        from_: places in the text, rising; what is said holds from each of them on.
        shifts: by how much positions are ahead there.
    """

    from_: tuple[int, ...] = ()
    shifts: tuple[int, ...] = ()

    def position(self, place: int) -> int:
        """Position of a code point of the text."""
        at = bisect_right(self.from_, place) - 1
        return place + (self.shifts[at] if at >= 0 else 0)

    def end(self, place: int) -> int:
        """Position after the code point before a place."""
        return self.position(place - 1) + 1 if place else 0

    def place(self, position: int) -> int:
        """Place of the code point at a position; of the one after the gap, if it is in one."""
        starts, shifts = (0, *self.from_), (0, *self.shifts)
        at = 0
        while at + 1 < len(starts) and position >= starts[at + 1] + shifts[at]:
            at += 1
        return max(starts[at], position - shifts[at])

    def after_gap(self, place: int, position: int) -> Places:
        """With a gap: the code point at a place has a position of its own."""
        return Places((*self.from_, place), (*self.shifts, position - place))

    def since(self, place: int) -> Places:
        """What is needed from a place on."""
        at = max(0, bisect_right(self.from_, place) - 1)
        return Places(self.from_[at:], self.shifts[at:])

    def until(self, place: int) -> Places:
        """What is known up to a place."""
        at = bisect_right(self.from_, place)
        return Places(self.from_[:at], self.shifts[:at])

    def moved(self, span: Span) -> Span:
        """A span of the text as one of positions."""
        return span._replace(start=self.position(span.start), end=self.end(span.end))
