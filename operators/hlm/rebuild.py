"""The rebuild: how the ids of a delta get into the base while events go on.

    stage      when                        what                                          then
    IDLE       load reaches tau_low, or    the delta is frozen: its ids are learnt but   BUILDING
               asked for, or no room       none is added; a new one takes new ids
    BUILDING   MIRROR_AT events seen       what is learnt is stored in the next base     MIRRORING
               (7/8 of T_rb)               too; a thread takes over all other weights
    MIRRORING  PUBLISH_AT events seen      the next base takes the place of base and     IDLE
               (T_rb)                      frozen delta: one assignment
    either     the new delta is full       both steps at once, and a larger delta        BUILDING

While BUILDING a thread reads keys (they do not change), finds the perfect hash and maps each record
to its next place. No event copies anything. Each step is taken before the first event at which it
is due, counted in events: the same log gives the same versions and costs at the same events. A step
that the thread is not ready for waits, and the wait is counted; with ``stable=False`` it is put off
instead.

**Tripwire.** If stash, ring and emergency slot of a sub-table are all taken, inserts freeze: events
are predicted, known ids learn, new ids are reported as not learnt. Before the next event a rebuild
begins with a larger delta, and inserts thaw; if one is running already, they thaw when it is
published and the next has begun.

Restored in the middle, a model begins the thread's work anew from the same keys: the same base.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from operators.hlm.kernels_mphf import build_pilots
from operators.hlm.kernels_rebuild import map_slots, put_keys, snapshot, take_over
from operators.hlm.layout import Base, Delta, Mirror, allocate_base
from operators.hlm.salts import Purpose, SaltKey

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ATTEMPTS = 64
"""Salts tried for one base; each fails with odds far below one in a thousand."""


class _Work(threading.Thread):
    """A thread whose error is raised where it is waited for."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="hlm-rebuild")
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error

    def wait(self) -> None:
        self.join()
        if self._error is not None:
            raise self._error


class Rebuild:
    """The next base in the making; its threads hold no GIL but for moments.

    Args:
        key: what salts follow from.
        generation: of the next base.
        base: the base.
        frozen: the frozen delta; nothing is inserted into it any more.
        keys: ids of both.
        word_bits: binary logarithm of the words of a record.

    Attributes:
        attempt: number of the salt that a perfect hash was found with; final once ready.
    """

    def __init__(
        self, key: SaltKey, generation: int, base: Base, frozen: Delta, keys: int, word_bits: int
    ) -> None:
        self.attempt = 0
        self._key = key
        self._generation = generation
        self._base = base
        self._frozen = frozen
        self._keys = keys
        self._word_bits = word_bits
        self._forward = np.zeros(0, np.uint32)
        self._following = base
        self._thread = _Work(self._build)

    @property
    def busy(self) -> bool:
        """Whether the step under way is not done yet."""
        return self._thread.is_alive()

    def mirror(self) -> Mirror:
        """Wait for perfect hash and map, begin to take weights over; where to store from now on."""
        self._thread.wait()
        self._thread = _Work(self._take_over)
        return Mirror(1, self._following.weights, self._forward)

    def finish(self) -> Base:
        """Wait until all weights are taken over; the next base, as of this moment."""
        self._thread.wait()
        return self._following

    def _build(self) -> None:
        hashes = np.empty(self._keys, np.uint64)
        while True:
            salt = self._key.salt(Purpose.BASE, self._generation, self.attempt)
            following = allocate_base(self._keys, self._word_bits, salt)
            snapshot(self._base, self._frozen, self._word_bits, following.salt, hashes)
            hashes.sort()
            if self._keys == 0 or build_pilots(hashes, following.pilots, following.last):
                break
            self.attempt += 1
            if self.attempt == MAX_ATTEMPTS:
                raise AssertionError(f"no perfect hash in {MAX_ATTEMPTS} attempts: a defect")
        put_keys(following, self._word_bits, hashes)
        slots = len(self._frozen.records) >> self._word_bits
        forward = np.zeros(self._base.keys + slots, np.uint32)
        map_slots(self._base, self._frozen, following, self._word_bits, forward)
        self._following, self._forward = following, forward

    def _take_over(self) -> None:
        take_over(self._base, self._frozen, self._following, self._word_bits, self._forward)
