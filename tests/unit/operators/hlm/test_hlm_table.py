from __future__ import annotations

import numpy as np

from operators.hlm.config import HlmConfig
from operators.hlm.kernels_table import ABSENT, FULL, locate, locate_or_insert, misplaced
from operators.hlm.layout import EMERGENCY_USED, KNOWN, RELOCATED, allocate


def test_insert_gives_the_slot_in_which_the_id_ends() -> None:
    """A kernel that inserts can use the slot it is given, however far the id was moved on the way.

    Small tables are filled until they refuse, so that walks come back to the id they began with.
    """
    config = HlmConfig(capacity=16, stash=2, ring=2, relocations=16)
    relocated = 0
    for salt in range(100):
        table = allocate(config, config.capacity, salt)
        rng = np.random.default_rng(salt)
        while True:
            key = rng.integers(0, 1 << 64, dtype=np.uint64)
            assert locate(table, key) == ABSENT
            known = table.meta[KNOWN]
            slot = locate_or_insert(table, key)
            if slot == FULL:
                break
            assert slot == locate(table, key) == locate_or_insert(table, key)
            assert table.meta[KNOWN] == known + 1
        assert table.meta[KNOWN] == known
        assert table.meta[EMERGENCY_USED] == 1
        assert misplaced(table) == 0
        relocated += table.meta[RELOCATED]
    assert relocated > 1000
