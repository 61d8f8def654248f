"""One size of Sera and of its NumPy floor, side by side on one core: figures as a line of JSON.

Started by the benchmark with one thread for BLAS: ``python -m streams.bench.sera_run D R DV
REPEATS``. Both get the same vectors; that both give the same readouts is checked first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from streams.bench.sera_numpy import Floats, NumpySera

SEED = 7
BATCH_S = 0.25
"""Length of what is timed at a time, by the floor's speed."""

SINGLES = 5_000
MILLION = 1_000_000
BLOCK = 1_000
LONGEST_S = 20.0
"""Where a million events take longer, drift in t is measured once."""

CLOSE = 1e-9


def vectors(config: SeraConfig, n: int) -> tuple[Floats, Floats]:
    """Keys at half the norm guard's radius, and values."""
    rng = np.random.default_rng(SEED)
    keys = rng.normal(size=(n, config.d))
    keys *= np.sqrt(0.5 * config.temperature / np.square(keys).sum(axis=1, keepdims=True))
    return keys, rng.normal(size=(n, config.d_v))


def ns_per_event(learner: Sera | NumpySera, keys: Floats, values: Floats) -> float:
    """Nanoseconds an event takes, over all of them."""
    start = time.perf_counter_ns()
    learner.step_batch(keys, values)
    return (time.perf_counter_ns() - start) / len(keys)


def p99_over_p50(sera: Sera, keys: Floats, values: Floats) -> float:
    """Spread of the time of single calls."""
    spent = np.empty(SINGLES)
    for i in range(SINGLES):
        at = slice(i % len(keys), i % len(keys) + 1)
        start = time.perf_counter_ns()
        sera.step_batch(keys[at], values[at])
        spent[i] = time.perf_counter_ns() - start
    p50, p99 = np.percentile(spent, (50, 99))
    return float(p99 / p50)


def drift_in_t(config: SeraConfig, keys: Floats, values: Floats) -> float:
    """Time of a block among the last tenth of a million events over one among the first."""
    sera = Sera(config, SEED)
    keys, values = keys[:BLOCK], values[:BLOCK]
    blocks = MILLION // BLOCK
    spent = np.array([ns_per_event(sera, keys, values) for _ in range(blocks)])
    return float(np.median(spent[-blocks // 10 :]) / np.median(spent[: blocks // 10]))


def main() -> int:
    """Print the figures; 1 where the two disagree."""
    d, r, dv, repeats = (int(argument) for argument in sys.argv[1:])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    config = SeraConfig(d=d, r=r, d_v=dv, beta_floor=1e-9)
    sera = Sera(config, SEED)
    floor = NumpySera(config, sera.arrays.W)
    keys, values = vectors(config, BLOCK)
    # The floor does not average lambda_*; what is timed does, as it does by default.
    pinned = Sera(replace(config, lambda_rule="fixed"), SEED)
    if not np.allclose(
        pinned.step_batch(keys, values).y, floor.step_batch(keys, values), rtol=CLOSE, atol=CLOSE
    ):
        return 1
    n = max(BLOCK, int(BATCH_S * 1e9 / ns_per_event(floor, keys, values)))
    keys, values = vectors(config, n)
    figures: dict[str, Any] = {"ours": [], "floor": [], "p99_over_p50": [], "drift_in_t": []}
    for _ in range(repeats):
        figures["ours"].append(ns_per_event(sera, keys, values))
        figures["floor"].append(ns_per_event(floor, keys, values))
        figures["p99_over_p50"].append(p99_over_p50(sera, keys, values))
    if min(figures["ours"]) * MILLION > LONGEST_S * 1e9:
        repeats = 1
    figures["drift_in_t"] = [drift_in_t(config, keys, values) for _ in range(repeats)]
    print(json.dumps(figures))  # noqa: T201 - read by the benchmark
    return 0


if __name__ == "__main__":
    sys.exit(main())
