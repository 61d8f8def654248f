"""The controller: what the health signals of one event change for the next.

A pure function of the controls that were in force and of what the event showed. Its result is
applied to the next event, so no control depends on the label of the event it is used at.

A **trigger** is an alarm of the margin, or ``red_limit`` reds among the last ``RED_WINDOW`` events
(which are then forgotten). The gate's upper clamp goes through these states:

    state       means                     trigger                     otherwise
    FREE        g_max at its ceiling      g_max = g_hold -> HELD      FREE
    HELD        hold > 0                  g_max *= step_down -> HELD  hold -= 1; 0 -> RECOVERING
    RECOVERING  g_max below its ceiling   g_max *= step_down -> HELD  g_max += recovery * (ceiling -
                                          (at most g_hold)            g_max); close to it -> FREE

lambda_* goes up by ``lambda_step`` at a trigger and wherever the denominator needed its floor, and
otherwise returns to the configured value at the rate ``recovery`` (seed sections 4 and 11).
"""

from __future__ import annotations

from typing import NamedTuple

from operators.compiled import inlined
from operators.fusion import codes
from operators.fusion.config import RED_WINDOW

NEARLY = 1e-3
"""Closer than this to the configured value is there."""


class ControlParams(NamedTuple):
    """Constants of the controller; ``FusionConfig`` has their meaning."""

    g_max: float
    g_hold: float
    step_down: float
    hold: float
    recovery: float
    red_limit: float
    lambda_star: float
    lambda_step: float
    lambda_max: float


class Controls(NamedTuple):
    """Controls in force for one event.

    Attributes:
        g_max: upper clamp of the gate.
        hold: events for which the clamp still stays put.
        reds: the last ``RED_WINDOW`` levels, a bit each, the latest lowest; 1 is red.
        lambda_star: weight of the prior in Sera's denominator.
    """

    g_max: float
    hold: float
    reds: int
    lambda_star: float


@inlined
def initial(params: ControlParams) -> Controls:
    """Controls before the first event."""
    return Controls(params.g_max, 0.0, 0, params.lambda_star)


@inlined
def advance(  # noqa: C901 - the table above, row by row
    params: ControlParams, now: Controls, alarm: int, red: int, floored: int
) -> tuple[Controls, int]:
    """Controls for the next event, and the bits of what was decided.

    Args:
        params: constants.
        now: controls in force at this event.
        alarm: 1 if the margin went below zero at this event.
        red: 1 if the half-split policy was red at this event.
        floored: 1 if the denominator of this event needed its floor.
    """
    actions = 0
    reds = ((now.reds << 1) | red) & ((1 << RED_WINDOW) - 1)
    count = 0
    for bit in range(RED_WINDOW):
        count += (reds >> bit) & 1
    persisted = count >= params.red_limit
    if alarm:
        actions |= codes.MARGIN_ALARM
    if persisted:
        actions |= codes.RED_PERSISTED
        reds = 0
    trigger = alarm or persisted

    g_max = now.g_max
    hold = now.hold
    if trigger:
        g_max = (
            params.g_hold
            if g_max == params.g_max
            else min(params.g_hold, g_max) * (params.step_down)
        )
        hold = params.hold
        actions |= codes.GATE_STEPPED_DOWN
    elif hold > 0.0:
        hold -= 1.0
        actions |= codes.GATE_HELD
    elif g_max < params.g_max:
        g_max += params.recovery * (params.g_max - g_max)
        if params.g_max - g_max < NEARLY:
            g_max = params.g_max
        actions |= codes.GATE_RECOVERING

    lambda_star = now.lambda_star
    if floored:
        actions |= codes.DENOMINATOR_FLOORED
    if trigger or floored:
        if lambda_star < params.lambda_max:
            lambda_star = min(lambda_star + params.lambda_step, params.lambda_max)
            actions |= codes.LAMBDA_RAISED
    elif lambda_star > params.lambda_star:
        lambda_star -= params.recovery * (lambda_star - params.lambda_star)
        if lambda_star - params.lambda_star < NEARLY * params.lambda_star:
            lambda_star = params.lambda_star
        actions |= codes.LAMBDA_LOWERED
    return Controls(g_max, hold, reds, lambda_star), actions
