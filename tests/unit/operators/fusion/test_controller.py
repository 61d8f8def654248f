"""The controller: each transition of its table, and that it knows nothing but what it is given."""

from __future__ import annotations

import pytest

from operators.fusion.controller import ControlParams, Controls, advance, initial
from operators.fusion.outputs import Action

PARAMS = ControlParams(
    g_max=0.9,
    g_hold=0.4,
    step_down=0.5,
    hold=3.0,
    recovery=0.5,
    red_limit=6.0,
    lambda_star=0.1,
    lambda_step=0.2,
    lambda_max=0.4,
)
FREE = initial(PARAMS)


def run(now: Controls, events: list[tuple[int, int, int]]) -> tuple[Controls, list[Action]]:
    """Controls after events of (alarm, red, floored), and the actions of each."""
    actions = []
    for alarm, red, floored in events:
        now, bits = advance(PARAMS, now, alarm, red, floored)
        actions.append(Action(bits))
    return now, actions


QUIET, ALARM, RED, FLOORED = (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)


def test_nothing_happens_while_all_is_well() -> None:
    """A healthy stream leaves every control where it was configured."""
    now, actions = run(FREE, [QUIET] * 20)
    assert now == FREE
    assert set(actions) == {Action(0)}


def test_alarm_lowers_the_gate_for_a_window_and_then_lets_it_recover() -> None:
    """After an alarm Sera's weight is at most 0.4, stays so for the window, and comes back."""
    now, actions = run(FREE, [ALARM])
    assert now.g_max == 0.4
    assert actions == [Action.MARGIN_ALARM | Action.GATE_STEPPED_DOWN | Action.LAMBDA_RAISED]
    held, actions = run(now, [QUIET] * 3)
    assert held.g_max == 0.4
    assert all(Action.GATE_HELD in action for action in actions)
    half_way, actions = run(held, [QUIET])
    assert half_way.g_max == pytest.approx(0.65)
    assert Action.GATE_RECOVERING in actions[0]
    back, _ = run(half_way, [QUIET] * 20)
    assert back == FREE


def test_six_reds_of_ten_lower_the_gate_once() -> None:
    """Reds count within ten events; after a trigger it takes six new ones for the next."""
    now, actions = run(FREE, [RED, QUIET] * 5)
    assert now.g_max == PARAMS.g_max, "five of ten are not enough"
    now, actions = run(FREE, [RED] * 6)
    assert [Action.RED_PERSISTED in action for action in actions] == [False] * 5 + [True]
    assert now.g_max == 0.4
    now, actions = run(now, [RED] * 5)
    assert not any(Action.RED_PERSISTED in action for action in actions)
    now, actions = run(now, [RED])
    assert Action.RED_PERSISTED in actions[0]
    assert now.g_max == 0.2, "a further trigger halves the clamp"


def test_trigger_during_recovery_steps_down_from_the_lowered_clamp() -> None:
    """A clamp on its way back is never let above the first step by a new trigger."""
    recovering, _ = run(FREE, [ALARM, *[QUIET] * 6])
    assert 0.4 < recovering.g_max < PARAMS.g_max
    now, _ = run(recovering, [ALARM])
    assert now.g_max == 0.2


def test_weak_denominators_raise_lambda_up_to_its_limit() -> None:
    """lambda_* goes up by one step for each floored event, stops at the limit, and returns."""
    now, actions = run(FREE, [FLOORED] * 3)
    assert now.lambda_star == 0.4
    assert [Action.LAMBDA_RAISED in action for action in actions] == [True, True, False]
    assert all(Action.DENOMINATOR_FLOORED in action for action in actions)
    assert now.g_max == PARAMS.g_max, "the gate has its own triggers"
    now, actions = run(now, [QUIET])
    assert now.lambda_star == pytest.approx(0.25)
    assert Action.LAMBDA_LOWERED in actions[0]
    now, _ = run(now, [QUIET] * 20)
    assert now == FREE
