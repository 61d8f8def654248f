"""Hlm's arrays as saved state: what is saved, and how a table is built from it again.

Saved are three flat arrays: ``records`` (every slot, so that the layout is that of the model),
``meta`` (counters, maxima, versions, constants) and ``params`` (bias and settings). The salt is
not among them; whoever restores must provide the same one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from operators.errors import StateMismatch
from operators.hlm.config import MAX_CAPACITY, HlmConfig
from operators.hlm.kernels_table import misplaced
from operators.hlm.layout import (
    BIAS,
    BUCKET,
    CAPACITY,
    CHOICES,
    KNOWN,
    LIMIT,
    META_WORDS,
    PARAM_WORDS,
    RELOCATIONS,
    RING,
    STASH,
    HlmArrays,
    allocate,
)

State = Mapping[str, npt.NDArray[np.generic]]

_CONSTANTS = {
    "choices": CHOICES,
    "bucket": BUCKET,
    "stash": STASH,
    "ring": RING,
    "relocations": RELOCATIONS,
}


def restore(config: HlmConfig, salt: int, state: State) -> HlmArrays:
    """Arrays of a model that continues exactly where the saved one stood.

    Rates, thresholds and link are settings: those of ``config`` rule. The table's capacity and
    contents are state. Takes time linear in the number of slots: every record is looked up once.

    Args:
        config: same constants (d, b, S, Q, L) as when the state was saved.
        salt: same salt as when the state was saved.
        state: ``records``, ``meta`` and ``params``, as ``Hlm.to_state`` gave them; copied.

    Raises:
        StateMismatch: an array is missing or has another type or length than the configuration
            gives it, a constant differs, or records are not where the salt puts them.
    """
    meta = _take(state, "meta", np.dtype(np.int64), META_WORDS)
    params = _take(state, "params", np.dtype(np.float64), PARAM_WORDS)
    for name, word in _CONSTANTS.items():
        if meta[word] != getattr(config, name):
            raise StateMismatch(
                f"the state was saved with {name}={meta[word]}, the configuration says "
                f"{getattr(config, name)}: a table cannot change its constants"
            )
    capacity = int(meta[CAPACITY])
    if not 2 * config.bucket <= capacity <= MAX_CAPACITY or capacity & (capacity - 1):
        raise StateMismatch(f"the state claims a capacity of {capacity} slots: it is damaged")
    hlm = allocate(config, capacity, salt)
    limit = hlm.meta[LIMIT]
    hlm.meta[:] = meta
    hlm.meta[LIMIT] = limit
    hlm.params[BIAS] = params[BIAS]
    hlm.records[:] = _take(state, "records", np.dtype(np.uint64), len(hlm.records))
    keys = hlm.records[::2]
    overflow = keys[capacity:-1].reshape(len(hlm.overflow_used), config.overflow)
    hlm.overflow_used[:] = np.count_nonzero(overflow, axis=1)
    if np.count_nonzero(keys) != meta[KNOWN]:
        raise StateMismatch(
            f"the state claims {meta[KNOWN]} ids and holds {np.count_nonzero(keys)}: it is damaged"
        )
    astray = misplaced(hlm)
    if astray:
        raise StateMismatch(
            f"{astray} of {meta[KNOWN]} ids are not where this hash salt puts them: "
            "the salt is another one than when the state was saved, or the state is damaged"
        )
    return hlm


def _take(
    state: State, name: str, dtype: np.dtype[np.generic], length: int
) -> npt.NDArray[np.generic]:
    """The named array, if it is as the layout says."""
    if name not in state:
        raise StateMismatch(f"the state lacks {name!r}; it has {sorted(state)}")
    array = state[name]
    if array.dtype != dtype or array.shape != (length,):
        raise StateMismatch(
            f"{name!r} is {array.dtype}{list(array.shape)}, must be {dtype}[{length}]"
        )
    return array
