"""Where an Hlm keeps what: the arrays its kernels work on, and how they are allocated.

A slot is a record of 16 bytes: the key (uint64) and its weight (float64). Slots are numbered

    [0, C)                   buckets; sub-table s owns the C / n_sub slots from s * C / n_sub
    [C, C + n_sub*(S+Q+1))   overflow: sub-table s owns S+Q+1 slots: stash, ring, emergency slot
    one slot                 the record of id 0, whose key word is 1 once id 0 is known

where C is the capacity and n_sub the number of sub-tables. Elsewhere a key word of 0 means vacant.
The buffer starts at a cache line, so that a bucket of four records is exactly one line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.hlm.config import SUBTABLE_SLOTS, HlmConfig

BLOCK_BYTES = 256
"""Bytes of one block of any array: the unit in which changes are reported."""

BLOCK_SLOT_BITS = 4
"""Binary logarithm of the slots in a block of ``records``."""

CACHE_LINE_BYTES = 64

# Words of ``meta``. Words from REBUILT_AT on: number of events seen at each growth.
CAPACITY = 0
LIMIT = 1
KNOWN = 2
EVENTS = 3
LOOKUP_MAX = 4
INSERT_MAX = 5
STASH_OCCUPANCY = 6
RING_OCCUPANCY = 7
EMERGENCY_USED = 8
RELOCATED = 9
VER_BASE = 10
VER_DELTA = 11
REBUILDS = 12
CHOICES = 16
BUCKET = 17
STASH = 18
RING = 19
RELOCATIONS = 20
REBUILT_AT = 32
META_WORDS = 64

# Words of ``params``: the bias, and the settings that the model ran with.
BIAS = 0
LR = 1
L2 = 2
TAU_LOW = 3
TAU_HIGH = 4
PARAM_WORDS = 5

LINK_IDENTITY = 0
LINK_LOGISTIC = 1


class Geometry(NamedTuple):
    """Constants of a table, by value, so that no kernel reads them from memory.

    Attributes:
        choices: buckets a key may live in (d).
        bucket: slots of a bucket (b).
        bucket_bits: binary logarithm of the buckets in a sub-table.
        sub_bits: binary logarithm of the number of sub-tables.
        stash: slots of a sub-table's stash (S).
        overflow: slots of a sub-table outside its buckets (S + Q + 1).
        relocations: most records that one insert moves (L).
        link: ``LINK_IDENTITY`` or ``LINK_LOGISTIC``.
    """

    choices: int
    bucket: int
    bucket_bits: int
    sub_bits: int
    stash: int
    overflow: int
    relocations: int
    link: int

    @property
    def capacity(self) -> int:
        """Bucket slots of all sub-tables (C)."""
        return self.bucket << (self.bucket_bits + self.sub_bits)

    @property
    def slots(self) -> int:
        """All slots: buckets, overflow, and the one of id 0."""
        return self.capacity + (self.overflow << self.sub_bits) + 1


class HlmArrays(NamedTuple):
    """All that a kernel needs of one Hlm; pass it on whole.

    Kernels in other packages take it as one argument: its fields may grow in number without
    changing their signatures. The arrays are the model's own, not copies. A growth replaces them,
    so fetch ``Hlm.arrays`` anew after each.

    Attributes:
        records: uint64[2 * n], record i is words 2i (key) and 2i + 1 (bits of the weight).
        weights: float64[2 * n], the same memory; the weight of slot i is word 2i + 1.
        overflow_used: uint8[n_sub], overflow slots taken in each sub-table; derived.
        dirty: uint8[blocks of records], 1 where a block changed since the last report.
        meta: int64[META_WORDS], counters, maxima, versions and the table's constants.
        params: float64[PARAM_WORDS], bias, rates and load thresholds.
        geometry: constants of the table.
        salt: uint64, key of the hash. Never stored, never shown.
    """

    records: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float64]
    overflow_used: npt.NDArray[np.uint8]
    dirty: npt.NDArray[np.uint8]
    meta: npt.NDArray[np.int64]
    params: npt.NDArray[np.float64]
    geometry: Geometry
    salt: np.uint64

    def __repr__(self) -> str:
        return f"HlmArrays({self.geometry}, known={self.meta[KNOWN]})"


def geometry_of(config: HlmConfig, capacity: int) -> Geometry:
    """Constants of a table of ``capacity`` bucket slots."""
    in_subtable = min(capacity, SUBTABLE_SLOTS)
    return Geometry(
        choices=config.choices,
        bucket=config.bucket,
        bucket_bits=(in_subtable // config.bucket).bit_length() - 1,
        sub_bits=(capacity // in_subtable).bit_length() - 1,
        stash=config.stash,
        overflow=config.overflow,
        relocations=config.relocations,
        link=LINK_LOGISTIC if config.link == "logistic" else LINK_IDENTITY,
    )


def allocate(config: HlmConfig, capacity: int, salt: int) -> HlmArrays:
    """An empty table of ``capacity`` bucket slots, every block marked dirty.

    Raises:
        MemoryError: there is no memory for 16 bytes a slot.
    """
    geometry = geometry_of(config, capacity)
    records = _zeros_on_cache_line(2 * geometry.slots)
    meta = np.zeros(META_WORDS, np.int64)
    meta[CAPACITY] = capacity
    meta[LIMIT] = int(config.tau_high * capacity)
    meta[CHOICES] = config.choices
    meta[BUCKET] = config.bucket
    meta[STASH] = config.stash
    meta[RING] = config.ring
    meta[RELOCATIONS] = config.relocations
    params = np.zeros(PARAM_WORDS, np.float64)
    params[LR] = config.lr
    params[L2] = config.l2
    params[TAU_LOW] = config.tau_low
    params[TAU_HIGH] = config.tau_high
    return HlmArrays(
        records=records,
        weights=records.view(np.float64),
        overflow_used=np.zeros(1 << geometry.sub_bits, np.uint8),
        dirty=np.ones(-(-records.nbytes // BLOCK_BYTES), np.uint8),
        meta=meta,
        params=params,
        geometry=geometry,
        salt=np.uint64(salt),
    )


def _zeros_on_cache_line(words: int) -> npt.NDArray[np.uint64]:
    """uint64[words] of zeros whose first byte is at a multiple of the cache line's size."""
    spare = CACHE_LINE_BYTES // 8
    buffer = np.zeros(words + spare, np.uint64)
    skip = -(buffer.ctypes.data // 8) % spare
    return buffer[skip : skip + words]
