"""Settings of the fusion, and of a cell as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from operators.errors import InvalidConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig

RED_WINDOW = 10
"""Events over which reds are counted; the seed's scenario steps down at 6 of 10."""


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Settings of the fusion and its controller (seed sections 4, 5 and 11).

    Attributes:
        output: which prediction is ``y_hat``: ``"gate"`` mixes the halves with a learnt weight,
            ``"meta"`` corrects that mixture by a linear regression on the halves.
        learn_from: the error that Hlm learns from: its ``"own"``, or that of the ``"fused"``
            prediction, as in the seed's pseudocode.
        gate_lr: learning rate of the gate's weights.
        gate_trust: weight, before anything is learnt, of Sera's advantage in the gate's logit.
            At 8, halves get the shares of an exponentially weighted forecaster of rate 1 on their
            discounted squared errors; at 0, equal shares whatever the errors.
        meta_lr: learning rate of the meta-linear weights, relative to the squared input norm.
        rolling: weight of the latest event in rolling errors, and discount of the advantage.
        g_min: least weight of Sera in the mixture.
        g_max: largest weight of Sera, where nothing is wrong.
        g_hold: largest weight of Sera after a first trigger of the controller.
        step_down: factor of the clamp at each further trigger.
        hold: events for which a lowered clamp stays.
        recovery: share of the way back that clamp and lambda_* go with each event after it.
        red_limit: reds among the last 10 events that are a trigger.
        lambda_step: what lambda_* goes up by.
        lambda_max: what it goes up to.

    Raises:
        InvalidConfig: a value is out of range; the message names it and the range.
    """

    output: Literal["gate", "meta"] = "meta"
    learn_from: Literal["own", "fused"] = "own"
    gate_lr: float = 0.05
    gate_trust: float = 8.0
    meta_lr: float = 0.05
    rolling: float = 0.01
    g_min: float = 0.01
    g_max: float = 0.99
    g_hold: float = 0.4
    step_down: float = 0.5
    hold: int = 100
    recovery: float = 0.02
    red_limit: int = 6
    lambda_step: float = 0.1
    lambda_max: float = 2.0

    def __post_init__(self) -> None:
        if self.output not in ("gate", "meta"):
            raise InvalidConfig(f"output={self.output!r}: must be 'gate' or 'meta'")
        if self.learn_from not in ("own", "fused"):
            raise InvalidConfig(f"learn_from={self.learn_from!r}: must be 'own' or 'fused'")
        for name in ("gate_lr", "gate_trust", "meta_lr", "lambda_step"):
            value = getattr(self, name)
            _require(name, value, math.isfinite(value) and value >= 0.0, "a number of 0 or more")
        _require("meta_lr", self.meta_lr, self.meta_lr < 1.0, "below 1")
        for name in ("rolling", "step_down", "recovery"):
            value = getattr(self, name)
            _require(name, value, 0.0 < value < 1.0, "between 0 and 1, both excluded")
        if not 0.0 <= self.g_min < self.g_hold < self.g_max <= 1.0:
            raise InvalidConfig(
                f"g_min={self.g_min}, g_hold={self.g_hold}, g_max={self.g_max}: "
                "0 <= g_min < g_hold < g_max <= 1 must hold"
            )
        _require("hold", self.hold, self.hold >= 1, "1 or more")
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
        least = max(self.sera.lambda_star, self.sera.beta_floor)
        if self.fusion.lambda_max < least:
            raise InvalidConfig(
                f"fusion.lambda_max={self.fusion.lambda_max}: must be at least {least}, which "
                "sera.lambda_star or sera.beta_floor asks for"
            )

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


def _require(name: str, value: float, holds: bool, wanted: str) -> None:
    if not holds:
        raise InvalidConfig(f"{name}={value}: must be {wanted}")
