"""From the kernel's output rows to audit leaves: column copies, nothing computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from state.audit.leaf import REPEAT, blank_rows

if TYPE_CHECKING:
    from operators.fusion.cell import CellConfig
    from operators.seeds import Seeds
    from streams.shard.columns import TenantColumns

# Fields that the step's output and the leaf have in common, under the same name.
STEP_FIELDS = (
    "step",
    "ver_sera",
    "ver_base",
    "ver_delta",
    "r",
    "tau",
    "clip",
    "clip_rate",
    "max_exponent",
    "rj_gap",
    "half_diff",
    "rj_level",
    "margin",
    "beta_floor",
    "lambda_star",
    "den",
    "phi_l1",
    "residual_r",
    "residual_s",
    "c_lookup",
    "c_insert",
    "ring_occupancy",
    "stash_occupancy",
    "emergency_used",
    "delta_load",
    "rebuilds",
    "y_hat",
    "y_hlm",
    "y_sera",
    "gate",
    "error",
    "actions",
)


def leaf_rows(
    rows: np.ndarray,
    columns: TenantColumns,
    config: CellConfig,
    seeds: Seeds,
    kinds: np.ndarray,
) -> np.ndarray:
    """Fill the leaves of a batch of steps; ``prev`` is the chain's to fill.

    Args:
        rows: STEP_DTYPE[n], none of them quarantined.
        columns: the n events of the same steps.
        config: the cell's configuration, part of every leaf.
        seeds: whose versions are part of every leaf.
        kinds: float64[n], the format of each leaf; a repetition's has its place and nothing more.

    Returns:
        LEAF_DTYPE[n].
    """
    leaves = blank_rows(len(rows))
    for name in STEP_FIELDS:
        leaves[name] = rows[name]
    leaves["time_us"] = columns.batch.time_us
    leaves["label"] = np.where(columns.batch.has_label != 0, columns.batch.label, np.nan)
    leaves["event_digest"] = columns.digests
    leaves["prf_seed_version"] = seeds.prf_version
    leaves["hash_seed_version"] = seeds.hash_version
    for name, value in config.audited_constants().items():
        leaves[name] = value
    leaves["format"] = kinds
    again = kinds == REPEAT
    if again.any():
        blank = np.zeros(int(again.sum()), leaves.dtype)
        for name in ("format", "step", "time_us", "event_digest"):
            blank[name] = leaves[name][again]
        leaves[again] = blank
    return leaves
