"""Does a delta filled to tau_high need emergency slots? ``python -m streams.bench.hlm_overflow``.

Fills deltas of each capacity with random ids to ``tau_high`` = 0.8, with the default constants, and
prints one line a capacity: seeds, the most overflow slots of any sub-table, emergency slots, and
the dearest lookup and insert met.
"""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import numpy as np
import typer

from operators.hlm.config import HlmConfig
from operators.hlm.layout import EMERGENCY_USED, INSERT_MAX, LOOKUP_MAX
from operators.hlm.model import Hlm

FIRST, LAST = 12, 23
SEEDS = 100
BUDGET_S = 600
_IDS_OF_EVENT = 64
_PORTION = 1 << 20


def fill(capacity: int, seed: int) -> dict[str, int]:
    """What filling one delta to ``tau_high`` took."""
    config = HlmConfig(capacity=capacity, tau_low=0.8 - 1e-9, tau_high=0.8)
    hlm = Hlm(config, seed)
    rng = np.random.default_rng(seed)
    left = int(config.tau_high * capacity)
    while left:
        count = min(left, _PORTION)
        ids = rng.integers(1, 1 << 64, count, np.uint64)
        whole = count // _IDS_OF_EVENT * _IDS_OF_EVENT
        rows = np.unique(np.append(np.arange(0, whole + 1, _IDS_OF_EVENT), count))
        hlm.step_batch(rows, ids, np.zeros(count), np.zeros(len(rows) - 1))
        left -= count
    assert hlm.rebuilds == 0
    meta = hlm.arrays.meta
    return {
        "overflow": int(hlm.arrays.active.overflow_used.max()),
        "emergency": int(meta[EMERGENCY_USED]),
        "lookup": int(meta[LOOKUP_MAX]),
        "insert": int(meta[INSERT_MAX]),
    }


def main(
    seeds: Annotated[int, typer.Option(help="Most deltas of each capacity.")] = SEEDS,
    budget: Annotated[float, typer.Option(help="Seconds for all.")] = BUDGET_S,
) -> None:
    """Fill, and print a line a capacity."""
    share = budget / (LAST - FIRST + 1)
    for bits in range(FIRST, LAST + 1):
        began = time.monotonic()
        worst: dict[str, Any] = {}
        done = 0
        while done < seeds and (not done or time.monotonic() - began < share):
            found = fill(1 << bits, done)
            worst = {name: max(worst.get(name, 0), value) for name, value in found.items()}
            done += 1
        print(json.dumps({"capacity": 1 << bits, "seeds": done, "most": worst}), flush=True)  # noqa: T201 - its purpose


if __name__ == "__main__":
    typer.run(main)
