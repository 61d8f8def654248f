"""``weir bench sera``: what an event costs Sera, against NumPy and BLAS on the same arithmetic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from streams.bench import machine
from streams.bench.errors import BenchFailed
from streams.bench.measured import measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.bench.measured import Measured

BENCH = "sera"
SIZES = ((16, 256, 1), (64, 1024, 1), (64, 1024, 64))
"""Lengths of keys, number of features, lengths of values."""

TIMEOUT_S = 600
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def run_sera(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure each size in a process of its own, and yield its figures.

    Args:
        repeats: of each figure.
        say: told what is being measured.

    Raises:
        BenchFailed: a process died, hung, or its two contenders disagree.
    """
    for d, r, dv in SIZES:
        say(f"d = {d}, r = {r}, dv = {dv}")
        params: dict[str, Any] = {"d": d, "r": r, "dv": dv, "load_before": machine.load()}
        figures = _figures(d, r, dv, repeats)
        yield measured(
            BENCH, "ns_per_event", "ns", figures["ours"], params, "blas", figures["floor"]
        )
        yield measured(BENCH, "p99_over_p50", "times", figures["p99_over_p50"], params)
        yield measured(BENCH, "drift_in_t", "times", figures["drift_in_t"], params)


def _figures(*arguments: int) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "streams.bench.sera_run", *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module and numbers
            command,
            env={**os.environ, **_ONE_THREAD},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BenchFailed(f"{' '.join(command)} took more than {TIMEOUT_S} s") from late
    if done.returncode:
        why = (done.stderr.splitlines() or ["the two contenders disagree"])[-1]
        raise BenchFailed(f"{' '.join(command)} ended with {done.returncode}: {why}")
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures
