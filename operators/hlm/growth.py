"""Growth of an Hlm: the same records in a larger table, between two events."""

from __future__ import annotations

from operators.errors import OutOfCapacity
from operators.hlm.config import MAX_CAPACITY, HlmConfig
from operators.hlm.kernels_table import rehash
from operators.hlm.layout import (
    CAPACITY,
    EMERGENCY_USED,
    EVENTS,
    INSERT_MAX,
    KNOWN,
    LOOKUP_MAX,
    REBUILDS,
    REBUILT_AT,
    RELOCATED,
    VER_BASE,
    VER_DELTA,
    HlmArrays,
    allocate,
)

_CARRIED = (EVENTS, LOOKUP_MAX, INSERT_MAX, RELOCATED, VER_BASE, VER_DELTA, REBUILDS)


def grow(config: HlmConfig, old: HlmArrays, unknown: int) -> HlmArrays:
    """A table with the records of ``old`` and room for ``unknown`` more ids.

    The capacity doubles at least once, until the load with the new ids is at most ``tau_low``. A
    function of its arguments alone: the same table grows to the same table. ``old`` keeps its
    contents. Time is linear in the slots of both.

    Args:
        config: settings of the model.
        old: the table that is too small.
        unknown: ids that the event at hand may add.

    Raises:
        OutOfCapacity: the table would pass ``MAX_CAPACITY``.
        MemoryError: there is no memory for the larger table.
    """
    known = int(old.meta[KNOWN])
    capacity = 2 * int(old.meta[CAPACITY])
    while known + unknown > config.tau_low * capacity:
        capacity *= 2
    while capacity <= MAX_CAPACITY:
        new = allocate(config, capacity, int(old.salt))
        if rehash(old, new):
            _carry(old, new)
            return new
        capacity *= 2
    raise OutOfCapacity(
        f"{known} ids and {unknown} more need more than {MAX_CAPACITY} slots: use more shards"
    )


def _carry(old: HlmArrays, new: HlmArrays) -> None:
    """Carry bias, counters and maxima over, and count the growth.

    ``new`` has counted what the rehash did; of that only an emergency slot in use is kept: the
    maxima tell of what events met.
    """
    for word in _CARRIED:
        new.meta[word] = old.meta[word]
    new.meta[EMERGENCY_USED] += old.meta[EMERGENCY_USED]
    rebuilds = int(old.meta[REBUILDS])
    new.meta[REBUILT_AT : REBUILT_AT + rebuilds] = old.meta[REBUILT_AT : REBUILT_AT + rebuilds]
    new.meta[REBUILT_AT + rebuilds] = old.meta[EVENTS]
    new.meta[REBUILDS] += 1
    new.meta[VER_DELTA] += 1
    new.params[:] = old.params
