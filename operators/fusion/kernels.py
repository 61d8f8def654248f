"""The step: predict an event with both halves, fuse, learn (seed section 6), as one kernel.

``p_h`` and ``p_s`` are the predictions of Hlm and Sera, ``G`` is Sera's weight. With the logistic
link they are probabilities, and the mixture is one of probabilities, as the seed writes it: its log
loss is never above the mixture of the halves' log losses, which logits do not give.

    linear p_l = p_h, or with attention as a feature: logistic: sigmoid(score + w.a)
           identity: p_h + S w.a    a = diagnostics and readout of Sera, scaled by what was before
           While the clamp is lowered attention is no feature, and p_l is Hlm's own prediction.
    gate   u = trust * z_advantage + w.z   G0 = sigmoid(u)      G = clamp(G0, g_min, g_max)
           p = G p_s + (1 - G) p_l, for the identity link with p_l kept within the labels seen so
           far and their range once more on either side, so that a linear model that diverges
           does not take the mixture along (Vowpal Wabbit bounds predictions in this manner)
    meta   logistic: sigmoid(logit p + w.x), x = [logit p_s, logit p_l, 1]
           identity: p + S w.x, x = [p_s / S, p_l / S, 1], S the rolling root mean square of labels
           inputs are clipped to [-5, 5]; while the clamp is lowered, w_0 is at most 0

With w = 0 the gate is an exponentially weighted forecaster (Vovk; Cesa-Bianchi and Lugosi, 2006,
chapter 3) on the halves' discounted squared errors, so that the mixture soon is as good as the
better half; the learnt part adds what context and health can tell. The meta-linear combination
corrects the mixture and can do better than either half. Which parts have joined is the roll-out's
stage (``operators.fusion.controller``): weights of parts that have not are 0, and do not learn.

All weights w are Hlm's, under reserved ids, without its bias and decay. They learn by the exact
gradient of the loss, the gate's taken at G0, for a clamp has none:

    gate   w += gate_lr * delta z
           logistic: delta = (y - p) (p_s - p_l) G0 (1 - G0) / (p (1 - p)), within [-1, 1]
           identity: delta = (y - p) (p_s - p_l) G0 (1 - G0) / V, clipped to [-1, 1], V the rolling
           squared error: the log loss of a Gaussian of that variance, e^2 / 2V
    meta   w += meta_lr * (y - p) x / (1 + |x|^2), divided by S for the identity link
    linear w += feature_lr * (y - p_l) a / (1 + |a|^2), likewise

``hlm`` and ``sera`` are parts of ``cell``, handed on beside it: taking them out of it again counts
references to each of their arrays.

What the gate reads, the clamp and lambda_* follow from the events before and from the query, never
from the event's own label.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from operators.compiled import inlined
from operators.fusion import layout as at
from operators.fusion.config import FEATURE_STAGE, GATE_STAGE
from operators.hlm.kernels import SCRATCH_HEADER
from operators.hlm.kernels_rule import link_of, weights_at
from operators.numerics import log, sigmoid
from operators.sera import margin as margin_at

if TYPE_CHECKING:
    from operators.batch import EventBatch
    from operators.fusion.controller import Controls
    from operators.fusion.layout import CellArrays, Floats, Scratch
    from operators.hlm.layout import HlmArrays
    from operators.sera.kernel_readout import Reading
    from operators.sera.layout import SeraArrays

MAX_SCORE = 1e150
"""Hlm's raw score is clamped to this magnitude, whose square is finite, and no step exceeds it.

Features that are too large for the learning rate make a linear model diverge. With both bounds no
number of the state ever overflows: the gate turns to Sera, and events are not refused for it.
"""

P_MIN = 1e-6
"""Sera's readout is clamped to [P_MIN, 1 - P_MIN] where it is a probability."""

META_CLIP = 5.0
"""Inputs and errors of the meta-linear combination are clipped to this magnitude.

With it a wrong half that is sure of itself (a linear model on features of wild scale) costs little:
one-vs-rest log loss on River's raw ImageSegments fell from up to 5 times the better half's to 1.02.
"""


