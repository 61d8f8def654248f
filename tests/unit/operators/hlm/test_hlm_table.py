from __future__ import annotations

import numpy as np

from operators.hlm.config import HlmConfig
from operators.hlm.kernels_table import FULL, insert, misplaced, probe
from operators.hlm.layout import (
    ABSENT,
    EMERGENCY_USED,
    KNOWN,
    META_WORDS,
    RELOCATED,
    allocate_delta,
)


def test_insert_gives_the_slot_in_which_the_id_ends() -> None:
    """A kernel that inserts can use the slot it is given, however far the id was moved on the way.

    Small tables are filled until they refuse, so that walks come back to the id they began with.
    """
    config = HlmConfig(capacity=16, stash=2, ring=2, relocations=16)
    relocated = 0
    for salt in range(100):
        delta = allocate_delta(config, config.capacity, salt)
        meta = np.zeros(META_WORDS, np.int64)
        rng = np.random.default_rng(salt)
        while True:
            key = rng.integers(0, 1 << 64, dtype=np.uint64)
            assert probe(delta, key)[0] == ABSENT
            known = meta[KNOWN]
            slot = insert(delta, meta, key)
            if slot == FULL:
                break
            assert slot == probe(delta, key)[0]
            assert meta[KNOWN] == known + 1
        assert meta[KNOWN] == known
        assert meta[EMERGENCY_USED] == 1
        assert misplaced(delta) == 0
        relocated += meta[RELOCATED]
    assert relocated > 1000
