"""Settings of a Sera: the seed's defaults, and refusals that say what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from operators.errors import InvalidConfig
from operators.sera.config import SeraConfig


def test_defaults_are_the_seeds() -> None:
    """Gamma 0.98, tau the square root of d, alpha 0.05, norm guard at 1."""
    config = SeraConfig(d=64)
    assert (config.gamma, config.temperature, config.alpha) == (0.98, 8.0, 0.05)
    assert config.norm_radius == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"d": 0}, {"r": 6}, {"r": 0}, {"r": 1 << 17}, {"d_v": 0}, {"gamma": 1.1}, {"gamma": 0.0},
        {"tau": 0.0}, {"tau": float("inf")}, {"clip": -1.0}, {"norm_radius": 0.0},
        {"lambda_star": 0.0}, {"beta_floor": float("nan")}, {"epsilon": 0.0}, {"delta": 1.0},
        {"alpha": 0.0}, {"c_yellow": 0.0}, {"c_red": 0.5}, {"burn_in": -1},
        {"horizon": 5}, {"r_v": 2}, {"weights": "none"}, {"feature_map": "relu"},
        {"prior": float("nan")}, {"residual_limit": 0.0}, {"max_r": 128}, {"max_r": 258},
        {"policy": "gap"}, {"lambda_rule": "none"},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    """A setting that no Sera can run with is refused with its name and what it must be."""
    (name,) = wrong
    with pytest.raises(InvalidConfig, match=f"^{name}=.*must be"):
        SeraConfig(**wrong)


def test_low_rank_alone_needs_a_rank() -> None:
    """Of one reduced coordinate a norm says no more than a sign, so two are the least."""
    for r_v in (0, 1):
        with pytest.raises(InvalidConfig, match=f"r_v={r_v}: must be 2 .. d_v with lowrank"):
            SeraConfig(d_v=3, r_v=r_v, lowrank=True)
    assert SeraConfig(d_v=3, r_v=2, lowrank=True).lowrank


def test_no_decay_needs_a_horizon_and_a_window_follows_from_either() -> None:
    """Gamma = 1 is taken with the number of events that may come, and the window is known."""
    with pytest.raises(InvalidConfig, match=r"horizon=0: must be the number of events"):
        SeraConfig(gamma=1.0)
    assert SeraConfig(gamma=1.0, horizon=500).window == 500
    assert SeraConfig(gamma=0.98).window == 50
