"""Which units of a stream's pieces are new, in the order that the pieces come in.

A piece has a position and a number of units (code points, or tokens). What is expected next is the
end of the furthest piece so far. Nothing is held back or put in another order:

    position         units from                 what happens to them
    as expected      there on                   taken
    further on       there on                   taken; those in between are *missing*
    before           before what is expected    left out: *late* where they were missing, which
                                                they then no longer are, else *repeated*
    before           what is expected           taken

Of gaps that units may still come for, the latest `MOST_GAPS` are known; what comes for an older one
counts as repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from operators.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_GAPS: Final = 64


class Admitted(NamedTuple):
    """What is to be made of one piece.

    Attributes:
        skip: units at its start that are left out.
        gap: units missing right before those that are taken.
        late: of those left out, how many were missing.
        repeated: of those left out, how many had been seen.
    """

    skip: int
    gap: int
    late: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is known of the units of a stream; plain values.

    Attributes:
        expected: position of the next unit.
        gaps: half-open ranges that nothing came for, in order, none touching another.
        missing: units that nothing came for.
        late: units that came after their place had been passed.
        repeated: units that came again.
    """

    expected: int = 0
    gaps: tuple[tuple[int, int], ...] = ()
    missing: int = 0
    late: int = 0
    repeated: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The state again."""
        gaps = tuple((low, high) for low, high in values["gaps"])
        return cls(**{**values, "gaps": gaps})


def admit(state: Arrivals, position: int, units: int) -> tuple[Arrivals, Admitted]:
    """Take in a piece; at most `MOST_GAPS` steps.

    Args:
        state: before it.
        position: of its first unit.
        units: how many it has.

    Raises:
        InvalidInput: position or units is negative.
    """
    if position < 0 or units < 0:
        raise InvalidInput(f"position {position}, {units} units: neither can be negative")
    end = position + units
    gap = max(0, position - state.expected)
    late, gaps = _fill(state.gaps, position, min(end, state.expected))
    skip = min(units, max(0, state.expected - position))
    if gap:
        gaps = (*gaps, (state.expected, position))[-MOST_GAPS:]
    after = Arrivals(
        max(state.expected, end),
        gaps,
        state.missing + gap - late,
        state.late + late,
        state.repeated + skip - late,
    )
    return after, Admitted(skip, gap, late, skip - late)


def _fill(
    gaps: tuple[tuple[int, int], ...], start: int, end: int
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """How many units of [start, end) lie in gaps, and the gaps without them."""
    late, left = 0, []
    for low, high in gaps:
        first, last = max(low, start), min(high, end)
        if first >= last:
            left.append((low, high))
            continue
        late += last - first
        left += [part for part in ((low, first), (last, high)) if part[0] < part[1]]
    return late, tuple(left[-MOST_GAPS:])
