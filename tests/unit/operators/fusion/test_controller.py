"""The controller: each transition of its table, and that it knows nothing but what it is given."""

from __future__ import annotations

import pytest

from operators.fusion.controller import ControlParams, Controls, Signals, advance, initial
from operators.fusion.outputs import Action

PARAMS = ControlParams(
    g_max=0.9,
    g_hold=0.4,
    g_weak=0.8,
    step_down=0.5,
    hold=3.0,
    recovery=0.5,
    red_limit=6.0,
    thin_margin=0.25,
    lambda_star=0.1,
    lambda_step=0.2,
    lambda_max=0.4,
    beta_floor=0.1,
    beta_step=0.1,
    beta_max=0.15,
    lr_calm=0.5,
    tau_low=0.6,
    tau_low_alert=0.5,
    first_stage=0.0,
    stage_events=5.0,
    healthy_margin=0.5,
)
FREE = initial(PARAMS)
LATE = FREE._replace(stage=2.0)

QUIET = Signals(
    predicted=1, alarm=0, red=0, floored=0, labelled=1, tested=1, margin=1.0, crowded=0,
    emergency=0, diverged=0,
)  # fmt: skip
ALARM = QUIET._replace(alarm=1, margin=-0.1)
RED = QUIET._replace(red=1)
FLOORED = QUIET._replace(floored=1)
THIN = QUIET._replace(margin=0.2)
CROWDED = QUIET._replace(crowded=1)
LATE_LABEL = QUIET._replace(predicted=0)


def run(now: Controls, events: list[Signals]) -> tuple[Controls, list[Action]]:
    """Controls after events, and the actions of each."""
    actions = []
    for seen in events:
        now, bits = advance(PARAMS, now, seen)
        actions.append(Action(bits))
    return now, actions


def test_nothing_happens_while_all_is_well() -> None:
    """A healthy stream leaves every control where it was configured."""
    now, actions = run(LATE, [QUIET] * 20)
    assert now == LATE
    assert set(actions) == {Action(0)}


def test_alarm_lowers_the_gate_for_a_window_and_then_lets_it_recover() -> None:
    """After an alarm Sera's weight is at most 0.4, stays so for the window, and comes back."""
    now, actions = run(LATE, [ALARM])
    assert now.g_max == 0.4
    assert actions == [
        Action.MARGIN_ALARM
        | Action.GATE_STEPPED_DOWN
        | Action.LAMBDA_RAISED
        | Action.BETA_RAISED
        | Action.LR_REDUCED
        | Action.TAU_LOWERED
    ]
    held, actions = run(now, [QUIET] * 3)
    assert held.g_max == 0.4
    assert all(Action.GATE_HELD in action for action in actions)
    half_way, actions = run(held, [QUIET])
    assert half_way.g_max == pytest.approx(0.65)
    assert Action.GATE_RECOVERING in actions[0]
    back, _ = run(half_way, [QUIET] * 20)
    assert back == LATE


def test_six_reds_of_ten_lower_the_gate_once() -> None:
    """Reds count within ten events; after a trigger it takes six new ones for the next."""
    now, actions = run(FREE, [RED, QUIET] * 5)
    assert now.g_max == PARAMS.g_max, "five of ten are not enough"
    now, actions = run(FREE, [RED] * 6)
    assert [Action.RED_PERSISTED in action for action in actions] == [False] * 5 + [True]
    assert now.g_max == 0.4
    now, actions = run(now._replace(hold=10.0), [RED] * 5)
    assert not any(Action.RED_PERSISTED in action for action in actions)
    now, actions = run(now, [RED])
    assert Action.RED_PERSISTED in actions[0]
    assert now.g_max == 0.2, "a further trigger halves the clamp"


def test_trigger_takes_a_clamp_above_the_first_step_down_to_it() -> None:
    """On its way back above 0.4, or at 0.8 for a weak denominator, a clamp goes to 0.4 at once."""
    recovering, _ = run(FREE, [ALARM, *[QUIET] * 6])
    weak, _ = run(FREE, [FLOORED])
    for above in (recovering, weak):
        assert 0.4 < above.g_max < PARAMS.g_max
        now, _ = run(above, [ALARM])
        assert now.g_max == 0.4
        now, _ = run(now, [ALARM])
        assert now.g_max == 0.2


def test_weak_denominators_raise_lambda_up_to_its_limit() -> None:
    """lambda_* goes up by one step for each floored event, stops at the limit, and returns."""
    now, actions = run(FREE, [FLOORED] * 3)
    assert now.lambda_star == 0.4
    assert [Action.LAMBDA_RAISED in action for action in actions] == [True, True, False]
    assert all(Action.DENOMINATOR_FLOORED in action for action in actions)
    assert now.beta_floor == PARAMS.beta_floor, "a floor that was needed is not raised further"
    now, actions = run(now, [QUIET])
    assert now.lambda_star == pytest.approx(0.25)
    assert Action.LAMBDA_LOWERED in actions[0]
    now, _ = run(now, [QUIET] * 20)
    assert now._replace(stage=0.0) == FREE


def test_weak_denominators_keep_the_gate_from_pure_attention() -> None:
    """A floored denominator takes the clamp down to g_weak, and never up to it."""
    now, actions = run(LATE, [FLOORED])
    assert now.g_max == 0.8
    assert Action.GATE_STEPPED_DOWN in actions[0]
    now, _ = run(now, [FLOORED] * 9)
    assert now.g_max <= 0.8
    held, _ = run(LATE, [ALARM, FLOORED])
    assert held.g_max == 0.4


