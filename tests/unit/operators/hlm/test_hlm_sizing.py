from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from operators.errors import InvalidConfig
from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm
from operators.hlm.sizing import Sizing


@pytest.mark.parametrize(
    ("sizing", "wanted", "capacity"),
    [
        (Sizing(safety=1.0), (0.1, 4000.0, 9.0), 1 << 11),  # 409 / 0.2 = 2,045
        (Sizing(safety=1.0), (0.1, 4000.0, 10.0), 1 << 12),  # 410 / 0.2 = 2,050
        (Sizing(), (0.1, 4000.0, 9.0), 1 << 12),  # twice as much, on first deployment
        (Sizing(burst=500.0, safety=1.0), (0.1, 4000.0, None), 1 << 13),  # 900 / 0.2
        (Sizing(spread=3000.0, safety=1.0), (0.1, 4000.0, None), 1 << 13),  # 400 + 2 * 300
        (Sizing(tau_low=0.3, safety=1.0), (0.1, 4000.0, 9.0), 1 << 10),  # 409 / 0.5
        (Sizing(), (0.0, 4000.0, 0.0), 1),
    ],
)
def test_capacity_solves_the_inequality(
    sizing: Sizing, wanted: tuple[float, float, float | None], capacity: int
) -> None:
    """C is the least power of two with C (tau_high - tau_low) >= lambda T_rb + margin."""
    assert sizing.solve(*wanted) == capacity
    room = capacity * (sizing.tau_high - sizing.tau_low)
    assert room >= sizing.needed(*wanted)
    assert capacity == 1 or room / 2 < sizing.needed(*wanted)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, (-1.0, 1.0, 0.0)),
        ({}, (1.0, float("nan"), 0.0)),
        ({}, (1.0, float("inf"), 0.0)),
        ({}, (100.0, 1e9, 0.0)),
        ({"tau_low": 0.9}, (1.0, 1.0, 0.0)),
        ({"burst": -1.0}, (1.0, 1.0, 0.0)),
        ({"safety": 0.5}, (1.0, 1.0, 0.0)),
    ],
)
def test_what_cannot_be_solved_is_refused(
    settings: dict[str, float], wanted: tuple[float, float, float]
) -> None:
    """Impossible numbers, and deltas larger than there may be, are errors."""
    with pytest.raises(InvalidConfig):
        Sizing(**settings).solve(*wanted)


def stream(hlm: Hlm, rates: list[int], events: int) -> None:
    """Events in portions, with so many new ids each."""
    following = (1 << 32) + hlm.known
    for new in rates:
        ids = np.arange(following, following + new * events, dtype=np.uint64)
        following += new * events
        hlm.step_batch(
            np.arange(0, new * events + 1, new) if new else np.zeros(events + 1, np.int64),
            ids,
            np.ones(len(ids)),
            np.zeros(events),
        )


def test_running_model_measures_its_novelty_in_events() -> None:
    """lambda_max is the most new ids an event of any 256 lately; the burst is that of one event."""
    hlm = Hlm(HlmConfig(capacity=1 << 15))
    stream(hlm, [0, 4, 1], 512)

    measured = hlm.sizing

    assert measured.lambda_max == 4.0
    assert measured.t_rebuild == hlm.config.publication(hlm.known)
    assert measured.burst == 7  # 4, rounded up to 2^k - 1
    room = hlm.capacity * 0.2
    assert measured.slack == pytest.approx(room - (4.0 * measured.t_rebuild + 7))


def test_negative_slack_grows_the_next_delta() -> None:
    """A stream with more news than its delta was sized for gets a larger one at the rebuild."""
    config = HlmConfig(capacity=1 << 9, rebuild_events=300, rebuild_keys_per_event=1 << 30)
    hlm = Hlm(config)
    stream(hlm, [1], 300)
    assert hlm.sizing.slack < 0.0

    stream(hlm, [1], 20)

    assert hlm.rebuilds == 1
    assert hlm.capacity >= 1024


def test_enough_slack_leaves_the_delta_as_it_is() -> None:
    """A delta that is large enough stays so, rebuild after rebuild."""
    config = HlmConfig(capacity=1 << 12, rebuild_events=100, rebuild_keys_per_event=1 << 30)
    hlm = Hlm(config)
    stream(hlm, [3], 6000)

    assert hlm.ack.ver_base >= 5
    assert hlm.capacity == 1 << 12
    assert hlm.sizing.slack > 0.0
    assert hlm.waits >= 0


def test_sizing_of_a_restored_model_is_the_same() -> None:
    """What was measured is state: a restored model grows when the other does."""
    config: Any = HlmConfig(capacity=1 << 9, rebuild_events=100)
    hlm = Hlm(config)
    stream(hlm, [2], 700)
    state = {name: array.copy() for name, array in hlm.to_state().items()}

    assert Hlm.from_state(config, 0, state).sizing == hlm.sizing
