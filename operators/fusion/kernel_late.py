"""Learning from a label that comes after its event has been stepped.

What the step showed of the event is kept with its features: the fused components, and the inputs of
the gate and of the meta-linear combination. A late label then teaches exactly what it would have
taught, had it been there, of the weights as they are now: errors and gradients are those of the
prediction that was made. Nothing is predicted anew.

    kept[0..8]    y_hat, y_hlm, bounded, y_sera, y_meta, gate, open_gate, scale, clamped
    kept[9..15]   inputs of the gate, but for context keys, whose inputs are 1
    kept[16..18]  inputs of the meta-linear combination
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from operators.compiled import inlined, kernel
from operators.fusion import codes
from operators.fusion import layout as at
from operators.fusion.controller import Controls, advance
from operators.fusion.kernel_health import write_health
from operators.fusion.kernel_learn import learn_fusion, learn_linear, reserve
from operators.fusion.kernel_status import status_of
from operators.fusion.kernels import Fused
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import (
    MOST_PROBES,
    UNKNOWN,
    attention_due,
    locate_event,
    observe_event,
    predict_event,
)
from operators.sera import layout as sera_at
from operators.sera import margin as margin_at
from operators.sera.kernels import count, ingest, project, sketch

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Floats, Scratch
    from operators.sera.layout import SeraArrays

    Rows = npt.NDArray[Any]

FUSED = 9
Z = FUSED
META = Z + at.GATE_INPUTS
KEPT = META + at.META_INPUTS
"""Numbers that are kept of a step, beside the event itself."""


@inlined
def keep_step(kept: Floats, t: int, scratch: Scratch, gates: int, out: Fused) -> None:
    """Write what a late label will need of the step of event ``t``; nothing if nothing is kept."""
    if kept.shape[0] == 0:
        return
    row = kept[t]
    row[0] = out.y_hat
    row[1] = out.y_hlm
    row[2] = out.bounded
    row[3] = out.y_sera
    row[4] = out.y_meta
    row[5] = out.gate
    row[6] = out.open_gate
    row[7] = out.scale
    row[8] = float(out.clamped)
    for k in range(at.GATE_INPUTS):
        row[Z + k] = scratch.own_values[k]
    for k in range(at.META_INPUTS):
        row[META + k] = scratch.own_values[gates + k]


@inlined
def _restore(scratch: Scratch, batch: EventBatch, t: int, kept: Floats) -> int:
    """Fill the fusion's own ids and inputs as they were; the number of gate inputs."""
    ids, values, row = scratch.own_ids, scratch.own_values, kept[t]
    for k in range(at.GATE_INPUTS):
        ids[k] = at.RESERVED + np.uint64(k)
        values[k] = row[Z + k]
    n = at.GATE_INPUTS
    for i in range(batch.ctx_indptr[t], batch.ctx_indptr[t + 1]):
        ids[n] = at.CONTEXT | (batch.ctx_ids[i] & at.CONTEXT_MASK)
        values[n] = 1.0
        n += 1
    for k in range(at.META_INPUTS):
        ids[n + k] = at.RESERVED + np.uint64(at.META + k)
        values[n + k] = row[META + k]
    return n


@inlined
def _ingest_label(sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int, y: float) -> None:
    """Give Sera the label as the event's value, where it had none and values are single numbers."""
    if batch.has_value[t] or scratch.value.shape[0] != 1:
        return
    if batch.has_key[t]:
        vector = batch.key[t]
    elif batch.has_query[t]:
        vector = batch.query[t]
    else:
        sketch(sera, batch.ids, batch.values, batch.indptr[t], batch.indptr[t + 1], scratch.vector)
        vector = scratch.vector
    count(sera, project(sera, vector, sera.scratch.phi))
    scratch.value[0] = y
    ingest(sera, sera.scratch.phi, scratch.value)


@kernel
def learn_late_events(
    cell: CellArrays, scratch: Scratch, batch: EventBatch, kept: Floats, rows: Rows, start: int
) -> int:
    """Teach the labels of events ``start ..`` in turn and write their rows.

    Args:
        cell: the cell's arrays.
        scratch: working memory, large enough for the longest event.
        batch: the events as they were, each with its label now.
        kept: float64[n, KEPT], as ``keep_step`` wrote it.
        rows: STEP_DTYPE[n], filled with NaN.
        start: first event.

    Returns:
        As ``kernel_step.step_events``.
    """
    hlm, sera, margin, tally = cell.hlm, cell.sera, cell.margin, cell.tally
    for t in range(start, batch.time_us.shape[0]):
        status = status_of(batch, t, cell.params.logistic)
        if status != codes.OK:
            rows[t].status = status
            continue
        if attention_due(hlm):
            scratch.slots[UNKNOWN] = 0
            return t
        lo, hi = batch.indptr[t], batch.indptr[t + 1]
        predict_event(hlm, scratch.slots, batch.ids, batch.values, lo, hi)  # for the places
        gates = _restore(scratch, batch, t, kept)
        own = gates + at.META_INPUTS
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, own)
        if not reserve(hlm, scratch, batch, t, own):
            return t
        was, y = kept[t], batch.label[t]
        out = Fused(
            was[0], was[1], was[2], was[3], was[4], was[5], was[6], was[7], 1 if was[8] else 0
        )
        row = rows[t]
        row.status = codes.OK
        row.step = tally[at.STEPS] + 1.0
        row.y_hat, row.y_hlm, row.y_sera, row.y_meta = out.y_hat, out.y_hlm, out.y_sera, out.y_meta
        row.gate = out.gate
        row.error = y - out.y_hat
        # Nothing was read: what a reading shows is 0, and the level green.
        row.rj_gap = row.half_diff = row.rj_level = row.den = row.phi_l1 = 0.0
        now = Controls(tally[at.G_MAX], tally[at.HOLD], int(tally[at.REDS]), tally[at.LAMBDA_STAR])
        row.lambda_star = now.lambda_star
        row.beta_floor = sera.params.beta_floor
        row.ver_sera = sera.state.tally[sera_at.INGESTED]
        row.ver_base = float(hlm.meta[hlm_at.VER_BASE])
        row.ver_delta = float(hlm.meta[hlm_at.VER_DELTA])
        scratch.slots[MOST_PROBES] = max(scratch.slots[MOST_PROBES], scratch.own_slots[MOST_PROBES])
        observe_event(hlm, scratch.slots)
        error = y - (out.y_hat if cell.params.learn_fused else out.y_hlm)
        learnt = learn_linear(hlm, cell.params, scratch, batch, t, error)
        learn_fusion(cell, hlm, scratch, gates, y, out)
        verdict = margin_at.observe(margin, y, out.y_hat)
        row.margin, row.log_e = verdict.margin, verdict.log_e
        _ingest_label(sera, scratch, batch, t, y)
        controls, actions = advance(cell.control, now, verdict.alarm, 0, 0)
        tally[at.G_MAX], tally[at.HOLD] = controls.g_max, controls.hold
        tally[at.REDS], tally[at.LAMBDA_STAR] = float(controls.reds), controls.lambda_star
        row.actions = float(actions | (0 if learnt else codes.HLM_DIVERGED))
        tally[at.STEPS] += 1.0
        write_health(rows, t, hlm, sera)
    return int(batch.time_us.shape[0])
