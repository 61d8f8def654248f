"""The controller: what the health signals of one event change for the next.

A pure function of the controls that were in force and of what the event showed. Its result is
applied to the next event, so no control depends on the label of the event it is used at.

What an event shows (seed sections 4 and 11):

    trigger   an alarm of the margin, or ``red_limit`` reds among the last ``RED_WINDOW`` events
              (which are then forgotten)
    warning   a trigger, or ``red_limit`` thin margins among the last ``RED_WINDOW`` events (which
              are then forgotten)
    floored   the denominator needed its floor
    pressure  Hlm put a record into an overflow ring or an emergency slot, or could not learn

and what follows, each a bit of ``actions``:

    control   goes up or down at             by                         goes back
    g_max     trigger                        see below                  see below
              floored                        to g_weak, for 1 event     as after a trigger
    lambda_*  trigger, floored               + lambda_step              at the rate ``recovery``
    beta      trigger                        + beta_step                at the rate ``recovery``
    lr        warning, pressure              to lr_calm                 after ``hold`` events, at
                                                                        the rate ``recovery``
    tau_low   warning, pressure              to tau_low_alert           with lr and g_max back
    rebuild   a record in a ring or          begins before the next event
              emergency slot; or a load above
              a tau_low that was lowered
    capacity  an emergency slot was used     larger at the next rebuild

The gate's upper clamp goes through these states:

    state       means                     trigger                     otherwise
    FREE        g_max at its ceiling      HELD                        FREE
    HELD        hold > 0                  HELD                        hold -= 1; 0 -> RECOVERING
    RECOVERING  g_max below its ceiling   HELD                        g_max += recovery * (ceiling -
                                                                      g_max); close to it -> FREE

A trigger takes a clamp above ``g_hold`` down to it, and one that is there or lower further down, by
the factor ``step_down``.

**A label that comes late** shows an alarm, a thin margin or pressure like any other, and counts as
a labelled event of the roll-out. But nothing was read: reds are of the last events that were
predicted, and what stays for so many events, or goes back with each, does so with predicted ones.
Otherwise a stream whose labels come late would forget reds, and be back, twice as fast as the same
stream with labels that come at once.

**Roll-out** (seed section 17): the fusion begins as the meta-linear combination (stage 0). After
``stage_events`` labelled events in a row that were bet on and left at least ``healthy_margin`` of
the margin's capital, with the clamp at its ceiling and no trigger, the learnt gate joins (stage 1),
after as many again attention becomes a feature of the linear half (stage 2). Stages are not taken
back: what goes wrong later is the clamp's business.
"""

from __future__ import annotations

from typing import NamedTuple

from operators.compiled import inlined
from operators.fusion import codes
from operators.fusion.config import LAST_STAGE, RED_WINDOW

NEARLY = 1e-3
"""Closer than this to the configured value is there."""


class ControlParams(NamedTuple):
    """Constants of the controller; ``FusionConfig`` has their meaning, and all are float64."""

    g_max: float
    g_hold: float
    g_weak: float
    step_down: float
    hold: float
    recovery: float
    red_limit: float
    thin_margin: float
    lambda_star: float
    lambda_step: float
    lambda_max: float
    beta_floor: float
    beta_step: float
    beta_max: float
    lr_calm: float
    tau_low: float
    tau_low_alert: float
    first_stage: float
    stage_events: float
    healthy_margin: float


class Controls(NamedTuple):
    """Controls in force for one event.

    Attributes:
        g_max: upper clamp of the gate.
        hold: events for which the clamp still stays put.
        reds: the last ``RED_WINDOW`` levels, a bit each, the latest lowest; 1 is red.
        thins: the last ``RED_WINDOW`` margins, likewise; 1 is thin.
        lambda_star: weight of the prior in Sera's denominator.
        beta_floor: least denominator.
        lr_share: share of Hlm's configured learning rate.
        calm: events for which a reduced rate still stays put.
        tau_low: load of Hlm's delta at which a rebuild begins.
        stage: of the roll-out: 0 meta-linear, 1 and the learnt gate, 2 and attention as feature.
        healthy: labelled events in a row towards the next stage.
    """

    g_max: float
    hold: float
    reds: int
    thins: int
    lambda_star: float
    beta_floor: float
    lr_share: float
    calm: float
    tau_low: float
    stage: float
    healthy: float


class Signals(NamedTuple):
    """What one event showed.

    Attributes:
        predicted: 1 if the event was predicted; 0 for the label of one that had been.
        alarm: 1 if the margin went below zero.
        red: 1 if the half-split policy was red.
        floored: 1 if the denominator needed its floor.
        labelled: 1 if the event had a label.
        tested: 1 if the margin is past its burn-in: before, it says nothing.
        margin: the margin over the capital of its epoch.
        crowded: 1 if Hlm put a record into an overflow ring.
        emergency: 1 if Hlm used an emergency slot.
        diverged: 1 if Hlm could not learn from the event.
    """

    predicted: int
    alarm: int
    red: int
    floored: int
    labelled: int
    tested: int
    margin: float
    crowded: int
    emergency: int
    diverged: int


@inlined
def initial(params: ControlParams) -> Controls:
    """Controls before the first event."""
    return Controls(
        params.g_max, 0.0, 0, 0, params.lambda_star, params.beta_floor, 1.0, 0.0, params.tau_low,
        params.first_stage, 0.0,
    )  # fmt: skip


@inlined
def _count(bits: int) -> int:
    count = 0
    for bit in range(RED_WINDOW):
        count += (bits >> bit) & 1
    return count


