"""Settings of a Sera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from operators.errors import InvalidConfig

MAX_FEATURES = 1 << 16
"""Most random features of one Sera; at the seed's r_v = 64 they hold 64 MiB of statistics."""

_GRANULE = 4  # two halves for the diagnostics, each of antithetic pairs
_LEAST_RANK = 2
_CHOICES = {
    "weights": ("iid", "orthogonal"),
    "feature_map": ("positive", "bounded"),
    "lambda_rule": ("average", "fixed"),
    "policy": ("half_diff", "rj_gap"),
}


@dataclass(frozen=True, slots=True)
class SeraConfig:
    """Settings of a Sera; the defaults are the seed's (sections 2.2, 9.2 and 17).

    Attributes:
        d: length of key and query vectors.
        r: number of random features, a multiple of 4.
        d_v: length of value vectors; 1 where labels serve as values.
        gamma: decay of the statistics for each ingested event; the effective window is
            1 / (1 - gamma) events. 1 keeps all events alike and needs a ``horizon``.
        horizon: with ``gamma`` 1, the events that may be ingested; else 0.
        tau: temperature; ``None`` is the square root of ``d``.
        clip: the exponent of a feature is clipped to [-clip, clip]. With vectors at the norm
            guard's radius of 1 the exponent is N(-1/2, 1), and 3.1 clips 0.5 % of it.
        tune_clip: move the bound so that 0.1 % to 1 % of exponents are clipped: after every 64
            vectors, from counts of these, for the vectors after them.
        norm_radius: largest squared norm over tau; longer vectors are shortened to it. The
            relative error of the kernel estimate is (e^(|q+k|^2/tau) - 1) / r, so it explodes
            with the norm.
        antithetic: draw the weights as pairs (w, -w), which lowers the variance.
        weights: ``"iid"`` or in ``"orthogonal"`` blocks, see ``operators.sera.features``.
        feature_map: ``"positive"`` or ``"bounded"``, likewise.
        whiten: divide a query's features by the standard deviation of the keys' features. This is
            attention with another kernel: its error against softmax does not vanish with ``r``.
        r_v: length that values are also reduced to, for readouts of low rank; 0 for none.
        lowrank: keep the reduced values alone: r (r_v + 1) sums instead of r (d_v + r_v + 1). All
            readouts are then of low rank. 2 <= r_v then, so that norms say more than a sign.
        max_r: features that the successor of an unstable Sera may grow to, by doubling; 0: none.
        retune: with no features left to add, let successors have temperatures up to 1.4 sqrt(d).
        prior: what the readout tends to where the stream has shown nothing near the query.
        lambda_star: weight of the prior in the denominator, in events at kernel value 1, until
            labels tell of a better one.
        lambda_rule: ``"average"`` lets it follow what labels tell, from a grid around quantiles of
            the denominators (``operators.sera.kernel_shrinkage``); ``"fixed"`` pins it.
        beta_floor: least denominator; where the statistics and ``lambda_star`` do not reach it,
            the prior fills up.
        epsilon: added to the norm of the readout where diagnostics are relative to it.
        delta: chance that the error bound of the policy fails over all time.
        policy: the diagnostic that levels are of, ``"half_diff"`` or the seed's ``"rj_gap"``, both
            relative to the norm of the readout.
        c_yellow: constant C_RJ of the time-uniform bound; above the bound is yellow.
        c_red: the same for red; more than ``c_yellow``.
        residual_limit: a compensation term above this share of the largest sum is an alarm.
        alpha: chance of a false alarm of the margin over all time, restarts included.
        burn_in: labelled events at the start, and after each alarm, on which nothing is bet.

    Raises:
        InvalidConfig: a value is out of range; the message names it and the range.
    """

    d: int = 16
    r: int = 256
    d_v: int = 1
    gamma: float = 0.98
    horizon: int = 0
    tau: float | None = None
    clip: float = 3.1
    tune_clip: bool = False
    norm_radius: float = 1.0
    antithetic: bool = False
    weights: Literal["iid", "orthogonal"] = "iid"
    feature_map: Literal["positive", "bounded"] = "positive"
    whiten: bool = False
    r_v: int = 0
    lowrank: bool = False
    max_r: int = 0
    retune: bool = False
    prior: float = 0.0
    lambda_star: float = 0.1
    lambda_rule: Literal["average", "fixed"] = "average"
    beta_floor: float = 0.1
    epsilon: float = 1e-6
    delta: float = 0.05
    policy: Literal["half_diff", "rj_gap"] = "half_diff"
    c_yellow: float = 1.0
    c_red: float = 2.0
    residual_limit: float = 1e-9
    alpha: float = 0.05
    burn_in: int = 200

    def __post_init__(self) -> None:
        for name in ("d", "d_v"):
            _require(
                name, getattr(self, name), 1 <= getattr(self, name) <= MAX_FEATURES, "1 .. 2^16"
            )
        fits = _GRANULE <= self.r <= MAX_FEATURES and self.r % _GRANULE == 0
        _require("r", self.r, fits, f"a multiple of {_GRANULE} up to 2^16")
        grows = self.max_r == 0 or (
            self.r <= self.max_r <= MAX_FEATURES and self.max_r % _GRANULE == 0
        )
        _require("max_r", self.max_r, grows, f"0, or a multiple of {_GRANULE} from r to 2^16")
        _require("burn_in", self.burn_in, self.burn_in >= 0, "0 or more")
        _require("gamma", self.gamma, 0.0 < self.gamma <= 1.0, "above 0 and at most 1")
        endless = self.gamma < 1.0
        wanted = "0, for gamma below 1" if endless else "the number of events, for gamma = 1"
        _require(
            "horizon", self.horizon, self.horizon == 0 if endless else self.horizon > 0, wanted
        )
        _require("r_v", self.r_v, 0 <= self.r_v <= self.d_v, "0 .. d_v")
        if self.lowrank:
            _require("r_v", self.r_v, self.r_v >= _LEAST_RANK, "2 .. d_v with lowrank")
        for name, allowed in _CHOICES.items():
            chosen = getattr(self, name)
            if chosen not in allowed:
                raise InvalidConfig(f"{name}={chosen!r}: must be '{allowed[0]}' or '{allowed[1]}'")
        if self.tau is not None:
            _require_positive("tau", self.tau)
        for name in (
            "clip", "norm_radius", "lambda_star", "beta_floor", "epsilon", "c_yellow",
            "residual_limit",
        ):  # fmt: skip
            _require_positive(name, getattr(self, name))
        _require("c_red", self.c_red, self.c_red > self.c_yellow, "above c_yellow")
        _require("prior", self.prior, math.isfinite(self.prior), "finite")
        for name in ("delta", "alpha"):
            value = getattr(self, name)
            _require(name, value, 0.0 < value < 1.0, "between 0 and 1, both excluded")

    @property
    def temperature(self) -> float:
        """Temperature tau: the one set, else the square root of ``d``."""
        return math.sqrt(self.d) if self.tau is None else self.tau

    @property
    def window(self) -> int:
        """Effective window L_eff, in events: 1 / (1 - gamma), with ``gamma`` 1 the horizon."""
        return self.horizon or round(1.0 / (1.0 - self.gamma))


def _require(name: str, value: float, holds: bool, wanted: str) -> None:
    if not holds:
        raise InvalidConfig(f"{name}={value}: must be {wanted}")


def _require_positive(name: str, value: float) -> None:
    _require(name, value, math.isfinite(value) and value > 0.0, "a positive number")
