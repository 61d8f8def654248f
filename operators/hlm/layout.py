"""Where an Hlm keeps what: the arrays its kernels work on, and how they are allocated.

A **record** is a key (uint64) and its weight (float64), 16 bytes; with AdaGrad also the sum of
squared gradients and a spare word, 32 bytes. No record crosses a cache line.

A **base** is n records in the order of its perfect hash (operators/hlm/kernels_mphf.py).

A **delta** is a cuckoo dictionary of C bucket slots in n_sub sub-tables. Its slots are numbered

    [0, C)                   buckets; sub-table s owns the C / n_sub slots from s * C / n_sub
    [C, C + n_sub*(S+Q+1))   overflow: sub-table s owns S+Q+1 slots: stash, ring, emergency slot
    one slot                 the record of id 0, whose key word is 1 once id 0 is known

Elsewhere a key word of 0 means vacant. New ids go to the ``active`` delta. While a rebuild runs
there is also the ``frozen`` one, whose ids the next base takes over.

A **place** says where an id is, in one number: a slot of the base, a slot of the frozen delta plus
``FROZEN``, a slot of the active one plus ``ACTIVE``, or ``ABSENT``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.hlm.kernels_mphf import buckets_for, places_for

if TYPE_CHECKING:
    from operators.hlm.config import HlmConfig

BLOCK_BYTES = 256
"""Bytes of one block of records: the unit in which changes are reported."""

BLOCK_WORD_BITS = 5
"""Binary logarithm of the words in a block of records."""

CACHE_LINE_BYTES = 64

ABSENT = -1
FROZEN = 1 << 40
ACTIVE = 1 << 41

# Words of ``meta``.
KNOWN = 0  # ids in base and deltas
EVENTS = 1
LOOKUP_MAX = 2
INSERT_MAX = 3
STASH_OCCUPANCY = 4  # of both deltas
RING_OCCUPANCY = 5
EMERGENCY_USED = 6  # times, ever
RELOCATED = 7
VER_BASE = 8  # bases published
VER_DELTA = 9  # deltas begun, less one
REBUILDS = 10  # rebuilds begun
ATTEMPT = 11  # how often the salt of the base was taken anew
BASE_KEYS = 12
FROZEN_KNOWN = 13
ACTIVE_KNOWN = 14
ACTIVE_CAPACITY = 15
FROZEN_CAPACITY = 16
STAGE = 17
BEGAN_AT = 18  # number of events at the beginning of the rebuild that runs
MIRROR_AT = 19
PUBLISH_AT = 20
DUE = 21  # number of events at which the model wants attention; NEVER
LOW_MARK = 22  # ids in the active delta at which a rebuild begins
LIMIT = 23  # ids that the active delta may take
ALARM = 24  # times that an insert found no room at all
INSERTS_FROZEN = 25
NOT_LEARNT = 26  # new ids that events brought while inserts were frozen
EARLY = 27  # publications that a full delta brought forward
WINDOW_KNOWN = 28  # known ids at the beginning of the window
WINDOW_MAX = 29  # most new ids of a window since the last rebuild began
NOVELTY = 30  # estimate of new ids a window
SALT_VERSION = 31
CHOICES = 32
BUCKET = 33
STASH = 34
RING = 35
RELOCATIONS = 36
SUBTABLE = 37
WORD_BITS = 38
GROW = 39  # 1: the next delta must be larger than this one
LATENESS = 40  # events by which the last rebuilds were published after their time, latest first
LATENESS_WORDS = 8
BURSTS = 48  # events by the bit length of the number of new ids they brought
BURST_WORDS = 32
META_WORDS = BURSTS + BURST_WORDS

NEVER = 1 << 62

# Values of ``meta[STAGE]``; operators/hlm/rebuild.py has the transitions.
IDLE = 0
BUILDING = 1
MIRRORING = 2

WINDOW_BITS = 8
"""Binary logarithm of the events over which new ids are counted."""

# Words of ``params``: what is learnt beside the weights, and the settings the model ran with.
BIAS = 0
BIAS_SQUARES = 1
LR = 2
L2 = 3
TAU_LOW = 4
TAU_HIGH = 5
PARAM_WORDS = 6

REFUSED_KEPT = 1024
"""Ids that could not be learnt of which the model keeps the names until it is asked."""

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Base(NamedTuple):
    """A perfect hash and its records.

    Attributes:
        records: uint64[n << word_bits], key and bits of the weight of each record.
        weights: float64[n << word_bits], the same memory.
        pilots: uint8[buckets].
        last: uint32[m - n], where the last places are sent.
        dirty: uint8[blocks of records], 1 where a block changed since the last report.
        keys: number of keys (n); 0 for an empty base, whose arrays then hold nothing of meaning.
        salt: uint64, key of the hash. Never stored, never shown.
    """

    records: Words
    weights: Floats
    pilots: Bytes
    last: npt.NDArray[np.uint32]
    dirty: Bytes
    keys: int
    salt: np.uint64

    def __repr__(self) -> str:
        return f"Base(keys={self.keys})"


class Geometry(NamedTuple):
    """Constants of a delta, by value, so that no kernel reads them from memory.

    Attributes:
        choices: buckets a key may live in (d).
        bucket: slots of a bucket (b).
        bucket_bits: binary logarithm of the buckets in a sub-table.
        sub_bits: binary logarithm of the number of sub-tables.
        stash: slots of a sub-table's stash (S).
        overflow: slots of a sub-table outside its buckets (S + Q + 1).
        relocations: most records that one insert moves (L).
        word_bits: binary logarithm of the words of a record.
    """

    choices: int
    bucket: int
    bucket_bits: int
    sub_bits: int
    stash: int
    overflow: int
    relocations: int
    word_bits: int

    @property
    def capacity(self) -> int:
        """Bucket slots of all sub-tables (C)."""
        return self.bucket << (self.bucket_bits + self.sub_bits)

    @property
    def slots(self) -> int:
        """All slots: buckets, overflow, and the one of id 0."""
        return self.capacity + (self.overflow << self.sub_bits) + 1


class Delta(NamedTuple):
    """A bounded cuckoo dictionary.

    Attributes:
        records: uint64[slots << word_bits].
        weights: float64[slots << word_bits], the same memory.
        overflow_used: uint8[n_sub], overflow slots taken in each sub-table; derived.
        dirty: uint8[blocks of records], 1 where a block changed since the last report.
        geometry: constants.
        salt: uint64, key of the hash. Never stored, never shown.
    """

    records: Words
    weights: Floats
    overflow_used: Bytes
    dirty: Bytes
    geometry: Geometry
    salt: np.uint64

    def __repr__(self) -> str:
        return f"Delta({self.geometry})"


class Mirror(NamedTuple):
    """Where what is learnt goes a second time, while the next base takes weights over.

    Attributes:
        on: 1 while it does.
        weights: float64[], records of the next base; of length 0 while ``on`` is 0.
        forward: uint32[n + slots], record of the next base for each slot of the base, then for
            each slot of the frozen delta.
    """

    on: int
    weights: Floats
    forward: npt.NDArray[np.uint32]


class Rules(NamedTuple):
    """How the model learns, by value; ``HlmConfig`` has the meaning. 0 is no, 1 is yes."""

    logistic: int
    adagrad: int
    single: int
    river: int
    compensated: int
    intercept: int
    word_bits: int


class HlmArrays(NamedTuple):
    """All that a kernel needs of one Hlm; pass it on whole.

    Kernels in other packages take it as one argument: its fields may grow in number without
    changing their signatures. The arrays are the model's own, not copies, and change with every
    ``Hlm.attend``: fetch ``Hlm.arrays`` anew after it.

    Attributes:
        base: the frozen bulk of the ids.
        frozen: ids that the rebuild that runs adds to the base; without slots if none runs.
        active: ids that came since.
        mirror: the next base.
        meta: int64[META_WORDS], counters, maxima, versions and constants.
        params: float64[PARAM_WORDS], bias, rates and thresholds.
        refused: uint64[REFUSED_KEPT], the last ids that were not learnt, as a ring.
        rules: how to learn.
    """

    base: Base
    frozen: Delta
    active: Delta
    mirror: Mirror
    meta: Ints
    params: Floats
    refused: Words
    rules: Rules

    def __repr__(self) -> str:
        return f"HlmArrays({self.base}, {self.frozen}, {self.active})"


def rules_of(config: HlmConfig) -> Rules:
    """How a configured model learns."""
    return Rules(
        logistic=int(config.link == "logistic"),
        adagrad=int(config.rate == "adagrad"),
        single=int(config.arithmetic == "single"),
        river=int(config.order == "river"),
        compensated=int(config.compensated),
        intercept=int(config.intercept),
        word_bits=2 if config.rate == "adagrad" else 1,
    )


def geometry_of(config: HlmConfig, capacity: int) -> Geometry:
    """Constants of a delta of ``capacity`` bucket slots."""
    in_subtable = min(capacity, config.subtable)
    return Geometry(
        choices=config.choices,
        bucket=config.bucket,
        bucket_bits=(in_subtable // config.bucket).bit_length() - 1,
        sub_bits=(capacity // in_subtable).bit_length() - 1,
        stash=config.stash,
        overflow=config.overflow,
        relocations=config.relocations,
        word_bits=rules_of(config).word_bits,
    )


def allocate_delta(config: HlmConfig, capacity: int, salt: int) -> Delta:
    """An empty delta of ``capacity`` bucket slots, every block marked dirty.

    Raises:
        MemoryError: there is no memory for 16 bytes a slot (32 with AdaGrad).
    """
    geometry = geometry_of(config, capacity)
    records = _words_on_cache_line(geometry.slots << geometry.word_bits)
    return Delta(
        records=records,
        weights=records.view(np.float64),
        overflow_used=np.zeros(1 << geometry.sub_bits, np.uint8),
        dirty=np.ones(blocks_of(records), np.uint8),
        geometry=geometry,
        salt=np.uint64(salt),
    )


def no_delta(config: HlmConfig) -> Delta:
    """What stands for the frozen delta while there is none."""
    records = np.zeros(0, np.uint64)
    return Delta(
        records=records,
        weights=records.view(np.float64),
        overflow_used=np.zeros(0, np.uint8),
        dirty=np.zeros(0, np.uint8),
        geometry=geometry_of(config, 2 * config.bucket),
        salt=np.uint64(0),
    )


def allocate_base(keys: int, word_bits: int, salt: int) -> Base:
    """A base with room for ``keys`` keys, every block marked dirty.

    Raises:
        MemoryError: there is no memory for it.
    """
    records = _words_on_cache_line(keys << word_bits)
    return Base(
        records=records,
        weights=records.view(np.float64),
        pilots=np.zeros(buckets_for(keys) if keys else 0, np.uint8),
        last=np.zeros(places_for(keys) - keys if keys else 0, np.uint32),
        dirty=np.ones(blocks_of(records), np.uint8),
        keys=keys,
        salt=np.uint64(salt),
    )


def no_mirror() -> Mirror:
    """A mirror that is off."""
    return Mirror(0, np.zeros(0, np.float64), np.zeros(0, np.uint32))


def blocks_of(records: npt.NDArray[np.generic]) -> int:
    """Blocks of an array of records."""
    return -(-records.nbytes // BLOCK_BYTES)


def _words_on_cache_line(words: int) -> Words:
    """uint64[words] of zeros whose first byte is at a multiple of the cache line's size."""
    spare = CACHE_LINE_BYTES // 8
    buffer = np.zeros(words + spare, np.uint64)
    skip = -(buffer.ctypes.data // 8) % spare
    return buffer[skip : skip + words]
