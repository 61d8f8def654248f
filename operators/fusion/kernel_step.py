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
from operators.fusion.controller import Controls, Signals, advance
from operators.fusion.kernel_learn import learn_fusion, learn_linear, reserve
from operators.fusion.kernel_status import status_of
from operators.fusion.kernels import Fused, Inputs, fuse, own_inputs
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import (
    MOST_PROBES,
    UNKNOWN,
    attention_due,
    locate_event,
    low_mark,
    observe_event,
    predict_event,
)
from operators.sera import layout as sera_at
from operators.sera import margin as margin_at
from operators.sera.kernel_features import Projection, count, project, sketch
from operators.sera.kernel_readout import Reading, read_kept
from operators.sera.kernel_shrinkage import follow, lambda_of
from operators.sera.kernel_statistics import ingest
from operators.sera.kernels import ingest_event
from operators.sera.succession import HANDOVER, SINCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Scratch
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import Floats, SeraArrays

    Rows = npt.NDArray[Any]


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
    lambda_star: float,
    lr: float,
) -> None:
    """Write what is known before the label is used."""
    row = rows[t]
    row.status = codes.OK
    row.step = steps + 1.0
    row.y_hat = out.y_hat
    row.y_hlm = out.y_hlm
    row.y_sera = out.y_sera
    row.y_gate = out.y_gate
    row.y_meta = out.y_meta
    row.y_feature = out.y_feature
    row.gate = out.gate
    row.rj_gap = reading.rj_gap
    row.half_diff = reading.half_diff
    row.rj_level = reading.level
    row.den = reading.den
    row.lambda_star = lambda_star
    row.beta_floor = now.beta_floor
    row.g_max = now.g_max
    row.lr = lr
    row.tau_low = now.tau_low
    row.stage = now.stage
    row.phi_l1 = reading.phi_l1
    row.r = float(sera.scratch.phi.shape[0])
    row.tau = sera.params.tau
    row.clip = sera.state.tally[sera_at.CLIP]
    row.actions = float(codes.GATE_CLAMPED if out.clamped else 0)
    row.ver_sera = sera.state.tally[sera_at.INGESTED]
    row.ver_base = float(hlm.meta[hlm_at.VER_BASE])
    row.ver_delta = float(hlm.meta[hlm_at.VER_DELTA])


@inlined
def _write_health(rows: Rows, t: int, hlm: HlmArrays, sera: SeraArrays) -> None:
    """Write counters and maxima as they stand."""
    row = rows[t]
    tally, meta = sera.state.tally, hlm.meta
    coordinates, vectors = tally[sera_at.COORDINATES], tally[sera_at.VECTORS]
    row.clip_rate = tally[sera_at.CLIPPED] / coordinates if coordinates > 0.0 else 0.0
    row.max_exponent = tally[sera_at.MAX_EXPONENT]
    row.norm_guard_rate = tally[sera_at.GUARDED] / vectors if vectors > 0.0 else 0.0
    row.residual_r = tally[sera_at.RESIDUAL_R]
    row.residual_s = tally[sera_at.RESIDUAL_S]
    row.c_lookup = float(meta[hlm_at.LOOKUP_MAX])
    row.c_insert = float(meta[hlm_at.INSERT_MAX])
    row.ring_occupancy = float(meta[hlm_at.RING_OCCUPANCY])
    row.stash_occupancy = float(meta[hlm_at.STASH_OCCUPANCY])
    row.emergency_used = float(meta[hlm_at.EMERGENCY_USED])
    row.delta_load = float(meta[hlm_at.ACTIVE_KNOWN]) / float(meta[hlm_at.ACTIVE_CAPACITY])
    row.rebuilds = float(meta[hlm_at.REBUILDS])


@inlined
def _ingest_event(
    cell: CellArrays,
    sera: SeraArrays,
    scratch: Scratch,
    batch: EventBatch,
    t: int,
    seen: Projection,
) -> int:
    """Give Sera the event's own value, or its label where values are single numbers.

    The features of the query, still in ``phi``, are the key's as well unless the event has both;
    ``seen`` is what computing them showed, and is counted after both, for counting may move the
    bound of exponents. A successor that warms up learns the same. Returns the bits of what
    happened.
    """
    phi = sera.scratch.phi
    if batch.has_value[t]:
        value = batch.value[t]
    elif batch.has_label[t] and scratch.value.shape[0] == 1:
        scratch.value[0] = batch.label[t]
        value = scratch.value
    else:
        count(sera, seen)
        return 0
    if batch.has_query[t] and batch.has_key[t]:
        also_seen = project(sera, batch.key[t], phi)
        count(sera, seen)
        count(sera, also_seen)
    else:
        count(sera, seen)
    happened = codes.SERA_RESIDUAL if ingest(sera, phi, value) else 0
    if cell.succession[HANDOVER] > 0.0:
        if batch.has_key[t]:
            key = batch.key[t]
        elif batch.has_query[t]:
            key = batch.query[t]
        else:
            key = scratch.vector
        ingest_event(cell.successor, key, value, batch.label[t], batch.has_label[t])
        if sera.state.tally[sera_at.INGESTED] >= cell.succession[HANDOVER]:
            happened |= codes.SERA_SUCCEEDED
    return happened