@inlined
def _clamp(
    params: ControlParams, now: Controls, trigger: int, seen: Signals
) -> tuple[float, float, int]:
    """The gate's clamp and its hold for the next event."""
    g_max, hold = now.g_max, now.hold
    if trigger:
        g_max = params.g_hold if g_max > params.g_hold else g_max * params.step_down
        return g_max, params.hold, codes.GATE_STEPPED_DOWN
    if seen.floored and g_max > params.g_weak:
        return params.g_weak, 1.0, codes.GATE_STEPPED_DOWN
    if not seen.predicted:
        return g_max, hold, 0
    if hold > 0.0:
        return g_max, hold - 1.0, codes.GATE_HELD
    if g_max < params.g_max:
        g_max += params.recovery * (params.g_max - g_max)
        if params.g_max - g_max < NEARLY:
            g_max = params.g_max
        return g_max, 0.0, codes.GATE_RECOVERING
    return g_max, hold, 0


@inlined
def _raised(value: float, step: float, most: float, raised: int) -> tuple[float, int]:
    """A control one step further up, and the bit of that."""
    if value < most and step > 0.0:
        return min(value + step, most), raised
    return value, 0


@inlined
def _lowered(value: float, rest: float, recovery: float, lowered: int) -> tuple[float, int]:
    """A control on its way down to where it rests, and the bit of that; at no rate it stays."""
    if value <= rest or recovery == 0.0:
        return value, 0
    value -= recovery * (value - rest)
    return (rest if value - rest < NEARLY * rest else value), lowered


@inlined
def _calm(
    params: ControlParams, now: Controls, reason: int, predicted: int
) -> tuple[float, float, int]:
    """Share of the learning rate and its hold for the next event."""
    if reason:
        return params.lr_calm, params.hold, codes.LR_REDUCED if params.lr_calm < 1.0 else 0
    if not predicted:
        return now.lr_share, now.calm, 0
    if now.calm > 0.0:
        return now.lr_share, now.calm - 1.0, 0
    if now.lr_share < 1.0:
        share = now.lr_share + params.recovery * (1.0 - now.lr_share)
        return (1.0 if 1.0 - share < NEARLY else share), 0.0, codes.LR_RECOVERING
    return now.lr_share, 0.0, 0


@inlined
def _roll_out(
    params: ControlParams, now: Controls, seen: Signals, trigger: int
) -> tuple[float, float, int]:
    """Stage for the next event, and events in a row towards the one after it."""
    if trigger or now.g_max < params.g_max or seen.margin < params.healthy_margin:
        return now.stage, 0.0, 0
    if now.stage == LAST_STAGE or not (seen.labelled and seen.tested):
        return now.stage, now.healthy, 0
    if now.healthy + 1.0 < params.stage_events:
        return now.stage, now.healthy + 1.0, 0
    return now.stage + 1.0, 0.0, codes.STAGE_ADVANCED


@inlined
def advance(params: ControlParams, now: Controls, seen: Signals) -> tuple[Controls, int]:
    """Controls for the next event, and the bits of what was decided and why.

    Args:
        params: constants.
        now: controls in force at this event.
        seen: what this event showed.

    Complexity: O(1).
    """
    window = (1 << RED_WINDOW) - 1
    reds = ((now.reds << 1) | seen.red) & window if seen.predicted else now.reds
    thins = now.thins
    if seen.labelled:
        thins = ((thins << 1) | (1 if seen.margin < params.thin_margin else 0)) & window
    persisted = 1 if _count(reds) >= params.red_limit else 0
    thin = 1 if _count(thins) >= params.red_limit else 0
    pressure = seen.crowded | seen.emergency | seen.diverged
    trigger = seen.alarm | persisted
    actions = (
        codes.MARGIN_ALARM * seen.alarm
        | codes.RED_PERSISTED * persisted
        | codes.MARGIN_THIN * thin
        | codes.DENOMINATOR_FLOORED * seen.floored
        | codes.HLM_PRESSURE * (seen.crowded | seen.emergency)
        | codes.HLM_DIVERGED * seen.diverged
    )
    back = params.recovery if seen.predicted else 0.0
    g_max, hold, bits = _clamp(params, now, trigger, seen)
    actions |= bits
    if trigger or seen.floored:
        step, most = params.lambda_step, params.lambda_max
        lambda_star, bits = _raised(now.lambda_star, step, most, codes.LAMBDA_RAISED)
    else:
        rest = params.lambda_star
        lambda_star, bits = _lowered(now.lambda_star, rest, back, codes.LAMBDA_LOWERED)
    actions |= bits
    if trigger:
        step, most = params.beta_step, params.beta_max
        beta_floor, bits = _raised(now.beta_floor, step, most, codes.BETA_RAISED)
    else:
        rest = params.beta_floor
        beta_floor, bits = _lowered(now.beta_floor, rest, back, codes.BETA_LOWERED)
    actions |= bits
    lr_share, calm, bits = _calm(params, now, trigger | thin | pressure, seen.predicted)
    actions |= bits
    tau_low = now.tau_low
    if trigger | thin | pressure:
        if tau_low > params.tau_low_alert:
            tau_low = params.tau_low_alert
            actions |= codes.TAU_LOWERED
    elif seen.predicted and tau_low < params.tau_low and lr_share == 1.0 and g_max == params.g_max:
        tau_low = params.tau_low
        actions |= codes.TAU_RELEASED
    stage, healthy, bits = _roll_out(params, now, seen, trigger)
    actions |= bits
    following = Controls(
        g_max, hold, 0 if persisted else reds, 0 if thin else thins, lambda_star, beta_floor,
        lr_share, calm, tau_low, stage, healthy,
    )  # fmt: skip
    return following, actions