def test_alarms_raise_the_floor_of_the_denominator_up_to_its_limit() -> None:
    """beta_floor goes up at a trigger, stops at its limit, and returns."""
    now, actions = run(LATE, [ALARM] * 3)
    assert now.beta_floor == 0.15
    assert [Action.BETA_RAISED in action for action in actions] == [True, False, False]
    now, actions = run(now, [QUIET] * 30)
    assert now.beta_floor == 0.1
    assert Action.BETA_LOWERED in actions[0]


def test_thin_margins_are_a_warning_to_hlm_and_leave_the_gate_alone() -> None:
    """Six thin margins of ten: Hlm learns at half its rate and rebuilds earlier."""
    now, actions = run(LATE, [THIN] * 6)
    assert [Action.MARGIN_THIN in action for action in actions] == [False] * 5 + [True]
    assert (now.lr_share, now.tau_low, now.g_max) == (0.5, 0.5, PARAMS.g_max)
    assert Action.GATE_STEPPED_DOWN not in actions[-1]
    unlabelled, _ = run(LATE, [THIN._replace(labelled=0)] * 20)
    assert unlabelled == LATE, "an event without a label says nothing new of the margin"


@pytest.mark.parametrize("cause", ["crowded", "emergency", "diverged"])
def test_trouble_of_hlm_calms_it_until_it_is_over(cause: str) -> None:
    """The rate is halved for the window and recovers; tau_low is released last."""
    now, [actions] = run(LATE, [QUIET._replace(**{cause: 1})])
    assert (now.lr_share, now.tau_low) == (0.5, 0.5)
    assert Action.LR_REDUCED | Action.TAU_LOWERED in actions
    now, _ = run(now, [QUIET] * 3)
    assert now.lr_share == 0.5
    now, [actions] = run(now, [QUIET])
    assert now.lr_share == 0.75
    assert Action.LR_RECOVERING in actions
    assert now.tau_low == 0.5
    now, actions_of = run(now, [QUIET] * 20)
    assert now == LATE
    assert sum(Action.TAU_RELEASED in action for action in actions_of) == 1


def test_parts_join_after_lasting_health() -> None:
    """The gate joins after five healthy labelled events in a row, attention after five more."""
    now, actions = run(FREE, [QUIET] * 5)
    assert now.stage == 1.0
    assert [Action.STAGE_ADVANCED in action for action in actions] == [False] * 4 + [True]
    now, actions = run(now, [QUIET] * 5)
    assert now.stage == 2.0
    now, actions = run(now, [QUIET] * 50)
    assert (now.stage, now.healthy) == (2.0, 0.0)
    assert not any(Action.STAGE_ADVANCED in action for action in actions)


@pytest.mark.parametrize("upset", [QUIET._replace(margin=0.4), ALARM])
def test_parts_wait_where_health_does_not_last(upset: Signals) -> None:
    """A margin below half of its capital begins the count anew; an unlabelled event does not."""
    now, _ = run(FREE, [QUIET] * 4 + [upset])
    assert (now.stage, now.healthy) == (0.0, 0.0)
    now, _ = run(FREE, [QUIET] * 4 + [QUIET._replace(labelled=0)] * 9 + [QUIET])
    assert now.stage == 1.0
    now, _ = run(FREE, [QUIET._replace(tested=0)] * 50)
    assert now.healthy == 0.0, "while nothing is bet a margin cannot fall"


def test_rate_that_is_never_reduced_is_not_said_to_be() -> None:
    """With lr_calm at 1 an alarm leaves the rate alone, and the record says nothing else."""
    _, bits = advance(PARAMS._replace(lr_calm=1.0), LATE, ALARM)
    assert Action.LR_REDUCED not in Action(bits)


def test_stages_are_not_taken_back() -> None:
    """What goes wrong after a part has joined is the clamp's business."""
    now, _ = run(LATE, [ALARM] * 5 + [RED] * 20)
    assert now.stage == 2.0


def test_a_late_label_neither_forgets_reds_nor_shortens_what_stays() -> None:
    """What goes by events goes by those that are predicted, however many labels come between."""
    _, reds = run(LATE, [RED._replace(labelled=0), LATE_LABEL] * 6)
    assert [Action.RED_PERSISTED in action for action in reds] == [False] * 10 + [True, False]
    alarmed, _ = run(LATE, [ALARM])
    still, actions = run(alarmed, [LATE_LABEL] * 50)
    assert still == alarmed._replace(thins=still.thins)
    assert set(actions) == {Action(0)}
    without, _ = run(alarmed, [QUIET] * 30)
    between, _ = run(alarmed, [QUIET._replace(labelled=0), LATE_LABEL] * 30)
    assert between == without == LATE


@pytest.mark.parametrize(
    ("shown", "what"),
    [
        (ALARM, Action.MARGIN_ALARM | Action.GATE_STEPPED_DOWN | Action.LAMBDA_RAISED),
        (CROWDED, Action.HLM_PRESSURE | Action.LR_REDUCED | Action.TAU_LOWERED),
        (QUIET._replace(diverged=1), Action.HLM_DIVERGED | Action.LR_REDUCED),
    ],
)
def test_what_a_late_label_shows_is_acted_upon(shown: Signals, what: Action) -> None:
    """An alarm, pressure on Hlm, or a step that it could not take: as of any other label."""
    found = run(LATE, [shown._replace(predicted=0)])
    assert what in found[1][0]
    assert found == run(LATE, [shown])


def test_late_labels_let_parts_join_and_thin_margins_warn() -> None:
    """They are labels that were bet on."""
    now, actions = run(FREE, [LATE_LABEL] * 5)
    assert (now.stage, actions[-1]) == (1.0, Action.STAGE_ADVANCED)
    _, actions = run(LATE, [THIN._replace(predicted=0)] * 6)
    assert Action.MARGIN_THIN | Action.LR_REDUCED in actions[-1]
