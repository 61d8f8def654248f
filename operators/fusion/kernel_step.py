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
from operators.fusion.controller import Signals
from operators.fusion.kernel_control import controls_of, lambda_star_of, steer
from operators.fusion.kernel_kept import keep_step
from operators.fusion.kernel_learn import ingest_value, learn_from, reserve
from operators.fusion.kernel_rows import write_fused, write_health, write_in_force
from operators.fusion.kernel_status import status_of
from operators.fusion.kernels import fuse, own_inputs
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import UNKNOWN, attention_due, locate_event, predict_event
from operators.sera import layout as sera_at
from operators.sera import margin as margin_at
from operators.sera.kernel_features import Projection, count, project, sketch
from operators.sera.kernel_readout import Reading, read_kept
from operators.sera.kernel_shrinkage import follow
from operators.sera.succession import SINCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Scratch
    from operators.sera.layout import Floats, SeraArrays

    Rows = npt.NDArray[Any]


@inlined
def _write_reading(rows: Rows, t: int, reading: Reading) -> None:
    row = rows[t]
    row.rj_gap = reading.rj_gap
    row.half_diff = reading.half_diff
    row.rj_level = reading.level
    row.den = reading.den
    row.phi_l1 = reading.phi_l1


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
    bound of exponents. Returns the bits of what happened.
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
    return ingest_value(cell, sera, scratch, batch, t, value)


@inlined
def _may_be_succeeded(cell: CellArrays, sera: SeraArrays) -> bool:
    """Whether better settings are allowed, and the present ones have had their window."""
    answered = sera.state.tally[sera_at.INGESTED] - cell.succession[SINCE]
    return bool(cell.settled >= 0 and answered >= cell.settled)


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
        kept: float64[n, kept_width(d_v)] for what a late label will need of each event, or no rows.

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
        lambda_star = lambda_star_of(cell, sera, now)
        reading = read_kept(sera, sera.scratch.phi, lambda_star, now.beta_floor)
        inputs = own_inputs(cell, sera, scratch, batch, t, reading, now)
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, inputs.features)
        out = fuse(cell, hlm, sera, scratch, inputs, score, now)
        labelled = batch.has_label[t]
        rings, emergencies = hlm.meta[hlm_at.RING_OCCUPANCY], hlm.meta[hlm_at.EMERGENCY_USED]
        if learn and labelled and not reserve(hlm, scratch, batch, t, inputs.features):
            return t
        write_fused(rows, t, out)
        _write_reading(rows, t, reading)
        write_in_force(rows, t, tally[at.STEPS], hlm, sera, now, lambda_star, lr)
        rows[t].actions = float(codes.GATE_CLAMPED if out.clamped else 0)
        keep_step(kept, t, sera, scratch, inputs, reading, out)
        y = batch.label[t]
        if labelled:
            rows[t].error = y - out.y_hat
        rows[t].margin = margin.tally[margin_at.MARGIN]
        rows[t].log_e = margin.tally[margin_at.LOG_E]
        if learn:
            diverged = learn_from(cell, hlm, sera, scratch, batch, t, inputs, out, lr)
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
                predicted=1,
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
            actions = steer(cell, hlm, now, shown)
            if actions & codes.RED_PERSISTED and _may_be_succeeded(cell, sera):
                happened |= codes.SERA_PROPOSED
            rows[t].actions += float(actions | happened)
            tally[at.STEPS] += 1.0
            if happened & (codes.SERA_PROPOSED | codes.SERA_SUCCEEDED):
                write_health(rows, t, hlm, sera)
                scratch.slots[UNKNOWN] = 0
                return t + 1
        write_health(rows, t, hlm, sera)
    return int(batch.time_us.shape[0])