class Fused(NamedTuple):
    """Predictions for one event, and what learning needs of how they came about.

    Attributes:
        y_hat: the fused prediction.
        y_hlm: Hlm's.
        bounded: Hlm's, near the labels seen.
        linear: the linear half as it is mixed: with attention as a feature, or ``bounded``.
        y_sera: Sera's.
        y_gate: the mixture's.
        y_meta: the meta-linear combination's.
        y_feature: the linear half's with attention as a feature; Hlm's where it is none.
        gate: Sera's weight, clamped.
        open_gate: the same before the clamp.
        scale: S of the meta-linear combination, 0 before the first label other than 0; 1 for the
            logistic link.
        clamped: 1 if the clamp changed the gate.
    """

    y_hat: float
    y_hlm: float
    bounded: float
    linear: float
    y_sera: float
    y_gate: float
    y_meta: float
    y_feature: float
    gate: float
    open_gate: float
    scale: float
    clamped: int


class Inputs(NamedTuple):
    """Where the fusion's own inputs end: the gate's, the meta-linear ones, attention's."""

    gates: int
    metas: int
    features: int


@inlined
def between(x: float, low: float, high: float) -> float:
    """``x``, or the bound that it is beyond."""
    return low if x < low else (min(x, high))


@inlined
def _logit(p: float) -> float:
    return float(log(p / (1.0 - p)))


@inlined
def _weighted(weights: Floats, values: Floats, lo: int, hi: int) -> float:
    """Weighted sum of the fusion's own inputs ``lo .. hi-1``."""
    total = 0.0
    for i in range(lo, hi):
        total += weights[i] * values[i]
    return total


@inlined
def advantage_of(tally: Floats) -> float:
    """Sera's advantage over the linear half as the gate reads it, in [-1, 1]."""
    return 0.125 * between(tally[at.ADVANTAGE], -8.0, 8.0)


@inlined
def own_inputs(
    cell: CellArrays,
    sera: SeraArrays,
    scratch: Scratch,
    batch: EventBatch,
    t: int,
    reading: Reading,
    now: Controls,
) -> Inputs:
    """Fill the ids of the fusion's own inputs, and the gate's values; where each part ends."""
    attention = now.stage >= FEATURE_STAGE and now.g_max == cell.control.g_max
    inputs = own_ids(cell, scratch, batch, t, now.stage >= GATE_STAGE, attention)
    if inputs.gates:
        _gate_values(cell, sera, scratch, inputs.gates, reading)
    return inputs


@inlined
def own_ids(
    cell: CellArrays, scratch: Scratch, batch: EventBatch, t: int, gate: bool, attention: bool
) -> Inputs:
    """Fill the ids of the inputs of the parts that have joined; where each part ends."""
    ids = scratch.own_ids
    n = 0
    if gate:
        for k in range(at.GATE_INPUTS):
            ids[n] = at.RESERVED + np.uint64(k)
            n += 1
        for i in range(batch.ctx_indptr[t], batch.ctx_indptr[t + 1]):
            ids[n] = at.CONTEXT | (batch.ctx_ids[i] & at.CONTEXT_MASK)
            n += 1
    gates = n
    for k in range(at.META_INPUTS):
        ids[n] = at.RESERVED + np.uint64(at.META + k)
        n += 1
    metas = n
    if attention:
        for k in range(at.FEATURE_READOUT + cell.squares.shape[0]):
            ids[n] = at.RESERVED + np.uint64(at.FEATURE + k)
            n += 1
    return Inputs(gates, metas, n)


@inlined
def _gate_values(
    cell: CellArrays, sera: SeraArrays, scratch: Scratch, gates: int, reading: Reading
) -> None:
    """Fill the values of the gate's inputs; those of context keys are 1."""
    z, tally = scratch.own_values, cell.tally
    gamma, r = sera.params.gamma, sera.W.shape[1]
    z[at.Z_BIAS] = 1.0
    z[at.Z_HALF_DIFF] = 0.25 * min(reading.excess, 4.0)
    margin = cell.margin.tally[margin_at.MARGIN] / margin_at.capital(cell.margin)
    z[at.Z_MARGIN] = between(margin, -1.0, 1.0)
    z[at.Z_DEN] = 0.25 * between(log(reading.den * (1.0 - gamma)), -4.0, 4.0)
    z[at.Z_PHI] = between(log(reading.phi_l1 / math.sqrt(r)), -1.0, 1.0)
    rms = math.sqrt(tally[at.LABEL_SQUARE])
    z[at.Z_ERROR] = min(tally[at.ERROR] / rms, 1.0) if rms > 0.0 else 0.0
    z[at.Z_ADVANTAGE] = advantage_of(tally)
    for k in range(at.GATE_INPUTS, gates):
        z[k] = 1.0


