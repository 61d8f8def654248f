"""Which blocks of an Hlm's state arrays changed since they were last asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.hlm.layout import BLOCK_BYTES, VER_BASE, VER_DELTA, HlmArrays
from operators.hlm.state import BLOCKS, deltas_by_name

Blocks = npt.NDArray[np.int64]

_NONE = np.zeros(0, np.int64)


class Changes:
    """Changed blocks of the arrays of one model.

    Kernels mark blocks of records as they write, and arrays begin with all blocks marked. A perfect
    hash changes only with its base. The two small arrays are compared with a copy, so that a kernel
    need not tell.
    """

    def __init__(self) -> None:
        self._meta = np.zeros(0, np.int64)
        self._params = np.zeros(0, np.float64)

    def take(self, arrays: HlmArrays) -> dict[str, Blocks]:
        """Changed block numbers, rising, for each state array; the next call starts from here.

        What ``forget`` or ``take`` has not seen before counts as changed. Time is linear in the
        number of blocks.
        """
        new_base = len(self._meta) == 0 or self._meta[VER_BASE] != arrays.meta[VER_BASE]
        changed = {
            "base": _marked(arrays.base.dirty),
            "pilots": _all(arrays.base.pilots, BLOCKS["pilots"]) if new_base else _NONE,
            "last": _all(arrays.base.last, BLOCKS["last"]) if new_base else _NONE,
            "meta": _differing(self._meta, arrays.meta),
            "params": _differing(self._params, arrays.params),
        }
        deltas = deltas_by_name(arrays, int(arrays.meta[VER_DELTA]))
        changed |= {name: _marked(delta.dirty) for name, delta in deltas.items()}
        self.forget(arrays)
        return changed

    def forget(self, arrays: HlmArrays) -> None:
        """Count the arrays as they stand as unchanged."""
        for records in (arrays.base, arrays.frozen, arrays.active):
            records.dirty[:] = 0
        self._meta = arrays.meta.copy()
        self._params = arrays.params.copy()


def _marked(dirty: npt.NDArray[np.uint8]) -> Blocks:
    return np.flatnonzero(dirty).astype(np.int64, copy=False)


def _all(array: npt.NDArray[np.generic], block_bytes: int) -> Blocks:
    return np.arange(-(-array.nbytes // block_bytes), dtype=np.int64)


def _differing(before: npt.NDArray[np.generic], now: npt.NDArray[np.generic]) -> Blocks:
    """Blocks of ``now`` whose bytes are not those of ``before``; all if that is empty."""
    if len(before) == 0:
        return _all(now, BLOCK_BYTES)
    words = np.flatnonzero(before.view(np.uint64) != now.view(np.uint64))
    return np.unique(words // (BLOCK_BYTES // 8)).astype(np.int64, copy=False)
