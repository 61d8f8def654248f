"""Notes: what a caller wants in a tenant's audit trail, between the steps, in the log's order.

A note is an event like the others, so a replay finds it where it was. Its leaf is a mark with the
digest of the whole event: who has the event can show that it stands in the trail, and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from state.audit.leaf import NOTE, blank_rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.shard.columns import TenantColumns

    Rows = npt.NDArray[Any]

ENTRY: Final = "entry"
"""Name in the context under which a note's text stands."""


class Noted(NamedTuple):
    """Leaves with notes between them.

    Attributes:
        leaves: LEAF_DTYPE[n + notes].
        positions: int64[n + notes], where the event of each stood in the batch.
        steps: int64[n], places of the n leaves of steps.
    """

    leaves: Rows
    positions: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]


def split(columns: TenantColumns) -> tuple[TenantColumns, TenantColumns | None]:
    """Return a tenant's events without notes, and the notes; None: there are none."""
    if not columns.notes.any():
        return columns, None
    notes = columns.select(np.flatnonzero(columns.notes))
    return columns.select(np.flatnonzero(~columns.notes)), notes


def interleaved(
    leaves: Rows, positions: npt.NDArray[np.int64], notes: TenantColumns | None, before: int
) -> Noted:
    """Put the marks of notes between leaves.

    Args:
        leaves: LEAF_DTYPE[n] of the tenant's other events.
        positions: int64[n], where these stood in the batch; rising.
        notes: of the same batch.
        before: steps of the cell before the batch.
    """
    if notes is None:
        return Noted(leaves, positions, np.arange(len(leaves)))
    marks = blank_rows(len(notes.positions))
    marks["format"] = NOTE
    marks["time_us"] = notes.batch.time_us
    marks["event_digest"] = notes.digests
    earlier = np.searchsorted(positions, notes.positions)
    reached = np.concatenate([[before], leaves["step"]])
    marks["step"] = reached[earlier]
    together = np.concatenate([positions, notes.positions])
    order = np.argsort(together, kind="stable")
    return Noted(
        np.concatenate([leaves, marks])[order],
        together[order],
        np.flatnonzero(order < len(leaves)),
    )
