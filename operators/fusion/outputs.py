"""What a step hands out: one row an event, and what its codes mean."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.fusion import codes

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = (
    "step",  # number of this step in its cell, from 1
    "y_hat",  # the fused prediction
    "y_hlm",  # prediction of Hlm
    "y_sera",  # prediction of Sera: first component of its readout, a probability where that is due
    "y_gate",  # prediction of the gated mixture
    "y_meta",  # prediction of the meta-linear combination
    "y_feature",  # the same of the linear half with attention as a feature; y_hlm where it is none
    "gate",  # weight of y_sera in the gated mixture, clamped
    "error",  # label - y_hat; NaN without a label
    "margin",  # m_t right after the event; below zero is the alarm
    "log_e",  # log E_mix right after the event
    "rj_gap",  # the seed's half-split diagnostic
    "half_diff",  # half the distance of the two half readouts
    "rj_level",  # 0 green, 1 yellow, 2 red
    "den",  # denominator of the readout, lambda included
    "lambda_star",  # lambda_* in force at this event
    "beta_floor",  # least denominator
    "g_max",  # upper clamp of the gate at this event
    "lr",  # learning rate of Hlm at this event
    "tau_low",  # load of Hlm's delta at which a rebuild was to begin
    "stage",  # 0 meta-linear, 1 and the learnt gate, 2 and attention as a feature
    "phi_l1",  # 1-norm of the query's features
    "r",  # random features of the Sera that was read
    "tau",  # its temperature
    "clip",  # bound of its exponents in force at this event
    "clip_rate",  # share of exponents clipped so far
    "max_exponent",  # largest exponent so far, before clipping
    "norm_guard_rate",  # share of vectors shortened so far
    "residual_r",  # largest compensation term in R
    "residual_s",  # largest compensation term in s
    "c_lookup",  # dearest lookup so far, in probes
    "c_insert",  # dearest insert so far, in probes and moves
    "ring_occupancy",  # records in Hlm's overflow rings
    "stash_occupancy",  # records in Hlm's stashes
    "emergency_used",  # times that an emergency slot has been used
    "delta_load",  # load of Hlm's delta, after this event
    "rebuilds",  # rebuilds of Hlm begun so far
    "actions",  # ``Action`` bits, as a number
    "ver_sera",  # events that Sera had ingested when it was read
    "ver_base",  # generation of Hlm's base that was read
    "ver_delta",  # generation of Hlm's delta that was read
)

STEP_DTYPE: Final[np.dtype[Any]] = np.dtype([("status", "u1"), *((name, "<f8") for name in FIELDS)])
"""One row a step, packed, little-endian. A quarantined row has its status, NaN elsewhere."""


class Status(IntEnum):
    """Why an event was refused; nothing of it was learnt, counted or kept."""

    OK = codes.OK
    NON_FINITE_FEATURE = codes.NON_FINITE_FEATURE
    NON_FINITE_VECTOR = codes.NON_FINITE_VECTOR
    NON_FINITE_LABEL = codes.NON_FINITE_LABEL
    RESERVED_ID = codes.RESERVED_ID  # a feature id with its top 16 bits set
    LABEL_OUT_OF_RANGE = (
        codes.LABEL_OUT_OF_RANGE
    )  # a label outside [0, 1] where predictions are probabilities
    TOO_LARGE = codes.TOO_LARGE  # a number of a magnitude above 1e100, whose sums could overflow


QUARANTINE_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {status.value: status.name for status in Status if status is not Status.OK}
)
"""Reason code of each status that refuses an event."""


class Action(IntFlag):
    """Bits of ``actions``: what the event showed, and what was decided for the next.

    ``GATE_CLAMPED`` alone is about the event itself. ``reasons_for`` says which cause explains
    which action.
    """

    GATE_CLAMPED = codes.GATE_CLAMPED  # the clamp changed the gate of this event
    GATE_STEPPED_DOWN = codes.GATE_STEPPED_DOWN  # the gate's upper clamp was lowered
    GATE_HELD = codes.GATE_HELD  # the lowered clamp stays for its fixed window
    GATE_RECOVERING = codes.GATE_RECOVERING  # the clamp moves back to its ceiling
    LAMBDA_RAISED = codes.LAMBDA_RAISED  # lambda_* goes up
    LAMBDA_LOWERED = codes.LAMBDA_LOWERED  # lambda_* goes back
    DENOMINATOR_FLOORED = codes.DENOMINATOR_FLOORED  # beta_floor was needed at this event
    MARGIN_ALARM = codes.MARGIN_ALARM  # m_t went below zero; the next epoch begins
    RED_PERSISTED = codes.RED_PERSISTED  # too many reds among the last events
    HLM_DIVERGED = codes.HLM_DIVERGED  # Hlm did not learn: its step was beyond all measure
    MARGIN_THIN = codes.MARGIN_THIN  # too many thin margins among the last events
    HLM_PRESSURE = codes.HLM_PRESSURE  # a record went into an overflow ring or emergency slot
    BETA_RAISED = codes.BETA_RAISED  # beta_floor goes up
    BETA_LOWERED = codes.BETA_LOWERED  # beta_floor goes back
    LR_REDUCED = codes.LR_REDUCED  # Hlm's learning rate is reduced
    LR_RECOVERING = codes.LR_RECOVERING  # Hlm's learning rate goes back
    TAU_LOWERED = codes.TAU_LOWERED  # Hlm begins rebuilds at a lower load
    TAU_RELEASED = codes.TAU_RELEASED  # and at the configured one again
    REBUILD_REQUESTED = codes.REBUILD_REQUESTED  # Hlm begins a rebuild before the next event
    CAPACITY_RAISED = codes.CAPACITY_RAISED  # the next rebuild makes Hlm's delta larger
    STAGE_ADVANCED = codes.STAGE_ADVANCED  # the next part of the fusion joins
    SERA_RESIDUAL = codes.SERA_RESIDUAL  # rounding takes more of Sera's sums than its limit
    SERA_PROPOSED = codes.SERA_PROPOSED  # a Sera of better settings warms up from the next event on
    SERA_SUCCEEDED = codes.SERA_SUCCEEDED  # it answers from the next event on


CAUSES: Final = (
    Action.DENOMINATOR_FLOORED
    | Action.MARGIN_ALARM
    | Action.RED_PERSISTED
    | Action.HLM_DIVERGED
    | Action.MARGIN_THIN
    | Action.HLM_PRESSURE
    | Action.SERA_RESIDUAL
)
"""The bits that say what an event showed; all others say what was done."""

_TRIGGER = Action.MARGIN_ALARM | Action.RED_PERSISTED
_UNSETTLED = _TRIGGER | Action.MARGIN_THIN | Action.HLM_PRESSURE | Action.HLM_DIVERGED

_CAUSES_OF: Final = MappingProxyType(
    {
        Action.GATE_STEPPED_DOWN: _TRIGGER | Action.DENOMINATOR_FLOORED,
        Action.LAMBDA_RAISED: _TRIGGER | Action.DENOMINATOR_FLOORED,
        Action.BETA_RAISED: _TRIGGER,
        Action.LR_REDUCED: _UNSETTLED,
        Action.TAU_LOWERED: _UNSETTLED,
        Action.REBUILD_REQUESTED: _UNSETTLED,
        Action.CAPACITY_RAISED: Action.HLM_PRESSURE,
        Action.SERA_PROPOSED: Action.RED_PERSISTED,
    }
)


def reasons_for(actions: float) -> dict[str, tuple[str, ...]]:
    """Each action of a record, by name, with the causes that the same record gives for it.

    Args:
        actions: ``Action`` bits, as a row or an audit record has them.

    Returns:
        Names of actions and of their causes; an action that only runs its course (a clamp that is
        held or recovers, a stage reached by lasting health) has none.
    """
    mask = Action(int(actions))
    return {
        str(action.name): tuple(
            str(cause.name) for cause in mask & _CAUSES_OF.get(action, Action(0))
        )
        for action in mask & ~CAUSES
    }
