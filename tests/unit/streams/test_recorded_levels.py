"""A reader of the audit trail recomputes the levels that a real cell recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from operators.fusion.cell import Cell
from state.audit.leaf import COLUMN, NUMBERS
from state.audit.rj_policy import RjPolicy
from streams.shard.leaves import STEP_FIELDS
from tests.property.operators.fusion.events import SEEDS, batch_of, unstable


@pytest.mark.parametrize("policy", ["half_diff", "rj_gap"])
def test_levels_follow_from_records_across_handovers(
    policy: Literal["half_diff", "rj_gap"],
) -> None:
    """By r and t of each record: also where a larger Sera took over, and by either diagnostic."""
    config, stream = unstable(1, lowrank=False)
    config = replace(config, sera=replace(config.sera, policy=policy, c_yellow=0.05, c_red=0.1))
    rows = Cell(config, SEEDS).step_batch(batch_of(stream))
    numbers = np.zeros((len(rows), len(NUMBERS)))
    for name in STEP_FIELDS:
        numbers[:, COLUMN[name]] = rows[name]
    for name, value in config.audited_constants().items():
        numbers[:, COLUMN[name]] = value
    sera = config.sera
    constants = RjPolicy(sera.c_yellow, sera.c_red, sera.delta, sera.epsilon, sera.policy)
    least, most = constants.levels(numbers)
    assert (least == rows["rj_level"]).all()
    assert (most == rows["rj_level"]).all()
    assert len(set(rows["r"])) > 1
    assert len(set(rows["rj_level"])) > 1
