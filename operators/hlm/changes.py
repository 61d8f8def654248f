"""Which blocks of an Hlm's state arrays changed since they were last asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.hlm.layout import BLOCK_BYTES, HlmArrays

Blocks = npt.NDArray[np.int64]


class Changes:
    """Changed blocks of the arrays of one table, until it is replaced.

    Kernels mark the blocks of ``records`` as they write. The two small arrays are compared with a
    copy, so that a kernel need not tell.
    """

    def __init__(self) -> None:
        self._meta = np.zeros(0, np.int64)
        self._params = np.zeros(0, np.float64)

    def take(self, arrays: HlmArrays) -> dict[str, Blocks]:
        """Changed block numbers, rising, for each state array; the next call starts from here.

        What ``forget`` or ``take`` has not seen before counts as changed. Time is linear in the
        number of blocks.
        """
        changed = {
            "records": np.flatnonzero(arrays.dirty).astype(np.int64, copy=False),
            "meta": _differing_blocks(self._meta, arrays.meta),
            "params": _differing_blocks(self._params, arrays.params),
        }
        self.forget(arrays)
        return changed

    def forget(self, arrays: HlmArrays) -> None:
        """Count the arrays as they stand as unchanged."""
        arrays.dirty[:] = 0
        self._meta = arrays.meta.copy()
        self._params = arrays.params.copy()


def _differing_blocks(before: npt.NDArray[np.generic], now: npt.NDArray[np.generic]) -> Blocks:
    """Blocks of ``now`` whose bytes are not those of ``before``; all if that is empty."""
    if len(before) == 0:
        return np.arange(-(-now.nbytes // BLOCK_BYTES), dtype=np.int64)
    words = np.flatnonzero(before.view(np.uint64) != now.view(np.uint64))
    return np.unique(words // (BLOCK_BYTES // 8)).astype(np.int64, copy=False)
