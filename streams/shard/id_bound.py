"""The bound on the ids that a tenant's linear model may hold, asked before each event that learns.

An event with a label passes if the ids in the model and those of its own that are unknown are
within the bound; so does a late label, by the ids of its observation. An event without a label
brings nothing in, and passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.fusion.layout import (
    CONTEXT,
    CONTEXT_MASK,
    FEATURE_READOUT,
    GATE_INPUTS,
    META_INPUTS,
)
from operators.fusion.outputs import STEP_DTYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.batch import EventBatch
    from operators.fusion.cell import Cell

    Rows = np.ndarray[Any, np.dtype[Any]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

QUOTA_IDS: Final = 255
"""Status of a row: the event would bring too many ids. No status of the learner's own."""


def bounded(limit: int, cell: Cell, batch: EventBatch, act: Callable[[Ints], Rows]) -> Rows:
    """Let events be stepped, but for those that would bring the model beyond ``limit`` ids.

    Exactly the loop that asks before each event. Away from the bound it is one batch; near it,
    batches end where the bound could be reached; at it, one pass tells which events are barred.

    Args:
        limit: ids that the model may hold.
        cell: whose model.
        batch: ``n`` events.
        act: steps those at some rows, or teaches them, and returns STEP_DTYPE[rows].

    Returns:
        STEP_DTYPE[n]; the status of a row that was barred is QUOTA_IDS.
    """
    own = GATE_INPUTS + META_INPUTS + FEATURE_READOUT + cell.config.sera.d_v
    room = limit - cell.hlm.known
    if len(batch.ids) + len(batch.ctx_ids) + own <= room:
        return act(np.arange(batch.events))
    rows = np.zeros(batch.events, STEP_DTYPE)
    # How many ids each event brings, at most: what others before it bring, it does not.
    bringing = _new_ids(cell, batch)
    done = 0
    while done < batch.events and room > 0:
        sure = np.searchsorted(np.cumsum(bringing[done:]), max(0, room - own), side="right")
        part = np.arange(done, done + max(1, int(sure)))
        if not sure and int(_new_ids(cell, batch.select(part))[0]) > room:
            rows["status"][done] = QUOTA_IDS
        else:
            rows[part] = act(part)
            room = limit - cell.hlm.known
        done += len(part)
    if done < batch.events:
        # No id gets in any more, so that what is unknown stays so.
        rest = np.arange(done, batch.events)
        barred = _new_ids(cell, batch.select(rest)) > 0
        rows["status"][rest[barred]] = QUOTA_IDS
        passing = rest[~barred]
        if len(passing):
            rows[passing] = act(passing)
    return rows


def _new_ids(cell: Cell, batch: EventBatch) -> Ints:
    """Count the distinct ids of each event that the model does not hold; 0 without a label."""
    ids = np.concatenate([batch.ids, CONTEXT | (batch.ctx_ids & CONTEXT_MASK)])
    events = np.arange(batch.events)
    owners = np.concatenate(
        [np.repeat(events, np.diff(batch.indptr)), np.repeat(events, np.diff(batch.ctx_indptr))]
    )
    unknown = ~cell.hlm.knows(ids)
    pairs = np.unique(np.stack([owners[unknown].astype(np.uint64), ids[unknown]]), axis=1)
    counts = np.bincount(pairs[0].astype(np.int64), minlength=batch.events)
    counts[batch.has_label == 0] = 0
    return counts
