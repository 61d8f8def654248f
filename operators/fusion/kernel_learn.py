"""What an event teaches: slots for its ids, the learning rules of ``kernels``, Sera's statistics.

Rules and symbols stand in the docstring of ``operators.fusion.kernels``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined
from operators.fusion import codes
from operators.fusion import layout as at
from operators.fusion.kernels import MAX_SCORE, META_CLIP, P_MIN, Fused, Inputs, between
from operators.hlm import layout as hlm_at
from operators.hlm.kernels import (
    MOST_PROBES,
    SCRATCH_HEADER,
    UNKNOWN,
    learn_event,
    locate_event,
    observe_event,
    reserve_event,
)
from operators.hlm.kernels_rule import add_to_weights
from operators.sera import layout as sera_at
from operators.sera.kernel_statistics import ingest
from operators.sera.kernels import ingest_event
from operators.sera.succession import HANDOVER

if TYPE_CHECKING:
    from operators.batch import EventBatch
    from operators.fusion.layout import CellArrays, Floats, FusionParams, Scratch
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import SeraArrays


@inlined
def reserve(hlm: HlmArrays, scratch: Scratch, batch: EventBatch, t: int, own: int) -> bool:
    """Give the ids of the event and of the fusion a place each; False: Hlm has no room.

    The ids that lack room are then counted in ``scratch.slots[UNKNOWN]``.
    """
    lo, hi = batch.indptr[t], batch.indptr[t + 1]
    moved = hlm.meta[hlm_at.RELOCATED]
    if not reserve_event(hlm, scratch.slots, batch.ids, lo, hi):
        scratch.slots[UNKNOWN] += scratch.own_slots[UNKNOWN]
        return False
    if hlm.meta[hlm_at.RELOCATED] != moved:
        locate_event(hlm, scratch.own_slots, scratch.own_ids, 0, own)
    moved = hlm.meta[hlm_at.RELOCATED]
    if not reserve_event(hlm, scratch.own_slots, scratch.own_ids, 0, own):
        scratch.slots[UNKNOWN] = scratch.own_slots[UNKNOWN]
        return False
    if hlm.meta[hlm_at.RELOCATED] != moved:
        locate_event(hlm, scratch.slots, batch.ids, lo, hi)
    return True


@inlined
def _move(hlm: HlmArrays, scratch: Scratch, lo: int, hi: int, step: float) -> None:
    """Add ``step`` times its input to each of the fusion's own weights ``lo .. hi-1``."""
    places = scratch.own_slots[SCRATCH_HEADER + lo : SCRATCH_HEADER + hi]
    add_to_weights(hlm, places, scratch.own_values[lo:hi], step)


@inlined
def learn_from(
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
    learnt = _learn_linear(hlm, params, scratch, batch, t, error, lr)
    _learn_fusion(cell, hlm, sera, scratch, inputs, y, out)
    return 0 if learnt else 1


@inlined
def _learn_linear(
    hlm: HlmArrays,
    params: FusionParams,
    scratch: Scratch,
    batch: EventBatch,
    t: int,
    error: float,
    lr: float,
) -> int:
    """Teach Hlm the event with its error; 0 if the step was too large, and nothing was learnt."""
    lo, hi = batch.indptr[t], batch.indptr[t + 1]
    largest = 1.0
    for i in range(lo, hi):
        largest = max(largest, abs(batch.values[i]))
    if abs(lr * error) * largest > MAX_SCORE:
        return 0
    learn_event(hlm, scratch.slots, batch.values, lo, hi, error, lr, params.l2)
    return 1


@inlined
def _learn_normalised(
    hlm: HlmArrays, scratch: Scratch, lo: int, hi: int, rate: float, miss: float
) -> None:
    """A step along ``miss``, relative to the squared norm of the inputs ``lo .. hi-1``."""
    square = 1.0
    for k in range(lo, hi):
        square += scratch.own_values[k] * scratch.own_values[k]
    _move(hlm, scratch, lo, hi, rate * between(miss, -META_CLIP, META_CLIP) / square)


@inlined
def _learn_fusion(
    cell: CellArrays,
    hlm: HlmArrays,
    sera: SeraArrays,
    scratch: Scratch,
    inputs: Inputs,
    y: float,
    out: Fused,
) -> None:
    """Move the weights of the fusion's parts that have joined; update what rolls."""
    params, tally = cell.params, cell.tally
    open_gate = out.open_gate
    mixed = open_gate * out.y_sera + (1.0 - open_gate) * out.linear
    error = y - mixed
    delta = error * (out.y_sera - out.linear) * (open_gate * (1.0 - open_gate))
    if params.logistic:
        p = between(mixed, P_MIN, 1.0 - P_MIN)
        delta /= p * (1.0 - p)
    else:
        variance = tally[at.ERROR_SQUARE]
        delta = delta / variance if variance > 0.0 else 0.0
    _move(hlm, scratch, 0, inputs.gates, params.gate_lr * between(delta, -1.0, 1.0))
    per = 1.0 / out.scale if out.scale > 0.0 else 0.0
    gates, metas, features = inputs.gates, inputs.metas, inputs.features
    _learn_normalised(hlm, scratch, gates, metas, params.meta_lr, (y - out.y_meta) * per)
    _learn_normalised(hlm, scratch, metas, features, params.feature_lr, (y - out.linear) * per)
    _roll(cell, sera, y, out, error)


@inlined
def _roll(cell: CellArrays, sera: SeraArrays, y: float, out: Fused, error: float) -> None:
    """Update rolling errors, the labels' range, Sera's advantage, and the readout's squares."""
    params, tally = cell.params, cell.tally
    e_linear, e_sera = y - out.linear, y - out.y_sera
    gained = e_linear * e_linear - e_sera * e_sera
    if not params.logistic:
        variance = tally[at.ERROR_SQUARE]
        gained = gained / (2.0 * variance) if variance > 0.0 else 0.0
    tally[at.ADVANTAGE] = (1.0 - params.rolling) * tally[at.ADVANTAGE] + between(gained, -1.0, 1.0)

    first = tally[at.LABELLED] == 0.0
    tally[at.LABEL_MIN] = y if first else min(tally[at.LABEL_MIN], y)
    tally[at.LABEL_MAX] = y if first else max(tally[at.LABEL_MAX], y)
    tally[at.LABELLED] += 1.0
    rate = max(params.rolling, 1.0 / tally[at.LABELLED])
    tally[at.ERROR] += rate * (abs(y - out.y_hat) - tally[at.ERROR])
    tally[at.ERROR_HLM] += rate * (abs(y - out.bounded) - tally[at.ERROR_HLM])
    tally[at.ERROR_SERA] += rate * (abs(e_sera) - tally[at.ERROR_SERA])
    tally[at.LABEL_SQUARE] += rate * (y * y - tally[at.LABEL_SQUARE])
    tally[at.ERROR_SQUARE] += rate * (error * error - tally[at.ERROR_SQUARE])
    readout, squares = sera.scratch.y, cell.squares
    for v in range(1, squares.shape[0]):
        squares[v] += rate * (readout[0, v] * readout[0, v] - squares[v])


@inlined
def ingest_value(
    cell: CellArrays, sera: SeraArrays, scratch: Scratch, batch: EventBatch, t: int, value: Floats
) -> int:
    """Give Sera a value of the event, whose key's features are in ``phi``.

    A successor that warms up learns the same. Returns the bits of what happened.
    """
    happened = codes.SERA_RESIDUAL if ingest(sera, sera.scratch.phi, value) else 0
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
