"""Attending to a model between two events: the steps of a rebuild, in the order of its table.

See operators/hlm/rebuild.py for the table of stages. What is decided here follows from ``meta``
alone, which is state; how far the thread is decides only whether a step waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.errors import OutOfCapacity
from operators.hlm.kernels import low_mark
from operators.hlm.layout import (
    ACTIVE_CAPACITY,
    ACTIVE_KNOWN,
    ATTEMPT,
    BASE_KEYS,
    BEGAN_AT,
    BUILDING,
    DUE,
    EARLY,
    EVENTS,
    FROZEN_CAPACITY,
    FROZEN_KNOWN,
    GROW,
    IDLE,
    INSERTS_FROZEN,
    KNOWN,
    LATENESS,
    LATENESS_WORDS,
    LIMIT,
    LOW_MARK,
    MIRROR_AT,
    MIRRORING,
    NEVER,
    NOVELTY,
    PUBLISH_AT,
    REBUILDS,
    RING_OCCUPANCY,
    STAGE,
    STASH_OCCUPANCY,
    VER_BASE,
    VER_DELTA,
    WINDOW_KNOWN,
    WINDOW_MAX,
    HlmArrays,
    allocate_delta,
    no_delta,
    no_mirror,
)
from operators.hlm.rebuild import Rebuild
from operators.hlm.salts import Purpose, SaltKey
from operators.hlm.sizing import next_capacity
from operators.hlm.state import limit

if TYPE_CHECKING:
    from operators.hlm.config import HlmConfig

POLL_EVENTS = 64
"""Events between two looks at the thread where it decides when a step is taken."""


class Lifecycle:
    """The generations of one model.

    Args:
        config: settings.
        key: what salts follow from.
        arrays: the model's arrays; a rebuild that they are in the middle of is taken up.

    Attributes:
        arrays: the present generation.
        waits: steps that the thread was not ready for in time, since construction. It depends on
            the machine and is no part of the state: sizing keeps it at 0, and above 0 is an alarm.
    """

    def __init__(self, config: HlmConfig, key: SaltKey, arrays: HlmArrays) -> None:
        self.arrays = arrays
        self.waits = 0
        self._config = config
        self._key = key
        self._rebuild: Rebuild | None = None
        if arrays.meta[STAGE] != IDLE:
            self._rebuild = self._thread()
        if arrays.meta[STAGE] == MIRRORING:
            self._mirror()
            self.waits = 0

    def attend(self, unknown: int) -> None:
        """Take the steps that are due, and make room for ``unknown`` ids.

        Raises:
            OutOfCapacity: a single event has more new ids than any delta may take.
        """
        meta = self.arrays.meta
        if unknown > limit(self._config, int(meta[ACTIVE_CAPACITY])) - int(meta[ACTIVE_KNOWN]):
            if meta[STAGE] != IDLE:
                self._publish(early=True)
            self._begin(unknown)
        while meta[EVENTS] >= meta[DUE]:
            self._advance()

    def _advance(self) -> None:
        """One step, if its time has come; else say again when that is."""
        meta = self.arrays.meta
        if meta[STAGE] == IDLE:
            self._begin(0)
        elif self._early():
            meta[DUE] = meta[EVENTS] + POLL_EVENTS
        elif meta[STAGE] == BUILDING:
            if self._config.stable and meta[EVENTS] < meta[MIRROR_AT]:
                meta[DUE] = meta[MIRROR_AT]
            else:
                self._mirror()
        elif self._config.stable and meta[EVENTS] < meta[PUBLISH_AT]:
            meta[DUE] = meta[PUBLISH_AT]
        else:
            self._publish(early=False)

    def _early(self) -> bool:
        """Whether the thread decides, and is not ready."""
        return not self._config.stable and self._rebuild is not None and self._rebuild.busy

    def _thread(self) -> Rebuild:
        arrays = self.arrays
        return Rebuild(
            self._key,
            int(arrays.meta[VER_BASE]) + 1,
            arrays.base,
            arrays.frozen,
            int(arrays.meta[BASE_KEYS] + arrays.meta[FROZEN_KNOWN]),
            arrays.rules.word_bits,
        )

    def _begin(self, unknown: int) -> None:
        """Freeze the delta and begin another; IDLE to BUILDING."""
        meta = self.arrays.meta
        if meta[INSERTS_FROZEN]:
            meta[GROW] = 1
        capacity = next_capacity(self._config, meta, unknown)
        if unknown > limit(self._config, capacity):
            raise OutOfCapacity(
                f"{unknown} new ids in one event: a delta has at most {capacity} slots"
            )
        meta[VER_DELTA] += 1
        salt = self._key.salt(Purpose.DELTA, int(meta[VER_DELTA]))
        active = allocate_delta(self._config, capacity, salt)
        self.arrays = self.arrays._replace(frozen=self.arrays.active, active=active)
        meta[REBUILDS] += 1
        meta[FROZEN_KNOWN], meta[ACTIVE_KNOWN] = meta[ACTIVE_KNOWN], 0
        meta[FROZEN_CAPACITY], meta[ACTIVE_CAPACITY] = meta[ACTIVE_CAPACITY], capacity
        meta[LOW_MARK] = low_mark(self._config.tau_low, capacity)
        meta[LIMIT] = limit(self._config, capacity)
        meta[GROW] = meta[INSERTS_FROZEN] = 0
        window = max(meta[WINDOW_MAX], meta[KNOWN] - meta[WINDOW_KNOWN])
        meta[NOVELTY] = max(window, meta[NOVELTY] // 2)
        meta[WINDOW_MAX] = 0
        duration = self._config.publication(int(meta[KNOWN]))
        meta[STAGE] = BUILDING
        meta[BEGAN_AT] = meta[EVENTS]
        meta[MIRROR_AT] = meta[EVENTS] + 7 * duration // 8
        meta[PUBLISH_AT] = meta[EVENTS] + duration
        meta[DUE] = meta[MIRROR_AT] if self._config.stable else meta[EVENTS] + POLL_EVENTS
        self._rebuild = self._thread()

    def _mirror(self) -> None:
        """Store in the next base too from here on; BUILDING to MIRRORING."""
        assert self._rebuild is not None
        meta = self.arrays.meta
        self.waits += self._rebuild.busy
        self.arrays = self.arrays._replace(mirror=self._rebuild.mirror())
        meta[STAGE] = MIRRORING
        meta[DUE] = meta[PUBLISH_AT] if self._config.stable else meta[EVENTS] + POLL_EVENTS

    def _publish(self, *, early: bool) -> None:
        """Put the next base in place; MIRRORING (or BUILDING, if early) to IDLE, or on."""
        assert self._rebuild is not None
        meta = self.arrays.meta
        if meta[STAGE] == BUILDING:
            self._mirror()
        self.waits += self._rebuild.busy
        base = self._rebuild.finish()
        meta[ATTEMPT] = self._rebuild.attempt
        self._rebuild = None
        self.arrays = self.arrays._replace(
            base=base, frozen=no_delta(self._config), mirror=no_mirror()
        )
        meta[VER_BASE] += 1
        meta[BASE_KEYS] = base.keys
        meta[FROZEN_KNOWN] = meta[FROZEN_CAPACITY] = 0
        self._count_overflow()
        meta[STAGE] = IDLE
        if early:
            meta[EARLY] += 1
            meta[GROW] = 1
        else:
            late = slice(LATENESS, LATENESS + LATENESS_WORDS)
            meta[late] = np.roll(meta[late], 1)
            meta[LATENESS] = meta[EVENTS] - meta[PUBLISH_AT]
        full = meta[INSERTS_FROZEN] or meta[ACTIVE_KNOWN] >= meta[LOW_MARK]
        meta[DUE] = 0 if full else NEVER

    def _count_overflow(self) -> None:
        """Count what the active delta has in stashes and rings; the frozen one is gone."""
        used = self.arrays.active.overflow_used.astype(np.int64)
        stash = np.minimum(used, self._config.stash)
        self.arrays.meta[STASH_OCCUPANCY] = int(stash.sum())
        self.arrays.meta[RING_OCCUPANCY] = int(np.minimum(used - stash, self._config.ring).sum())
