"""Sera's error against exact attention, by number of features and by time.

Run with ``-s`` for the tables in docs/sera.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from operators.sera.config import SeraConfig
from operators.sera.features import kernel_variance
from operators.sera.sera import Sera
from tests.unit.operators.sera.exact import Floats, attention, on_sphere

pytestmark = pytest.mark.slow

SIZES = (64, 256, 1024, 4096, 16384)
SEEDS = 24
KINDS: dict[str, dict[str, Any]] = {
    "i.i.d.": {},
    "antithetic": {"antithetic": True},
    "orthogonal": {"weights": "orthogonal"},
    "bounded": {"feature_map": "bounded"},
    "bounded, orthogonal": {"feature_map": "bounded", "weights": "orthogonal"},
    "i.i.d., whitened": {"whiten": True, "epsilon": 1e-12},
}


def config_of(r: int, **kind: Any) -> SeraConfig:
    """Nothing but the features errs: no clipping, next to no prior."""
    return SeraConfig(
        r=r, clip=50.0, lambda_star=1e-12, lambda_rule="fixed", beta_floor=1e-12, **kind
    )


def readout_error(config: SeraConfig, seed: int) -> tuple[float, float]:
    """Root mean square of error and of half difference, relative to the readout's."""
    rng = np.random.default_rng(seed)
    keys = on_sphere(rng, 400, config, 1.0)
    queries = on_sphere(rng, 40, config, 1.0)
    values = rng.normal(size=(400, 1))
    sera = Sera(config, seed)
    sera.ingest_batch(keys, values)
    answers = sera.query_batch(queries)
    wanted = attention(config, keys, values, queries)
    size = np.square(wanted).mean()
    return np.square(answers.y - wanted).mean() / size, np.square(answers.half_diff).mean() / size


def test_error_falls_with_the_square_root_of_the_features() -> None:
    """On a log-log scale the slope is -1/2, at the norm guard's radius, for all features."""
    for name, kind in KINDS.items():
        made = [
            np.mean([readout_error(config_of(r, **kind), seed) for seed in range(SEEDS)], axis=0)
            for r in SIZES
        ]
        errors, halves = np.sqrt(np.array(made)).T
        slope = float(np.polyfit(np.log(SIZES), np.log(errors), 1)[0])
        row = " | ".join(f"{100 * e:.1f} %" for e in errors)
        print(f"| {name} | {row} | {slope:.2f} |")  # noqa: T201 - the table of the docs
        if name == "i.i.d.":
            row = " | ".join(f"{100 * e:.1f} %" for e in halves)
            print(f"| its half difference | {row} | |")  # noqa: T201
        if "whitened" not in name:
            assert -0.6 <= slope <= -0.4, f"{name}: {slope}"


def kernel_error(r: int, seed: int) -> tuple[float, float]:
    """Mean squared relative error of kernel values, found and by the closed form."""
    rng = np.random.default_rng(seed)
    config = config_of(r)
    q, k = on_sphere(rng, 100, config, 0.25), on_sphere(rng, 100, config, 0.25)
    weights = Sera(config, seed).arrays.W
    scale = 1.0 / np.sqrt(config.temperature)

    def phi(x: Floats) -> Floats:
        return np.asarray(np.exp(x * scale @ weights - 0.5 * 0.25) / np.sqrt(r))

    exact = np.exp((q * k).sum(axis=1) / config.temperature)
    found = np.square((phi(q) * phi(k)).sum(axis=1) / exact - 1.0)
    squares = np.square(q + k).sum(axis=1) / config.temperature
    return float(found.mean()), float(np.mean([kernel_variance(config, s) for s in squares]) / r)


def test_kernel_error_is_the_closed_form() -> None:
    """The mean squared error of a kernel value is within 10 % of (e^(|q+k|^2/tau) - 1)/r."""
    for r in (64, 256, 1024):
        found, stated = np.mean([kernel_error(r, seed) for seed in range(400)], axis=0)
        print(f"| {r} | {found:.5f} | {stated:.5f} | {found / stated:.3f} |")  # noqa: T201
        assert found == pytest.approx(stated, rel=0.1)


def test_error_does_not_grow_with_time() -> None:
    """After a million events the readout is as close to exact attention as after ten thousand."""
    config = config_of(256)
    tail = 3_000  # what is older weighs less than 1e-26
    errors = {10_000: 0.0, 1_000_000: 0.0}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sera = Sera(config, seed)
        done = 0
        for t in errors:
            n = t - done
            keys = on_sphere(rng, n, config, 1.0)
            values = rng.normal(size=(n, 1))
            queries = on_sphere(rng, 200, config, 1.0)
            sera.ingest_batch(keys, values)
            done = t
            wanted = attention(config, keys[-tail:], values[-tail:], queries)
            errors[t] += float(np.square(sera.query_batch(queries).y - wanted).mean())
        assert sera.health().residual_share < 1e-14
        assert sera.health().residual_alarms == 0
    early, late = np.sqrt(np.array(list(errors.values())) / 4.0)
    print(f"| 256 | {early:.4f} | {late:.4f} |")  # noqa: T201 - the table of the docs
    assert late <= 1.15 * early, "the same, but for the draw of the queries"
