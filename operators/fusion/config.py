"""Settings of the fusion, and of a cell as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from operators.errors import InvalidConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig

RED_WINDOW = 10
"""Events over which reds and thin margins are counted; the seed's scenario acts at 6 of 10."""

META_STAGE, GATE_STAGE, FEATURE_STAGE = 0.0, 1.0, 2.0
"""Stages of the roll-out, and the parts of the fusion that join with each."""

LAST_STAGE = FEATURE_STAGE


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Settings of the fusion and its controller (seed sections 4, 5 and 11).

    Attributes:
        rollout: ``"staged"`` begins with the meta-linear combination and lets the learnt gate, then
            attention as a feature, join once margins have been healthy (seed section 17);
            ``"all"`` begins with all of them.
        stage_events: healthy labelled events in a row that let the next part join.
        healthy_margin: share of its capital that a healthy margin has left.
        output: which prediction is ``y_hat``: ``"gate"`` mixes the halves with a learnt weight,
            ``"meta"`` corrects that mixture by a linear regression on the halves, ``"feature"`` is
            the linear half with attention among its features.
        learn_from: the error that Hlm learns from: its ``"own"``, or that of the ``"fused"``
            prediction, as in the seed's pseudocode.
        gate_lr: learning rate of the gate's weights.
        gate_trust: weight, before anything is learnt, of Sera's advantage in the gate's logit.
            At 8, halves get the shares of an exponentially weighted forecaster of rate 1 on their
            discounted squared errors; at 0, equal shares whatever the errors.
        meta_lr: learning rate of the meta-linear weights, relative to the squared input norm.
        feature_lr: the same of the weights of attention as a feature.
        rolling: weight of the latest event in rolling errors, and discount of the advantage.
        g_min: least weight of Sera in the mixture.
        g_max: largest weight of Sera, where nothing is wrong.
        g_weak: largest weight of Sera after an event whose denominator needed its floor.
        g_hold: largest weight of Sera after a first trigger of the controller.
        step_down: factor of the clamp at each further trigger.
        hold: events for which a lowered clamp, or a reduced rate, stays.
        recovery: share of the way back that a control goes with each event after it.
        red_limit: reds among the last 10 events that are a trigger, and thin margins that are a
            warning.
        thin_margin: share of its capital below which a margin is thin.
        lambda_step: what lambda_* goes up by; 0 pins it.
        lambda_max: what it goes up to, beside what ``sera.lambda_rule`` gives it.
        beta_step: what the least denominator goes up by; 0 pins it.
        beta_max: what it goes up to.
        lr_calm: share of Hlm's learning rate while the stream is unsettled; 1 never reduces it.
        tau_low_alert: load at which Hlm begins a rebuild while the stream is unsettled.

    Raises:
        InvalidConfig: a value is out of range; the message names it and the range.
    """

    rollout: Literal["staged", "all"] = "staged"
    stage_events: int = 500
    healthy_margin: float = 0.5
    output: Literal["gate", "meta", "feature"] = "meta"
    learn_from: Literal["own", "fused"] = "own"
    gate_lr: float = 0.05
    gate_trust: float = 8.0
    meta_lr: float = 0.05
    feature_lr: float = 0.05
    rolling: float = 0.01
    g_min: float = 0.01
    g_max: float = 0.99
    g_weak: float = 0.8
    g_hold: float = 0.4
    step_down: float = 0.5
    hold: int = 100
    recovery: float = 0.02
    red_limit: int = 6
    thin_margin: float = 0.25
    lambda_step: float = 0.1
    lambda_max: float = 2.0
    beta_step: float = 0.05
    beta_max: float = 0.5
    lr_calm: float = 0.5
    tau_low_alert: float = 0.5

    def __post_init__(self) -> None:
        _require_one_of("rollout", self.rollout, ("staged", "all"))
        _require_one_of("output", self.output, ("gate", "meta", "feature"))
        _require_one_of("learn_from", self.learn_from, ("own", "fused"))
        for name in (
            "gate_lr", "gate_trust", "meta_lr", "feature_lr", "lambda_step", "beta_step", "beta_max"
        ):  # fmt: skip
            value = getattr(self, name)
            _require(name, value, math.isfinite(value) and value >= 0.0, "a number of 0 or more")
        for name in ("meta_lr", "feature_lr"):
            _require(name, getattr(self, name), getattr(self, name) < 1.0, "below 1")
        for name in ("rolling", "step_down", "recovery", "tau_low_alert"):
            value = getattr(self, name)
            _require(name, value, 0.0 < value < 1.0, "between 0 and 1, both excluded")
        _require("lr_calm", self.lr_calm, 0.0 < self.lr_calm <= 1.0, "above 0 and at most 1")
        if not 0.0 <= self.g_min < self.g_hold <= self.g_weak < self.g_max <= 1.0:
            raise InvalidConfig(
                f"g_min={self.g_min}, g_hold={self.g_hold}, g_weak={self.g_weak}, "
                f"g_max={self.g_max}: 0 <= g_min < g_hold <= g_weak < g_max <= 1 must hold"
            )
        if not 0.0 <= self.thin_margin <= self.healthy_margin <= 1.0:
            raise InvalidConfig(
                f"thin_margin={self.thin_margin}, healthy_margin={self.healthy_margin}: "
                "0 <= thin_margin <= healthy_margin <= 1 must hold"
            )
        _require("hold", self.hold, self.hold >= 1, "1 or more")
        _require("stage_events", self.stage_events, self.stage_events >= 1, "1 or more")
        _require("red_limit", self.red_limit, 1 <= self.red_limit <= RED_WINDOW, "1 .. 10")


@dataclass(frozen=True, slots=True)
class CellConfig:
    """Settings of a cell.

    ``hlm.link`` is the link of the whole cell: with ``"logistic"``, labels are in [0, 1], all
    predictions are probabilities and the loss is the log loss; with ``"identity"``, labels are
    real and the loss is squared.

    Attributes:
        hlm: the linear learner.
        sera: the streaming attention.
        fusion: how the two are put together.

    Raises:
        InvalidConfig: the parts do not fit together.
    """

    hlm: HlmConfig = field(default_factory=lambda: HlmConfig(link="logistic"))
    sera: SeraConfig = field(default_factory=lambda: SeraConfig(prior=0.5))
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        if self.sera.horizon:
            raise InvalidConfig("sera.gamma=1.0: a stream has no horizon; gamma must be below 1")
        least = self.sera.lambda_star + self.beta_max
        if self.fusion.lambda_max < least:
            raise InvalidConfig(
                f"fusion.lambda_max={self.fusion.lambda_max}: must be at least {least}: "
                "sera.lambda_star, and what fusion.beta_max or sera.beta_floor asks for beyond it"
            )

    @property
    def beta_max(self) -> float:
        """Most that the least denominator goes up to; never below where it is configured."""
        return max(self.sera.beta_floor, self.fusion.beta_max)

    @property
    def logistic(self) -> bool:
        """Whether predictions are probabilities."""
        return self.hlm.link == "logistic"

    def audited_constants(self) -> dict[str, float]:
        """Settings that every audit record of the cell carries, under the record's field names.

        What a controller may change while events go on, ``r``, ``tau`` and ``clip``, is in a step's
        row instead.
        """
        return {
            "r_v": float(self.sera.r_v if self.sera.lowrank else self.sera.d_v),
            "gamma": self.sera.gamma,
            "alpha": self.sera.alpha,
            "c_lookup_max": float(self.hlm.lookup_bound),
            "c_insert_max": float(self.hlm.insert_bound),
        }


def _require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        wanted = " or ".join(repr(word) for word in allowed)
        raise InvalidConfig(f"{name}={value!r}: must be {wanted}")


def _require(name: str, value: float, holds: bool, wanted: str) -> None:
    if not holds:
        raise InvalidConfig(f"{name}={value}: must be {wanted}")
