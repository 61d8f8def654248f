"""Rows that tests train on."""

from __future__ import annotations

import numpy as np

from operators.dlp.generator.rows import Batch


def batch(seed: int) -> Batch:
    """Rows in which token 9 is a NAME and nothing else is anything."""
    rng = np.random.default_rng(seed)
    long, short = rng.integers(3, 40, (2, 2, 512)), rng.integers(3, 40, (4, 128))
    return Batch(
        long.astype(np.uint16), np.where(long == 9, 16, 20).astype(np.uint8),
        np.full((2, 2, 8), 4, np.uint8), np.zeros((2, 2), np.uint8), np.array([1, 2], np.uint8),
        short.astype(np.uint16), np.where(short == 9, 16, 20).astype(np.uint8),
        np.full((4, 2), 4, np.uint8), np.zeros(4, np.uint8),
    )  # fmt: skip
