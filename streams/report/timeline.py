"""What happened over time, and how long things took, in memory that does not grow with the logs."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST: Final = 360
"""Intervals of a timeline; when there are more, they become twice as long."""

GROWTH: Final = 1.02
"""From one latency bucket to the next: a percentile is off by 1 % at most."""

_LEAST: Final = 1e-3
_Cell = TypeVar("_Cell")


class Timeline(Generic[_Cell]):
    """Something for each interval of time, at most `MOST` of them; amortised O(1) a record.

    Args:
        make: an empty one.
        merge: adds the second to the first.

    Attributes:
        width: seconds of an interval, a power of two.
    """

    def __init__(self, make: Callable[[], _Cell], merge: Callable[[_Cell, _Cell], object]) -> None:
        self.width = 1
        self._make = make
        self._merge = merge
        self._cells: dict[int, _Cell] = {}

    def at(self, timestamp: float) -> _Cell:
        """What belongs to a time; to be changed in place, before the next call."""
        place = int(timestamp // self.width)
        cell = self._cells.get(place)
        if cell is None:
            while len(self._cells) >= MOST:
                self._widen()
            place = int(timestamp // self.width)
            cell = self._cells.setdefault(place, self._make())
        return cell

    def __iter__(self) -> Iterator[tuple[float, _Cell]]:
        """Beginnings of the intervals that something happened in, with it, in order."""
        return ((place * float(self.width), self._cells[place]) for place in sorted(self._cells))

    def __len__(self) -> int:
        return len(self._cells)

    def coarsen(self, width: float) -> None:
        """Make intervals at least so many seconds long."""
        while self.width < width:
            self._widen()

    def between(self, first: float, last: float) -> Iterator[tuple[float, _Cell]]:
        """Every interval from that of one time to that of another, those without anything too."""
        for place in range(int(first // self.width), int(last // self.width) + 1):
            yield place * float(self.width), self._cells.get(place) or self._make()

    def _widen(self) -> None:
        self.width *= 2
        cells: dict[int, _Cell] = {}
        for place, cell in self._cells.items():
            if place // 2 in cells:
                self._merge(cells[place // 2], cell)
            else:
                cells[place // 2] = cell
        self._cells = cells


def counted() -> Timeline[Counter[Any]]:
    """A timeline that counts by name."""
    return Timeline(Counter, lambda one, other: one.update(other))


class Latencies:
    """Times in milliseconds, as counts of buckets that grow by `GROWTH`; at most some 1,200."""

    __slots__ = ("_buckets", "count", "over")

    def __init__(self) -> None:
        self.count = 0
        self.over = 0
        self._buckets: Counter[int] = Counter()

    def add(self, milliseconds: float, count: int, budget: float) -> None:
        """Take one time, so often."""
        self.count += count
        self.over += count * (milliseconds > budget)
        # From 1 µs to 10^4 s: what is beyond is a damaged clock, and no reason for more buckets.
        held = min(max(milliseconds, _LEAST), _LEAST * 1e10)
        self._buckets[round(math.log(held) / math.log(GROWTH))] += count

    def merge(self, other: Latencies) -> None:
        """Take all that another has."""
        self.count += other.count
        self.over += other.over
        self._buckets.update(other._buckets)

    def percentiles(self, shares: Iterable[float]) -> list[float]:
        """Milliseconds below which each share lies; shares rise. Of nothing: nan."""
        found: list[float] = []
        ordered = iter(sorted(self._buckets.items()))
        bucket, seen = 0, 0
        for share in shares:
            while seen < max(1, math.ceil(share * self.count)):
                following = next(ordered, None)
                if following is None:
                    return [math.nan for _ in shares]
                bucket, seen = following[0], seen + following[1]
            found.append(GROWTH**bucket)
        return found


def latencies() -> Timeline[Latencies]:
    """A timeline of latencies."""
    return Timeline(Latencies, Latencies.merge)
