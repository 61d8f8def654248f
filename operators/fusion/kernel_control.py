"""The controls of a cell in its tally: read, stepped on by the controller, handed on to Hlm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined
from operators.fusion import codes
from operators.fusion import layout as at
from operators.fusion.controller import Controls, Signals, advance
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import low_mark
from operators.sera.kernel_shrinkage import lambda_of

if TYPE_CHECKING:
    from operators.fusion.layout import CellArrays, Floats
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import SeraArrays


@inlined
def controls_of(tally: Floats) -> Controls:
    """The controls in force."""
    return Controls(
        tally[at.G_MAX], tally[at.HOLD], int(tally[at.REDS]), int(tally[at.THINS]),
        tally[at.LAMBDA_STAR], tally[at.BETA_FLOOR], tally[at.LR_SHARE], tally[at.CALM],
        tally[at.TAU_LOW], tally[at.STAGE], tally[at.HEALTHY],
    )  # fmt: skip


@inlined
def keep_controls(tally: Floats, controls: Controls) -> None:
    """Put controls in force."""
    tally[at.G_MAX] = controls.g_max
    tally[at.HOLD] = controls.hold
    tally[at.REDS] = float(controls.reds)
    tally[at.THINS] = float(controls.thins)
    tally[at.LAMBDA_STAR] = controls.lambda_star
    tally[at.BETA_FLOOR] = controls.beta_floor
    tally[at.LR_SHARE] = controls.lr_share
    tally[at.CALM] = controls.calm
    tally[at.TAU_LOW] = controls.tau_low
    tally[at.STAGE] = controls.stage
    tally[at.HEALTHY] = controls.healthy


@inlined
def lambda_star_of(cell: CellArrays, sera: SeraArrays, now: Controls) -> float:
    """lambda_* in force: what labels tell, and the controller's increments on top."""
    return lambda_of(sera) + (now.lambda_star - cell.control.lambda_star)


@inlined
def steer(cell: CellArrays, hlm: HlmArrays, now: Controls, seen: Signals) -> int:
    """Put the controls for the next event in force; the bits of what was decided and why."""
    controls, actions = advance(cell.control, now, seen)
    actions |= _steer_hlm(cell, hlm, controls, seen)
    keep_controls(cell.tally, controls)
    return actions


@inlined
def _steer_hlm(cell: CellArrays, hlm: HlmArrays, controls: Controls, seen: Signals) -> int:
    """Hand tau_low, an early rebuild and a larger capacity to Hlm; bits of what was asked for."""
    meta = hlm.meta
    actions = 0
    mark = low_mark(controls.tau_low, meta[hlm_at.ACTIVE_CAPACITY])
    meta[hlm_at.LOW_MARK] = mark
    if seen.emergency and not meta[hlm_at.GROW]:
        meta[hlm_at.GROW] = 1
        actions |= codes.CAPACITY_RAISED
    early = controls.tau_low < cell.control.tau_low and meta[hlm_at.ACTIVE_KNOWN] >= mark
    wanted = early or seen.crowded or seen.emergency
    if wanted and meta[hlm_at.STAGE] == hlm_at.IDLE:
        meta[hlm_at.DUE] = 0
        actions |= codes.REBUILD_REQUESTED
    return actions
