"""Whether every record of a table stands where a lookup of its key finds it (seed, section 8).

Nothing that a table does makes this false; a table that was loaded from outside may not be ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from operators.hlm.kernels_rebuild import strangers
from operators.hlm.kernels_table import misplaced
from operators.hlm.layout import IDLE, STAGE

if TYPE_CHECKING:
    from operators.hlm.model import Hlm


class Membership(NamedTuple):
    """Records, and those of them that a lookup does not find.

    Attributes:
        base: records of the base, ``Keys_base``.
        base_misplaced: those with ``Keys_base[h(id)] != id``.
        delta: records of the deltas, the frozen one included.
        delta_misplaced: those that the bounded probes do not reach.
    """

    base: int
    base_misplaced: int
    delta: int
    delta_misplaced: int

    @property
    def holds(self) -> bool:
        """Every record is found."""
        return not (self.base_misplaced or self.delta_misplaced)


def membership(hlm: Hlm) -> Membership:
    """Look every record of a model up. O(records)."""
    arrays = hlm.arrays
    astray = misplaced(arrays.active)
    if arrays.meta[STAGE] != IDLE:  # otherwise the frozen delta holds nothing of meaning
        astray += misplaced(arrays.frozen)
    keys = arrays.base.keys
    return Membership(
        base=keys,
        base_misplaced=strangers(arrays.base, arrays.rules.word_bits) if keys else 0,
        delta=hlm.known - keys,
        delta_misplaced=astray,
    )
