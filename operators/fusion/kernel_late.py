"""Learning from a label that comes after its event has been stepped.

A late label is a step of its own. It teaches the prediction that was made (``kernel_kept``), on the
cell as it is now:

    as of the prediction   the event; all predictions, the gate and its scale; which parts had
                           joined, and their inputs; Sera's readout, its denominator and prior
    as of the label        all weights; rolling errors, advantage and the labels' range; Hlm's rate;
                           the margin, its reference and its epoch; what lambda_* is averaged from;
                           Sera's statistics and the features of query and key, which are computed
                           anew, for only features of the Sera of now fit its sums; the controls

What of it Sera has seen already is not counted or ingested again: the query was counted when it was
read, and a value of the event's own ingested then. Nothing is predicted anew. Where another Sera
has taken over since, lambda_* does not follow a readout that was not its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.compiled import inlined, kernel
from operators.fusion import codes
from operators.fusion import layout as at
from operators.fusion.controller import Signals
from operators.fusion.kernel_control import controls_of, lambda_star_of, steer
from operators.fusion.kernel_kept import DEN, INGESTED, LAM, READOUT, fused_then, restore_inputs
from operators.fusion.kernel_learn import ingest_value, learn_from, reserve
from operators.fusion.kernel_rows import write_fused, write_health, write_in_force
from operators.fusion.kernel_status import status_of
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import UNKNOWN, attention_due, locate_event
from operators.sera import layout as sera_at
from operators.sera import margin as margin_at
from operators.sera.kernel_features import count, project, sketch
from operators.sera.kernel_readout import Reading
from operators.sera.kernel_shrinkage import follow
from operators.sera.succession import SINCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Floats, Scratch
    from operators.sera.layout import SeraArrays

    Rows = npt.NDArray[Any]


@inlined
def _project_query(sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int) -> None:
    """Leave the features of the event's query in ``phi``; they have been counted already."""
    if batch.has_query[t]:
        query = batch.query[t]
    elif batch.has_key[t]:
        query = batch.key[t]
    else:
        sketch(sera, batch.ids, batch.values, batch.indptr[t], batch.indptr[t + 1], scratch.vector)
        query = scratch.vector
    project(sera, query, sera.scratch.phi)


@inlined
def _ingest_label(
    cell: CellArrays, sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int
) -> int:
    """Give Sera the label as the event's value, where it had none and values are single numbers.

    The features of the query are in ``phi``. Returns the bits of what happened.
    """
    if batch.has_value[t] or scratch.value.shape[0] != 1:
        return 0
    if batch.has_query[t] and batch.has_key[t]:
        count(sera, project(sera, batch.key[t], sera.scratch.phi))
    scratch.value[0] = batch.label[t]
    return ingest_value(cell, sera, scratch, batch, t, scratch.value)


@kernel
def learn_late_events(
    cell: CellArrays, scratch: Scratch, batch: EventBatch, kept: Floats, rows: Rows, start: int
) -> int:
    """Teach the labels of events ``start ..`` in turn and write their rows.

    Args:
        cell: the cell's arrays.
        scratch: working memory, large enough for the longest event.
        batch: the events as they were, each with its label now.
        kept: float64[n, kept_width(d_v)], as ``keep_step`` wrote it.
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
        locate_event(hlm, scratch.slots, batch.ids, batch.indptr[t], batch.indptr[t + 1])
        inputs = restore_inputs(cell, sera, scratch, batch, t, kept)
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, inputs.features)
        rings, emergencies = hlm.meta[hlm_at.RING_OCCUPANCY], hlm.meta[hlm_at.EMERGENCY_USED]
        if not reserve(hlm, scratch, batch, t, inputs.features):
            return t
        was, y, out = kept[t], batch.label[t], fused_then(kept, t)
        now = controls_of(tally)
        lr, lambda_star = cell.params.lr * now.lr_share, lambda_star_of(cell, sera, now)
        row = rows[t]
        write_fused(rows, t, out)
        write_in_force(rows, t, tally[at.STEPS], hlm, sera, now, lambda_star, lr)
        row.error = y - out.y_hat
        # Nothing is read: what a reading shows is 0, and the level green.
        row.rj_gap = row.half_diff = row.rj_level = row.den = row.phi_l1 = 0.0
        diverged = learn_from(cell, hlm, sera, scratch, batch, t, inputs, out, lr)
        _project_query(sera, scratch, batch, t)
        own = was[INGESTED] + 1.0 if batch.has_value[t] else 0.0
        verdict = margin_at.observe(margin, sera, y, was[READOUT], own)
        row.margin, row.log_e = verdict.margin, verdict.log_e
        if was[INGESTED] >= cell.succession[SINCE]:
            follow(sera, Reading(was[DEN], was[LAM], 0.0, 0.0, 0.0, sera_at.GREEN, 0.0), y)
        happened = _ingest_label(cell, sera, scratch, batch, t)
        shown = Signals(
            predicted=0,
            alarm=verdict.alarm,
            red=0,
            floored=0,
            labelled=1,
            tested=1 if margin.tally[margin_at.SEEN] > margin.burn_in else 0,
            margin=verdict.margin / margin_at.capital(margin),
            crowded=1 if hlm.meta[hlm_at.RING_OCCUPANCY] > rings else 0,
            emergency=1 if hlm.meta[hlm_at.EMERGENCY_USED] > emergencies else 0,
            diverged=diverged,
        )
        row.actions = float(steer(cell, hlm, now, shown) | happened)
        tally[at.STEPS] += 1.0
        write_health(rows, t, hlm, sera)
        if happened & codes.SERA_SUCCEEDED:
            scratch.slots[UNKNOWN] = 0
            return t + 1
    return int(batch.time_us.shape[0])
