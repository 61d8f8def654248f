"""What a step's row says of the health of a cell's tables and sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.compiled import inlined
from operators.hlm import layout as hlm_at
from operators.sera import layout as sera_at

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import SeraArrays

    Rows = npt.NDArray[Any]


@inlined
def write_health(rows: Rows, t: int, hlm: HlmArrays, sera: SeraArrays) -> None:
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
