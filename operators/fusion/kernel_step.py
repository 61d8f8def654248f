"""The loop over events: refuse, predict, write the row, learn, control.

``step_events`` is exactly the loop of its own body over single events: an event sees nothing of
the batch that it came in. Nothing of an event changes the cell before Hlm has room for its ids, so
that the loop can stop there, let Hlm be attended to, and take the event up anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.compiled import inlined, kernel
from operators.fusion import codes
from operators.fusion import layout as at
from operators.fusion.controller import Controls, advance
from operators.fusion.kernel_health import write_health
from operators.fusion.kernel_late import keep_step
from operators.fusion.kernel_learn import learn_fusion, learn_linear, reserve
from operators.fusion.kernel_status import status_of
from operators.fusion.kernels import (
    Fused,
    fuse,
    gate_inputs,
)
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
from operators.sera.kernels import Reading, count, ingest, project, read, sketch

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Scratch
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import Floats, SeraArrays

    Rows = npt.NDArray[Any]


@inlined
def _controls(tally: Floats) -> Controls:
    return Controls(tally[at.G_MAX], tally[at.HOLD], int(tally[at.REDS]), tally[at.LAMBDA_STAR])


@inlined
def _keep(tally: Floats, controls: Controls) -> None:
    tally[at.G_MAX] = controls.g_max
    tally[at.HOLD] = controls.hold
    tally[at.REDS] = float(controls.reds)
    tally[at.LAMBDA_STAR] = controls.lambda_star


@inlined
def _write_prediction(
    rows: Rows,
    t: int,
    steps: float,
    hlm: HlmArrays,
    sera: SeraArrays,
    reading: Reading,
    out: Fused,
    now: Controls,
) -> None:
    """Write what is known before the label is used."""
    row = rows[t]
    row.status = codes.OK
    row.step = steps + 1.0
    row.y_hat = out.y_hat
    row.y_hlm = out.y_hlm
    row.y_sera = out.y_sera
    row.y_meta = out.y_meta
    row.gate = out.gate
    row.rj_gap = reading.rj_gap
    row.half_diff = reading.half_diff
    row.rj_level = reading.level
    row.den = reading.den
    row.lambda_star = now.lambda_star
    row.beta_floor = sera.params.beta_floor
    row.phi_l1 = reading.phi_l1
    row.actions = float(codes.GATE_CLAMPED if out.clamped else 0)
    row.ver_sera = sera.state.tally[sera_at.INGESTED]
    row.ver_base = float(hlm.meta[hlm_at.VER_BASE])
    row.ver_delta = float(hlm.meta[hlm_at.VER_DELTA])


@inlined
def _ingest_event(sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int) -> None:
    """Give Sera the event's own value, or its label where values are single numbers.

    The features of the query, still in ``phi``, are the key's as well unless the event has both.
    """
    phi = sera.scratch.phi
    if batch.has_value[t]:
        value = batch.value[t]
    elif batch.has_label[t] and scratch.value.shape[0] == 1:
        scratch.value[0] = batch.label[t]
        value = scratch.value
    else:
        return
    if batch.has_query[t] and batch.has_key[t]:
        count(sera, project(sera, batch.key[t], phi))
    ingest(sera, phi, value)


@kernel
def step_events(
    cell: CellArrays,
    scratch: Scratch,
    batch: EventBatch,
    rows: Rows,
    start: int,
    learn: int,
    kept: Floats,
) -> int:
    """Step events ``start ..`` in turn and write their rows.

    Args:
        cell: the cell's arrays.
        scratch: working memory, large enough for the longest event.
        batch: the events.
        rows: STEP_DTYPE[n], filled with NaN.
        start: first event.
        learn: 0 to predict each event from the cell as it is and change nothing.
        kept: float64[n, KEPT] for what a late label will need of each event; or [0, KEPT].

    Returns:
        The number of events; or the event before which Hlm is to be attended to, for
        ``scratch.slots[UNKNOWN]`` ids.
    """
    hlm, sera, margin, tally = cell.hlm, cell.sera, cell.margin, cell.tally
    for t in range(start, batch.time_us.shape[0]):
        status = status_of(batch, t, cell.params.logistic)
        lo, hi = batch.indptr[t], batch.indptr[t + 1]
        if status != codes.OK:
            rows[t].status = status
            continue

        if learn and attention_due(hlm):
            scratch.slots[UNKNOWN] = 0
            return t
        score = predict_event(hlm, scratch.slots, batch.ids, batch.values, lo, hi)
        now = _controls(tally)
        # The query: the event's own, else its key, else its features, sketched. It is the key as
        # well, unless the event has both.
        if batch.has_query[t]:
            query = batch.query[t]
        elif batch.has_key[t]:
            query = batch.key[t]
        else:
            sketch(sera, batch.ids, batch.values, lo, hi, scratch.vector)
            query = scratch.vector
        seen = project(sera, query, sera.scratch.phi)
        reading = read(sera, sera.scratch.phi, now.lambda_star)
        gates = gate_inputs(cell, sera, scratch, batch, t, reading)
        own = gates + at.META_INPUTS
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, own)
        out = fuse(cell, hlm, scratch, gates, score, sera.scratch.y[0, 0], now)
        labelled = batch.has_label[t]
        if learn and labelled and not reserve(hlm, scratch, batch, t, own):
            return t
        _write_prediction(rows, t, tally[at.STEPS], hlm, sera, reading, out, now)
        keep_step(kept, t, scratch, gates, out)
        y = batch.label[t]
        if labelled:
            rows[t].error = y - out.y_hat
        rows[t].margin = margin.tally[margin_at.MARGIN]
        rows[t].log_e = margin.tally[margin_at.LOG_E]
        if learn:
            diverged = _learn(cell, hlm, scratch, batch, t, gates, out)
            alarm = 0
            if labelled:
                verdict = margin_at.observe(margin, y, out.y_hat)
                rows[t].margin = verdict.margin
                rows[t].log_e = verdict.log_e
                alarm = verdict.alarm
            count(sera, seen)
            _ingest_event(sera, scratch, batch, t)
            floored = 1 if reading.lam > now.lambda_star else 0
            red = 1 if reading.level == sera_at.RED else 0
            controls, actions = advance(cell.control, now, alarm, red, floored)
            _keep(tally, controls)
            rows[t].actions += float(actions | diverged)
            tally[at.STEPS] += 1.0
        write_health(rows, t, hlm, sera)
    return int(batch.time_us.shape[0])


@inlined
def _learn(
    cell: CellArrays,
    hlm: HlmArrays,
    scratch: Scratch,
    batch: EventBatch,
    t: int,
    gates: int,
    out: Fused,
) -> int:
    """Let Hlm and the fusion learn from the event, if it has a label; bits of what happened."""
    params = cell.params
    slots = scratch.slots
    slots[MOST_PROBES] = max(slots[MOST_PROBES], scratch.own_slots[MOST_PROBES])
    observe_event(hlm, slots)
    if not batch.has_label[t]:
        return 0
    y = batch.label[t]
    error = y - (out.y_hat if params.learn_fused else out.y_hlm)
    learnt = learn_linear(hlm, params, scratch, batch, t, error)
    learn_fusion(cell, hlm, scratch, gates, y, out)
    return 0 if learnt else codes.HLM_DIVERGED