@inlined
def _may_be_succeeded(cell: CellArrays, sera: SeraArrays) -> bool:
    """Whether better settings are allowed, and the present ones have had their window."""
    answered = sera.state.tally[sera_at.INGESTED] - cell.succession[SINCE]
    return bool(cell.settled >= 0 and answered >= cell.settled)


@kernel
def step_events(
    cell: CellArrays, scratch: Scratch, batch: EventBatch, rows: Rows, start: int, learn: int
) -> int:
    """Step events ``start ..`` in turn and write their rows.

    Args:
        cell: the cell's arrays.
        scratch: working memory, large enough for the longest event.
        batch: the events.
        rows: STEP_DTYPE[n], filled with NaN.
        start: first event.
        learn: 0 to predict each event from the cell as it is and change nothing.

    Returns:
        The number of events; or the event before which Hlm is to be attended to, for
        ``scratch.slots[UNKNOWN]`` ids, or a successor of Sera proposed or put in its place, as the
        actions of the event before it say.
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
        now = controls_of(tally)
        lr = cell.params.lr * now.lr_share
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
        lambda_star = lambda_of(sera) + (now.lambda_star - cell.control.lambda_star)
        reading = read_kept(sera, sera.scratch.phi, lambda_star, now.beta_floor)
        inputs = own_inputs(cell, sera, scratch, batch, t, reading, now)
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, inputs.features)
        out = fuse(cell, hlm, sera, scratch, inputs, score, now)
        labelled = batch.has_label[t]
        rings, emergencies = hlm.meta[hlm_at.RING_OCCUPANCY], hlm.meta[hlm_at.EMERGENCY_USED]
        if learn and labelled and not reserve(hlm, scratch, batch, t, inputs.features):
            return t
        _write_prediction(rows, t, tally[at.STEPS], hlm, sera, reading, out, now, lambda_star, lr)
        y = batch.label[t]
        if labelled:
            rows[t].error = y - out.y_hat
        rows[t].margin = margin.tally[margin_at.MARGIN]
        rows[t].log_e = margin.tally[margin_at.LOG_E]
        if learn:
            diverged = _learn(cell, hlm, sera, scratch, batch, t, inputs, out, lr)
            left = margin.tally[margin_at.MARGIN]
            alarm = 0
            if labelled:
                verdict = margin_at.observe(margin, sera, y, sera.scratch.y[0, 0])
                rows[t].margin = verdict.margin
                rows[t].log_e = verdict.log_e
                alarm, left = verdict.alarm, verdict.margin
                follow(sera, reading, y)
            happened = _ingest_event(cell, sera, scratch, batch, t, seen)
            shown = Signals(
                alarm=alarm,
                red=1 if reading.level == sera_at.RED else 0,
                floored=1 if reading.lam > lambda_star else 0,
                labelled=1 if labelled else 0,
                tested=1 if margin.tally[margin_at.SEEN] > margin.burn_in else 0,
                margin=left / margin_at.capital(margin),
                crowded=1 if hlm.meta[hlm_at.RING_OCCUPANCY] > rings else 0,
                emergency=1 if hlm.meta[hlm_at.EMERGENCY_USED] > emergencies else 0,
                diverged=diverged,
            )
            controls, actions = advance(cell.control, now, shown)
            actions |= _steer_hlm(cell, hlm, controls, shown)
            keep_controls(tally, controls)
            if actions & codes.RED_PERSISTED and _may_be_succeeded(cell, sera):
                happened |= codes.SERA_PROPOSED
            rows[t].actions += float(actions | happened)
            tally[at.STEPS] += 1.0
            if happened & (codes.SERA_PROPOSED | codes.SERA_SUCCEEDED):
                _write_health(rows, t, hlm, sera)
                scratch.slots[UNKNOWN] = 0
                return t + 1
        _write_health(rows, t, hlm, sera)
    return int(batch.time_us.shape[0])


@inlined
def _learn(
    cell: CellArrays,
    hlm: HlmArrays,
    sera: SeraArrays,
    scratch: Scratch,
    batch: EventBatch,
    t: int,
    inputs: Inputs,
    out: Fused,
    lr: float,
) -> int:
    """Let Hlm and the fusion learn from the event, if it has a label; 1 if Hlm could not."""
    params = cell.params
    slots = scratch.slots
    slots[MOST_PROBES] = max(slots[MOST_PROBES], scratch.own_slots[MOST_PROBES])
    observe_event(hlm, slots)
    if not batch.has_label[t]:
        return 0
    y = batch.label[t]
    error = y - (out.y_hat if params.learn_fused else out.y_hlm)
    learnt = learn_linear(hlm, params, scratch, batch, t, error, lr)
    learn_fusion(cell, hlm, sera, scratch, inputs, y, out)
    return 0 if learnt else 1
