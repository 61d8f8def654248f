"""Hlm's arrays as saved state: what is saved, and how a model is built from it again.

Saved are flat arrays:

    base             uint64[], records of the base in the order of its perfect hash
    pilots, last     uint8[], uint32[], the perfect hash
    delta0, delta1   uint64[], every slot of a delta, so that where an id is (bucket, stash, ring,
                     emergency slot) is saved too; the delta of generation g is ``delta<g mod 2>``,
                     the other one is frozen, or empty while no rebuild runs
    meta             int64[META_WORDS], counters, maxima, versions, constants, stage of the rebuild
    params           float64[PARAM_WORDS], bias, rates and thresholds

Salts are not among them: they follow from the key, of which the version is in ``meta``, and from
the generations. What the rebuild's thread has done is not saved either: it is done again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from operators.errors import StateMismatch
from operators.hlm.config import MAX_CAPACITY, HlmConfig
from operators.hlm.kernels import low_mark
from operators.hlm.kernels_rebuild import strangers
from operators.hlm.kernels_table import misplaced
from operators.hlm.layout import (
    ACTIVE_CAPACITY,
    ACTIVE_KNOWN,
    ATTEMPT,
    BASE_KEYS,
    BLOCK_BYTES,
    BUCKET,
    BUILDING,
    CHOICES,
    DUE,
    FROZEN_CAPACITY,
    FROZEN_KNOWN,
    IDLE,
    KNOWN,
    L2,
    LIMIT,
    LOW_MARK,
    LR,
    META_WORDS,
    MIRRORING,
    NEVER,
    PARAM_WORDS,
    REFUSED_KEPT,
    RELOCATIONS,
    RING,
    SALT_VERSION,
    STAGE,
    STASH,
    SUBTABLE,
    TAU_HIGH,
    TAU_LOW,
    VER_BASE,
    VER_DELTA,
    WORD_BITS,
    Base,
    Delta,
    Floats,
    HlmArrays,
    Ints,
    allocate_base,
    allocate_delta,
    no_delta,
    no_mirror,
    rules_of,
)
from operators.hlm.salts import Purpose, SaltKey

State = Mapping[str, npt.NDArray[np.generic]]

_HASH_BLOCK = 1 << 16

BLOCKS = {
    "base": BLOCK_BYTES,
    "pilots": _HASH_BLOCK,
    "last": _HASH_BLOCK,
    "delta0": BLOCK_BYTES,
    "delta1": BLOCK_BYTES,
    "meta": BLOCK_BYTES,
    "params": BLOCK_BYTES,
}
"""Bytes of one block of each state array."""

_CONSTANTS = {
    "choices": CHOICES,
    "bucket": BUCKET,
    "stash": STASH,
    "ring": RING,
    "relocations": RELOCATIONS,
    "subtable": SUBTABLE,
}


def initial(config: HlmConfig, key: SaltKey) -> HlmArrays:
    """Arrays of a model that knows nothing."""
    rules = rules_of(config)
    meta = np.zeros(META_WORDS, np.int64)
    for name, word in _CONSTANTS.items():
        meta[word] = getattr(config, name)
    meta[WORD_BITS] = rules.word_bits
    meta[SALT_VERSION] = key.version
    meta[ACTIVE_CAPACITY] = config.capacity
    meta[DUE] = NEVER
    params = np.zeros(PARAM_WORDS, np.float64)
    _set_thresholds(config, meta, params)
    return HlmArrays(
        base=allocate_base(0, rules.word_bits, key.salt(Purpose.BASE, 0)),
        frozen=no_delta(config),
        active=allocate_delta(config, config.capacity, key.salt(Purpose.DELTA, 0)),
        mirror=no_mirror(),
        meta=meta,
        params=params,
        refused=np.zeros(REFUSED_KEPT, np.uint64),
        rules=rules,
    )


def saved(arrays: HlmArrays) -> dict[str, npt.NDArray[np.generic]]:
    """The state arrays as read-only views."""
    state: dict[str, npt.NDArray[np.generic]] = {
        "base": arrays.base.records.view(),
        "pilots": arrays.base.pilots.view(),
        "last": arrays.base.last.view(),
        "meta": arrays.meta.view(),
        "params": arrays.params.view(),
    }
    deltas = deltas_by_name(arrays, int(arrays.meta[VER_DELTA]))
    state |= {name: delta.records.view() for name, delta in deltas.items()}
    for array in state.values():
        array.flags.writeable = False
    return state


def deltas_by_name(arrays: HlmArrays, generation: int) -> dict[str, Delta]:
    """The two deltas by the name under which they are saved; each keeps its name while it lives."""
    return {f"delta{generation & 1}": arrays.active, f"delta{~generation & 1}": arrays.frozen}


def restore(config: HlmConfig, key: SaltKey, state: State) -> HlmArrays:
    """Arrays of a model that continues exactly where the saved one stood.

    Rates, thresholds, link and schedule are settings: those of ``config`` rule from here on. Sizes
    and contents are state. Takes time linear in the number of records: each is looked up once.

    Args:
        config: same constants (d, b, S, Q, L, sub-tables, AdaGrad or not) as when the state was
            saved.
        key: same key as when the state was saved.
        state: as ``Hlm.to_state`` gave it; copied.

    Raises:
        StateMismatch: an array is missing or has another type or length than the configuration
            gives it, a constant differs, or records are not where the salts put them.
    """
    meta: Ints = np.array(_take(state, "meta", np.dtype(np.int64), META_WORDS), np.int64)
    params: Floats = np.array(_take(state, "params", np.dtype(np.float64), PARAM_WORDS), np.float64)
    rules = rules_of(config)
    _check_constants(config, key, meta, rules.word_bits)
    _set_thresholds(config, meta, params)
    generation = int(meta[VER_DELTA])
    rebuilding = meta[STAGE] != IDLE
    arrays = HlmArrays(
        base=_restore_base(key, meta, rules.word_bits, state),
        frozen=_restore_delta(config, key, generation - 1, int(meta[FROZEN_CAPACITY]), state)
        if rebuilding
        else no_delta(config),
        active=_restore_delta(config, key, generation, int(meta[ACTIVE_CAPACITY]), state),
        mirror=no_mirror(),
        meta=meta,
        params=params,
        refused=np.zeros(REFUSED_KEPT, np.uint64),
        rules=rules,
    )
    if not rebuilding:
        _take(state, f"delta{~generation & 1}", np.dtype(np.uint64), 0)
    _check_counts(arrays)
    astray = strangers(arrays.base, rules.word_bits) + misplaced(arrays.active)
    astray += misplaced(arrays.frozen) if rebuilding else 0
    if astray:
        raise StateMismatch(
            f"{astray} of {meta[KNOWN]} ids are not where this hash salt puts them: "
            "the salt is another one than when the state was saved, or the state is damaged"
        )
    return arrays


def _set_thresholds(config: HlmConfig, meta: Ints, params: Floats) -> None:
    """Put settings where kernels read them and snapshots show them."""
    mark = low_mark(config.tau_low, int(meta[ACTIVE_CAPACITY]))
    # Whoever embeds the model may have lowered the mark; a load that is set anew overrules that.
    kept = int(meta[LOW_MARK]) if params[TAU_LOW] == config.tau_low else mark
    meta[LOW_MARK] = min(kept, mark)
    meta[LIMIT] = limit(config, int(meta[ACTIVE_CAPACITY]))
    params[LR] = config.lr
    params[L2] = config.l2
    params[TAU_LOW] = config.tau_low
    params[TAU_HIGH] = config.tau_high


def limit(config: HlmConfig, capacity: int) -> int:
    """Most ids in a delta."""
    return int(config.tau_high * capacity)


def _check_constants(config: HlmConfig, key: SaltKey, meta: Ints, word_bits: int) -> None:
    for name, word in _CONSTANTS.items():
        if meta[word] != getattr(config, name):
            raise StateMismatch(
                f"the state was saved with {name}={meta[word]}, the configuration says "
                f"{getattr(config, name)}: a table cannot change its constants"
            )
    if meta[WORD_BITS] != word_bits:
        raise StateMismatch(
            "the state was saved with another rate: only AdaGrad's records have sums of squares"
        )
    if meta[SALT_VERSION] != key.version:
        raise StateMismatch(
            f"the state was saved with version {meta[SALT_VERSION]} of the hash salt's key, "
            f"this is version {key.version}"
        )
    if (
        meta[STAGE] not in (IDLE, BUILDING, MIRRORING)
        or min(meta[BASE_KEYS], meta[VER_DELTA], meta[ATTEMPT]) < 0
    ):
        raise StateMismatch("the state claims an impossible stage or size: it is damaged")


def _check_counts(arrays: HlmArrays) -> None:
    meta = arrays.meta
    shift = arrays.rules.word_bits
    held = {
        ACTIVE_KNOWN: int(np.count_nonzero(arrays.active.records[:: 1 << shift])),
        FROZEN_KNOWN: int(np.count_nonzero(arrays.frozen.records[:: 1 << shift])),
        BASE_KEYS: arrays.base.keys,
    }
    claimed = {word: int(meta[word]) for word in held}
    if held != claimed or sum(held.values()) != meta[KNOWN]:
        raise StateMismatch(
            f"the state claims {meta[KNOWN]} ids and holds {sum(held.values())}: it is damaged"
        )


def _restore_base(key: SaltKey, meta: Ints, word_bits: int, state: State) -> Base:
    keys = int(meta[BASE_KEYS])
    if keys << word_bits != len(_take(state, "base", np.dtype(np.uint64), None)):
        raise StateMismatch(f"the state claims a base of {keys} ids, which it does not hold")
    salt = key.salt(Purpose.BASE, int(meta[VER_BASE]), int(meta[ATTEMPT]))
    base = allocate_base(keys, word_bits, salt)
    base.records[:] = state["base"]
    base.pilots[:] = _take(state, "pilots", np.dtype(np.uint8), len(base.pilots))
    base.last[:] = _take(state, "last", np.dtype(np.uint32), len(base.last))
    if keys and len(base.last) and int(base.last.max()) >= keys:
        raise StateMismatch("the perfect hash leads outside the base: it is damaged")
    return base


def _restore_delta(
    config: HlmConfig, key: SaltKey, generation: int, capacity: int, state: State
) -> Delta:
    if not 2 * config.bucket <= capacity <= MAX_CAPACITY or capacity & (capacity - 1):
        raise StateMismatch(f"the state claims a capacity of {capacity} slots: it is damaged")
    delta = allocate_delta(config, capacity, key.salt(Purpose.DELTA, generation))
    name = f"delta{generation & 1}"
    delta.records[:] = _take(state, name, np.dtype(np.uint64), len(delta.records))
    keys = delta.records[:: 1 << delta.geometry.word_bits]
    overflow = keys[capacity:-1].reshape(len(delta.overflow_used), config.overflow)
    delta.overflow_used[:] = np.count_nonzero(overflow, axis=1)
    return delta


def _take(
    state: State, name: str, dtype: np.dtype[np.generic], length: int | None
) -> npt.NDArray[np.generic]:
    """The named array, if it is as the layout says; any length if that is None."""
    if name not in state:
        raise StateMismatch(f"the state lacks {name!r}; it has {sorted(state)}")
    array = state[name]
    wanted = array.shape if length is None else (length,)
    if array.dtype != dtype or array.shape != wanted or array.ndim != 1:
        raise StateMismatch(
            f"{name!r} is {array.dtype}{list(array.shape)}, must be {dtype}[{length}]"
        )
    return array
