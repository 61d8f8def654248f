"""Nothing of an event, and nothing after it, moves a control that is used at it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fusion.cell import Cell, CellConfig
from tests.property.operators.fusion.events import SEEDS, Event, batch_of, configs, events

CONTROLS = ("lambda_star", "beta_floor", "g_max", "lr", "tau_low", "stage", "clip", "r", "tau")
"""What changes while the stream runs: the controller's, the bound of exponents, the successor's."""


@settings(deadline=None, max_examples=200)
@given(config=configs(), stream=events(), other=events(), data=st.data())
def test_controls_follow_from_the_past_alone(
    config: CellConfig, stream: list[Event], other: list[Event], data: st.DataObject
) -> None:
    """Two streams that part at event t have the same controls up to and at t, whatever t brings."""
    t = data.draw(st.integers(0, len(stream) - 1))
    rows = Cell(config, SEEDS).step_batch(batch_of(stream))
    others = Cell(config, SEEDS).step_batch(batch_of([*stream[:t], *other]))
    for name in CONTROLS:
        assert rows[name][: t + 1].tobytes() == others[name][: t + 1].tobytes(), name
