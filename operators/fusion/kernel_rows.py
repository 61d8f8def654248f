"""What a step writes into its row, of whatever kind the step is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.compiled import inlined
from operators.fusion import codes
from operators.hlm import layout as hlm_at
from operators.sera import layout as sera_at

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.fusion.controller import Controls
    from operators.fusion.kernels import Fused
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import SeraArrays

    Rows = npt.NDArray[Any]


@inlined
def write_fused(rows: Rows, t: int, out: Fused) -> None:
    """Write the predictions."""
    row = rows[t]
    row.status = codes.OK
    row.y_hat = out.y_hat
    row.y_hlm = out.y_hlm
    row.y_sera = out.y_sera
    row.y_gate = out.y_gate
    row.y_meta = out.y_meta
    row.y_feature = out.y_feature
    row.gate = out.gate


@inlined
def write_in_force(
    rows: Rows,
    t: int,
    steps: float,
    hlm: HlmArrays,
    sera: SeraArrays,
    now: Controls,
    lambda_star: float,
    lr: float,
) -> None:
    """Write the step's number, and settings, controls and versions that are in force at it."""
    row = rows[t]
    row.step = steps + 1.0
    row.lambda_star = lambda_star
    row.beta_floor = now.beta_floor
    row.g_max = now.g_max
    row.lr = lr
    row.tau_low = now.tau_low
    row.stage = now.stage
    row.r = float(sera.scratch.phi.shape[0])
    row.tau = sera.params.tau
    row.clip = sera.state.tally[sera_at.CLIP]
    row.ver_sera = sera.state.tally[sera_at.INGESTED]
    row.ver_base = float(hlm.meta[hlm_at.VER_BASE])
    row.ver_delta = float(hlm.meta[hlm_at.VER_DELTA])


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
