"""Text under change, each code point knowing which part of the original it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Edit(NamedTuple):
    """Code points [start, end) are to become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A text and, for each of its code points, the half-open range of the original behind it.

    Attributes:
        text: the text as it is now.
        starts: int32 [len(text)], non-decreasing.
        ends: int32 [len(text)], non-decreasing; equal to starts where a mark was inserted.
    """

    text: str
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    @classmethod
    def of(cls, text: str) -> Traced:
        """An original, each code point standing for itself."""
        places = np.arange(len(text) + 1, dtype=np.int32)
        return cls(text, places[:-1], places[1:])

    def apply(self, edits: Sequence[Edit]) -> Traced:
        """The text after edits that are sorted and do not overlap.

        What replaces a range stands for all of it; where the lengths agree, code point for code
        point. An edit of an empty range inserts something that stands for nothing.
        """
        if not edits:
            return self
        parts: list[str] = []
        starts: list[NDArray[np.int32]] = []
        ends: list[NDArray[np.int32]] = []
        done = 0
        for start, end, text in edits:
            parts += (self.text[done:start], text)
            starts.append(self.starts[done:start])
            ends.append(self.ends[done:start])
            done = end
            if len(text) == end - start:
                starts.append(self.starts[start:end])
                ends.append(self.ends[start:end])
                continue
            if start == end:
                low = high = self._place(start)
            else:
                low, high = int(self.starts[start]), int(self.ends[end - 1])
            starts.append(np.full(len(text), low, np.int32))
            ends.append(np.full(len(text), high, np.int32))
        parts.append(self.text[done:])
        starts.append(self.starts[done:])
        ends.append(self.ends[done:])
        return Traced("".join(parts), np.concatenate(starts), np.concatenate(ends))

    def without(self, unwanted: str) -> Traced:
        """The text without some of its code points."""
        kept = np.array([char not in unwanted for char in self.text], bool)
        if kept.all():
            return self
        text = "".join(char for char in self.text if char not in unwanted)
        return Traced(text, self.starts[kept], self.ends[kept])

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original that [start, end) of this text came from."""
        if start >= end:
            place = self._place(start)
            return place, place
        return int(self.starts[start]), int(self.ends[end - 1])

    def from_original(self, start: int, end: int) -> tuple[int, int]:
        """The range of this text that stands for [start, end) of the original."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left"))
        while first < last and self.starts[first] == self.ends[first]:
            first += 1  # a mark before the value is not part of it
        while last > first and self.starts[last - 1] == self.ends[last - 1]:
            last -= 1
        return first, max(first, last)

    def _place(self, position: int) -> int:
        if position < len(self.starts):
            return int(self.starts[position])
        return int(self.ends[-1]) if len(self.ends) else 0
