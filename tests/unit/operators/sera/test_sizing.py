"""How many features are asked for, and whether they are enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.errors import InvalidConfig, InvalidInput
from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from operators.sera.sizing import SeraSizing
from tests.unit.operators.sera.exact import attention, on_sphere


def test_rule_is_the_seeds() -> None:
    """R = C0 (r_v + log(1/delta)) / epsilon^2, rounded up to what a Sera can have."""
    assert SeraSizing(1.0).solve(0.1, delta=np.exp(-6.0), r_v=64) == 7000
    assert SeraSizing(0.01).solve(0.1, delta=0.5, r_v=1) == 4
    with pytest.raises(InvalidConfig, match="needs 670000 features of 65536"):
        SeraSizing(1.0).solve(0.01, delta=np.exp(-3.0), r_v=64)
    for epsilon, delta, r_v in ((0.0, 0.5, 1), (0.1, 1.0, 1), (0.1, 0.5, 0)):
        with pytest.raises(InvalidConfig, match="must hold"):
            SeraSizing(1.0).solve(epsilon, delta, r_v)


def test_fitted_rule_gives_enough_features_on_other_data_of_the_kind() -> None:
    """With the r that the fit asks for, 95 % of readouts are within epsilon, and not far within."""
    config = SeraConfig(
        d=8, d_v=2, clip=50.0, lambda_star=1e-12, lambda_rule="fixed", beta_floor=1e-12, r=64,
        max_r=128,
    )  # fmt: skip
    rng = np.random.default_rng(1)

    def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        keys = on_sphere(rng, 200, config, 0.5)
        return keys, 1.0 + np.tanh(keys[:, :2]), on_sphere(rng, 200, config, 0.5)

    keys, values, queries = sample()
    sizing = SeraSizing.fit(config, keys, values, queries)
    r = sizing.solve(0.03, r_v=config.d_v)
    shares = []
    for seed in range(100, 110):
        keys, values, queries = sample()
        sera = Sera(replace(config, r=r), seed)
        sera.ingest_batch(keys, values)
        wanted = attention(config, keys, values, queries)
        size = np.sqrt(np.square(wanted).sum(axis=1).mean())
        errors = np.linalg.norm(sera.query_batch(queries).y - wanted, axis=1) / size
        shares.append((errors <= 0.03).mean())
    assert 0.90 <= np.mean(shares) <= 0.995, f"r={r}"


def test_readouts_of_nothing_cannot_be_sized_by() -> None:
    """Values that are all 0 have no relative error; keys and values must be as many."""
    config = SeraConfig(d=2, r=8)
    with pytest.raises(InvalidInput, match="are 0"):
        SeraSizing.fit(config, np.ones((5, 2)), np.zeros((5, 1)), np.ones((3, 2)))
    with pytest.raises(InvalidInput, match="5 keys and 4 values"):
        SeraSizing.fit(config, np.ones((5, 2)), np.zeros((4, 1)), np.ones((3, 2)))
