"""Settings of the fusion and of a cell, and refusals that say what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from operators.errors import InvalidConfig
from operators.fusion.cell import CellConfig, FusionConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"output": "best"}, {"learn_from": "sera"}, {"gate_lr": -1.0}, {"gate_trust": float("nan")},
        {"meta_lr": 1.0}, {"rolling": 0.0}, {"rolling": 1.0}, {"step_down": 1.0},
        {"recovery": 0.0}, {"g_hold": 0.995}, {"hold": 0}, {"red_limit": 11},
        {"lambda_step": float("inf")}, {"rollout": "now"}, {"stage_events": 0}, {"g_weak": 0.3},
        {"feature_lr": 1.0}, {"beta_step": -0.1}, {"lr_calm": 0.0}, {"tau_low_alert": 1.0},
        {"thin_margin": 0.6}, {"healthy_margin": 1.5},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    """A setting that no cell can run with is refused with its name and what it must be."""
    (name,) = wrong
    with pytest.raises(InvalidConfig, match=f"{name}=.*must"):
        FusionConfig(**wrong)


def test_lambda_must_have_room_above_what_sera_is_set_to() -> None:
    """A ceiling of lambda_* below Sera's own setting or floor is a contradiction."""
    with pytest.raises(InvalidConfig, match=r"lambda_max=0\.05: must be at least 0\.6"):
        CellConfig(fusion=FusionConfig(lambda_max=0.05))
    with pytest.raises(InvalidConfig, match=r"lambda_max=0\.7: must be at least 0\.9"):
        CellConfig(sera=SeraConfig(beta_floor=0.8), fusion=FusionConfig(lambda_max=0.7))


def test_defaults_are_for_labels_of_zero_and_one() -> None:
    """Out of the box a cell predicts probabilities and shrinks to one half."""
    config = CellConfig()
    assert config.logistic
    assert config.sera.prior == 0.5


def test_audited_constants_are_what_the_cell_runs_with() -> None:
    """An audit record's constants name the sizes, rates and bounds in force."""
    config = CellConfig(
        hlm=HlmConfig(choices=3), sera=SeraConfig(d=64, r=128, d_v=2, gamma=0.9, alpha=0.01)
    )
    constants = config.audited_constants()
    assert constants == {
        "r_v": 2.0,
        "gamma": 0.9,
        "alpha": 0.01,
        "c_lookup_max": float(config.hlm.lookup_bound),
        "c_insert_max": float(config.hlm.insert_bound),
    }


def test_a_cell_needs_decay() -> None:
    """A stream has no last event, so a Sera with a horizon cannot be part of a cell."""
    with pytest.raises(InvalidConfig, match=r"sera.gamma=1.0: a stream has no horizon"):
        CellConfig(sera=SeraConfig(gamma=1.0, horizon=100))
