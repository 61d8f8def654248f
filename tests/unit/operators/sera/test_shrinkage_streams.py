"""What averaging lambda_* costs and gains on River's streams.

Run with ``-s`` for the table in docs/sera.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from river import datasets

from operators.sera.config import SeraConfig
from operators.sera.sera import Sera

pytestmark = pytest.mark.slow

SIZES = (64, 256, 1024)
STREAMS = ("Phishing", "Bananas", "ImageSegments", "TrumpApproval")


def stream(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features, scaled over the whole stream, and labels; of segments the first kind or another."""
    events = [(list(map(float, x.values())), y) for x, y in getattr(datasets, name)()]
    x = np.array([features for features, _ in events])
    first = events[0][1]
    labels = [float(y == first) if isinstance(y, str) else float(y) for _, y in events]
    return (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9), np.array(labels)


def test_averaging_lambda_costs_little_where_it_gains_nothing() -> None:
    """The squared error is at most 2 % above that with lambda_* pinned, on every stream."""
    for name in STREAMS:
        x, y = stream(name)
        prior = 0.0 if name == "TrumpApproval" else 0.5
        changes = []
        for r in SIZES:
            pinned = SeraConfig(d=x.shape[1], r=r, prior=prior, lambda_rule="fixed")
            errors = [
                np.square(Sera(config, 3).step_batch(x, y[:, np.newaxis]).y[:, 0] - y).mean()
                for config in (replace(pinned, lambda_rule="average"), pinned)
            ]
            changes.append(errors[0] / errors[1] - 1.0)
            assert changes[-1] <= 0.02, (name, r)
        print(f"| {name} | {' | '.join(f'{100 * c:+.1f} %' for c in changes)} |")  # noqa: T201