@inlined
def diagnostic_features(scratch: Scratch, first: int, x_sera: float) -> None:
    """Fill the features of attention that other parts read as well, from ``first`` on."""
    x = scratch.own_values
    x[first + at.FEATURE_HALF_DIFF] = x[at.Z_HALF_DIFF]
    x[first + at.FEATURE_MARGIN] = x[at.Z_MARGIN]
    x[first + at.FEATURE_DEN] = x[at.Z_DEN]
    x[first + at.FEATURE_PHI] = x[at.Z_PHI]
    x[first + at.FEATURE_READOUT] = x_sera


@inlined
def _feature_sum(
    cell: CellArrays, sera: SeraArrays, scratch: Scratch, inputs: Inputs, x_sera: float
) -> float:
    """Fill the values of attention's features; their weighted sum, 0 where there are none."""
    first = inputs.metas
    if inputs.features == first:
        return 0.0
    x, y = scratch.own_values, sera.scratch.y
    diagnostic_features(scratch, first, x_sera)
    for v in range(1, y.shape[1]):
        rms = math.sqrt(cell.squares[v])
        relative = y[0, v] / rms if rms > 0.0 else 0.0
        x[first + at.FEATURE_READOUT + v] = between(relative, -META_CLIP, META_CLIP)
    return _weighted(scratch.own_weights, x, first, inputs.features)


@inlined
def fuse(
    cell: CellArrays,
    hlm: HlmArrays,
    sera: SeraArrays,
    scratch: Scratch,
    inputs: Inputs,
    score: float,
    now: Controls,
) -> Fused:
    """All fusions of Hlm's raw ``score`` and the readout that Sera left in its scratch."""
    params, x, tally, w = cell.params, scratch.own_values, cell.tally, scratch.own_weights
    readout = sera.scratch.y[0, 0]
    gates = inputs.gates
    weights_at(hlm, scratch.own_slots[SCRATCH_HEADER : SCRATCH_HEADER + inputs.features], w)
    trust = params.gate_trust * advantage_of(tally)
    open_gate = sigmoid(trust + _weighted(w, x, 0, gates))
    gate = between(open_gate, min(params.g_min, now.g_max), now.g_max)
    score = between(score, -MAX_SCORE, MAX_SCORE)
    y_hlm = link_of(hlm, score)
    y_sera, bounded, scale = readout, y_hlm, 1.0
    if params.logistic:
        y_sera = between(readout, P_MIN, 1.0 - P_MIN)
        x_sera = between(_logit(y_sera), -META_CLIP, META_CLIP)
        logit = score + _feature_sum(cell, sera, scratch, inputs, x_sera)
        x_linear = between(logit, -META_CLIP, META_CLIP)
        linear = link_of(hlm, logit)
    else:
        scale = math.sqrt(tally[at.LABEL_SQUARE])
        per = 1.0 / scale if scale > 0.0 else 0.0
        x_sera = between(y_sera * per, -META_CLIP, META_CLIP)
        added = scale * _feature_sum(cell, sera, scratch, inputs, x_sera)
        bounded = _near_labels(tally, y_hlm)
        linear = _near_labels(tally, bounded + added)
        x_linear = between(linear * per, -META_CLIP, META_CLIP)
    x[gates + at.META_SERA] = x_sera
    x[gates + at.META_HLM] = x_linear
    x[gates + at.META_BIAS] = 1.0
    first = gates + at.META_SERA
    own = w[first]
    own = min(own, 0.0) if now.g_max < cell.control.g_max else own
    shift = own * x[first] + _weighted(w, x, first + 1, inputs.metas)
    y_gate = gate * y_sera + (1.0 - gate) * linear
    if params.logistic:
        y_meta = sigmoid(_logit(between(y_gate, P_MIN, 1.0 - P_MIN)) + shift)
    else:
        y_meta = y_gate + scale * shift
    y_feature = y_hlm if inputs.features == inputs.metas else linear
    y_hat = y_meta
    if params.output == at.OUTPUT_GATE:
        y_hat = y_gate
    elif params.output == at.OUTPUT_FEATURE:
        y_hat = y_feature
    return Fused(
        y_hat, y_hlm, bounded, linear, y_sera, y_gate, y_meta, y_feature, gate, open_gate, scale,
        1 if gate != open_gate else 0,
    )  # fmt: skip


@inlined
def _near_labels(tally: Floats, y: float) -> float:
    """``y``, kept within the labels' range and once more as much to either side."""
    if tally[at.LABELLED] == 0.0:
        return y
    low, high = tally[at.LABEL_MIN], tally[at.LABEL_MAX]
    return between(y, low - (high - low), high + (high - low))
