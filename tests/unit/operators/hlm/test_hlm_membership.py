"""Every id is found where it stands; a table that was tampered with shows."""

from __future__ import annotations

import numpy as np
import pytest

from operators.hlm.config import HlmConfig
from operators.hlm.layout import IDLE
from operators.hlm.membership import membership
from operators.hlm.model import Hlm


@pytest.fixture
def hlm() -> Hlm:
    """A model with a base and a delta."""
    made = Hlm(HlmConfig(), 7)
    for start in range(0, 3_000, 10):
        ids = np.arange(start + 1, start + 11, dtype=np.uint64)
        made.update(ids, np.ones(10), 1.0)
        if start == 2_000:
            made.request_rebuild()
    for _ in range(3_000):
        if made.rebuilds and made.stage == IDLE:
            break
        made.update(np.array([1], np.uint64), np.ones(1), 1.0)
    return made


def test_every_record_of_an_honest_model_is_found(hlm: Hlm) -> None:
    """Base and deltas together hold all ids, each where its hash leads."""
    found = membership(hlm)
    assert found.holds
    assert found.base > 0
    assert found.base + found.delta == hlm.known


def test_a_foreign_id_in_the_base_is_found(hlm: Hlm) -> None:
    """An id that was put over another's stands where no lookup finds it."""
    width = 1 << hlm.arrays.rules.word_bits
    hlm.arrays.base.records[5 * width] = 10**9
    found = membership(hlm)
    assert found.base_misplaced == 1
    assert not found.holds
