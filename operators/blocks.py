"""Blocks of state arrays that change as a whole: which are reported, and how large they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 1 << 16
"""Bytes of one block."""

NO_BLOCKS = np.zeros(0, np.int64)
"""What is reported of an array that has not changed."""


def all_blocks(array: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Numbers of all blocks of an array, the last of which may be shorter."""
    return np.arange(-(-array.nbytes // BLOCK_BYTES), dtype=np.int64)
