"""Compiling the kernels before the first event waits for them."""

from __future__ import annotations

import numpy as np

from operators.batch import EventBatch
from operators.fusion.cell import Cell, CellConfig
from operators.seeds import Seeds


def warm_up(config: CellConfig) -> None:
    """Step and predict once in a cell that is thrown away.

    Takes some seconds the first time on a machine, then numba's cache answers.
    """
    cell = Cell(config, Seeds(prf=0, prf_version=0, hash_salt=0, hash_version=0))
    one = EventBatch(
        indptr=np.array([0, 1], dtype=np.int64),
        ids=np.array([1], dtype=np.uint64),
        values=np.array([1.0]),
        time_us=np.zeros(1, dtype=np.int64),
        label=np.zeros(1),
        has_label=np.ones(1, dtype=np.uint8),
        key=np.zeros((1, config.sera.d)),
        has_key=np.zeros(1, dtype=np.uint8),
        query=np.zeros((1, config.sera.d)),
        has_query=np.zeros(1, dtype=np.uint8),
        value=np.zeros((1, config.sera.d_v)),
        has_value=np.zeros(1, dtype=np.uint8),
        ctx_indptr=np.zeros(2, dtype=np.int64),
        ctx_ids=np.zeros(0, dtype=np.uint64),
    )
    cell.step_batch(one)
    cell.predict_batch(one)
