"""A query to a cell reads what a step with that query would, and leaves the cell as it was."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidInput
from operators.fusion.cell import Cell, CellConfig
from operators.fusion.kernels import P_MIN
from tests.property.operators.fusion.events import (
    SEEDS,
    D,
    Event,
    batch_of,
    configs,
    events,
    unstable,
)

NOTHING: Event = {
    "features": [],
    "label": None,
    "key": None,
    "query": None,
    "value": None,
    "context": [],
}


def digest(cell: Cell) -> bytes:
    """Return the SHA-256 of all of a cell's state."""
    found = hashlib.sha256()
    for name, array in sorted(cell.to_state().items()):
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.digest()


def agrees(cell: Cell, query: list[float]) -> None:
    """Compare a query with the row of a step; both are asked twice."""
    before = digest(cell)
    step = batch_of([NOTHING | {"query": query}], d_v=cell.config.sera.d_v)
    for _ in range(2):
        row = cell.predict_batch(step)[0]
        readout = cell.query(np.array(query))
        first = float(readout.y[0, 0])
        if cell.config.logistic:
            first = min(max(first, P_MIN), 1.0 - P_MIN)
        assert first == row["y_sera"]
        assert readout.den[0] == row["den"]
        assert readout.rj_gap[0] == row["rj_gap"]
        assert readout.half_diff[0] == row["half_diff"]
    assert digest(cell) == before
    assert not any(len(blocks) for blocks in cell.take_dirty().values())


@given(configs(), events(), st.lists(st.floats(-3, 3), min_size=D, max_size=D))
@settings(max_examples=40, deadline=None)
def test_a_query_reads_what_a_step_would(
    config: CellConfig, stream: list[Event], query: list[float]
) -> None:
    """Bit for bit, whatever the controller has done to lambda_* and the floor by then."""
    cell = Cell(config, SEEDS)
    cell.step_batch(batch_of(stream))
    cell.take_dirty()
    agrees(cell, query)


@pytest.mark.parametrize("lowrank", [False, True])
def test_the_controls_in_force_count(*, lowrank: bool) -> None:
    """Where the controller has raised lambda_*, a bare query to the attention would differ."""
    config, stream = unstable(3, lowrank=lowrank)
    cell = Cell(config, SEEDS)
    raised = 0
    for event in stream:
        row = cell.step(batch_of([event], d_v=3))
        cell.take_dirty()
        query = [0.3, -0.2, 0.5]
        agrees(cell, query)
        if row["actions"]:
            raised += cell.query(np.array(query)).den[0] != cell.sera.query(np.array(query)).den[0]
    assert raised


def test_low_rank_is_answered_where_it_is_kept_and_refused_elsewhere() -> None:
    """The wish is not passed over in silence."""
    config, stream = unstable(3, lowrank=False)
    cell = Cell(config, SEEDS)
    cell.step_batch(batch_of(stream, d_v=3))
    with pytest.raises(InvalidInput, match="r_v"):
        cell.query(np.zeros(D), lowrank=True)
    config, stream = unstable(3, lowrank=True)
    cell = Cell(config, SEEDS)
    cell.step_batch(batch_of(stream, d_v=3))
    assert cell.query(np.zeros(D), lowrank=True).y.shape == (1, 3)
