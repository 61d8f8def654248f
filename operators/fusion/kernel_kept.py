"""What is kept of a step for a label that comes late, and put back when it has come.

A late label teaches the prediction that was made: errors and gradients are those of that moment.
So what the fusion's learning rules read of the step is kept, beside the event itself:

    kept[0 .. 10]   predictions, gate and scale: ``Fused`` but for ``clamped``
    kept[11 .. 13]  Sera's readout, its denominator, and the prior's weight in that
    kept[14]        events that Sera had ingested
    kept[15]        parts that took part, as the roll-out's stages: meta-linear, gate, attention
    kept[16 .. 22]  inputs of the gate, but for context keys, whose inputs are 1
    kept[23 .. 24]  inputs of the meta-linear combination, but for the bias
    kept[25 ..]     the readout's further components, d_v - 1; then the same as features

All else is not kept: what rolls, statistics, weights, controls and the margin are those of now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined
from operators.fusion import layout as at
from operators.fusion.config import FEATURE_STAGE, GATE_STAGE, META_STAGE
from operators.fusion.kernels import Fused, Inputs, diagnostic_features, own_ids
from operators.sera import layout as sera_at

if TYPE_CHECKING:
    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Floats, Scratch
    from operators.sera.kernel_readout import Reading
    from operators.sera.layout import SeraArrays

READOUT = 11
DEN = 12
LAM = 13
INGESTED = 14
JOINED = 15
Z = 16
X = Z + at.GATE_INPUTS
OTHERS = X + at.META_BIAS


def kept_width(d_v: int) -> int:
    """Numbers that are kept of a step with values of ``d_v`` numbers."""
    return OTHERS + 2 * (d_v - 1)


@inlined
def keep_step(
    kept: Floats,
    t: int,
    sera: SeraArrays,
    scratch: Scratch,
    inputs: Inputs,
    reading: Reading,
    out: Fused,
) -> None:
    """Write what a late label will need of the step of event ``t``; nothing if nothing is kept."""
    if kept.shape[0] == 0:
        return
    row, x, y = kept[t], scratch.own_values, sera.scratch.y
    row[0] = out.y_hat
    row[1] = out.y_hlm
    row[2] = out.bounded
    row[3] = out.linear
    row[4] = out.y_sera
    row[5] = out.y_gate
    row[6] = out.y_meta
    row[7] = out.y_feature
    row[8] = out.gate
    row[9] = out.open_gate
    row[10] = out.scale
    row[READOUT] = y[0, 0]
    row[DEN] = reading.den
    row[LAM] = reading.lam
    row[INGESTED] = sera.state.tally[sera_at.INGESTED]
    joined = META_STAGE
    if inputs.gates:
        joined = GATE_STAGE
        for k in range(at.GATE_INPUTS):
            row[Z + k] = x[k]
    for k in range(at.META_BIAS):
        row[X + k] = x[inputs.gates + k]
    others = y.shape[1] - 1
    for v in range(others):
        row[OTHERS + v] = y[0, v + 1]
    if inputs.features > inputs.metas:
        joined = FEATURE_STAGE
        first = inputs.metas + at.FEATURE_READOUT + 1
        for v in range(others):
            row[OTHERS + others + v] = x[first + v]
    row[JOINED] = joined


@inlined
def fused_then(kept: Floats, t: int) -> Fused:
    """The prediction that was made of event ``t``."""
    row = kept[t]
    return Fused(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10], 0
    )


@inlined
def restore_inputs(
    cell: CellArrays, sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int, kept: Floats
) -> Inputs:
    """Fill ids and values of the fusion's own inputs, and Sera's readout, as they were."""
    row, x, y = kept[t], scratch.own_values, sera.scratch.y
    joined = row[JOINED]
    inputs = own_ids(cell, scratch, batch, t, joined >= GATE_STAGE, joined >= FEATURE_STAGE)
    if inputs.gates:
        for k in range(at.GATE_INPUTS):
            x[k] = row[Z + k]
        for k in range(at.GATE_INPUTS, inputs.gates):
            x[k] = 1.0
    for k in range(at.META_BIAS):
        x[inputs.gates + k] = row[X + k]
    x[inputs.gates + at.META_BIAS] = 1.0
    others = y.shape[1] - 1
    y[0, 0] = row[READOUT]
    for v in range(others):
        y[0, v + 1] = row[OTHERS + v]
    if inputs.features > inputs.metas:
        diagnostic_features(scratch, inputs.metas, row[X + at.META_SERA])
        first = inputs.metas + at.FEATURE_READOUT + 1
        for v in range(others):
            x[first + v] = row[OTHERS + others + v]
    return inputs
