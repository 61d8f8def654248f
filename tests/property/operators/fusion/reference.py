"""The whole step in plain Python, from the definitions: dictionaries, lists and loops.

It says what a cell must compute, operation by operation. Weights live in a dictionary by id; there
is no table that fills up, no batch and no vector instruction.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from operators.fusion import codes
from operators.fusion.layout import CONTEXT, CONTEXT_MASK, FEATURE, META, RESERVED
from operators.fusion.outputs import Action
from operators.numerics_reference import log, sigmoid
from operators.philox import philox4x32, uniform
from operators.sera.conformal import BETS, BINS, FIRST_ON_SPREAD, SETTLING, TIRING, WAKING
from operators.sera.layout import STREAM_TIES
from tests.property.operators.fusion.reference_controller import ReferenceController, Shown
from tests.property.operators.fusion.reference_sera import (
    ReferenceSera,
    Row,
    between,
    plain_tree_sum,
)

if TYPE_CHECKING:
    from operators.fusion.cell import CellConfig, Seeds
    from operators.sera.config import SeraConfig

Event = dict[str, Any]
Inputs = list[tuple[int, float]]


def logit(p: float) -> float:
    """Inverse of the logistic function."""
    return log(p / (1.0 - p))


class ReferenceMargin:
    """The e-process: its epochs, the frozen reference, ranks of the scores, and the bets."""

    def __init__(self, config: SeraConfig, seed: int) -> None:
        self.burn_in, self.lam = config.burn_in, config.lambda_star
        self.log_alpha = log(config.alpha * 6.0 / math.pi**2)
        self.tie_key = np.uint64(philox4x32(np.uint64(seed), STREAM_TIES, np.uint64(0))[0])
        self.R: list[float] = []
        self.s: list[float] = []
        self.epoch = self.betted = 0
        self.restart()

    def restart(self) -> None:
        """Start an epoch."""
        self.wealth = [1.0] + [0.0] * (len(BETS) - 1)
        self.log_e = 0.0
        self.margin = self.capital()
        self.refer_anew()

    def refer_anew(self) -> None:
        """Start a burn-in."""
        self.bins: list[int] = []
        self.seen = 0
        self.centre = self.spread = 0.0

    def capital(self) -> float:
        """Margin at the start of the epoch."""
        return 2.0 * log(self.epoch + 1.0) - self.log_alpha

    def bet(
        self, sera: ReferenceSera, phi: list[float], y: float, live: float
    ) -> tuple[float, float, bool]:
        """Margin and log E_mix after an event, and whether it was an alarm."""
        self.seen += 1
        if self.seen <= self.burn_in:
            self.follow(y - live)
            return self.margin, self.log_e, False
        if self.seen == self.burn_in + 1:
            self.R, self.s = [sera.first_row(i) for i in range(len(phi))], list(sera.s)
            self.prior = sera.prior
        n = float(self.seen - self.burn_in)
        away = y - self.reference(phi) - self.centre
        width = self.spread + abs(away)
        place = int(((away / width if width > 0.0 else 0.0) + 1.0) * (0.5 * BINS))
        self.bins.append(min(place, BINS - 1))
        u = uniform(self.tie_key, STREAM_TIES, np.uint64(self.betted))
        self.betted += 1
        above = sum(b > self.bins[-1] for b in self.bins)
        p = (above + u * self.bins.count(self.bins[-1])) / n
        self.log_e += self.settle(p, n)
        self.margin = self.capital() - self.log_e
        verdict = self.margin, self.log_e, self.margin < 0.0
        if self.margin < 0.0:
            self.epoch += 1
            self.restart()
        return verdict

    def reference(self, phi: list[float]) -> float:
        """Readout of the frozen statistics."""
        numerator = plain_tree_sum([a * b for a, b in zip(phi, self.R, strict=True)])
        mass = plain_tree_sum([a * b for a, b in zip(phi, self.s, strict=True)])
        return (numerator + self.lam * self.prior) / (mass + self.lam)

    def settle(self, p: float, n: float) -> float:
        """Logarithm of what the bets gained; some capital wakes, some falls asleep."""
        moved = 1.0 - 2.0 * p
        spread = 2.0 * abs(moved) - 1.0
        gains = [
            w * (1.0 + bet * (spread if j >= FIRST_ON_SPREAD else moved))
            for j, (w, bet) in enumerate(zip(self.wealth, BETS, strict=True))
        ]
        total = 0.0
        for gain in gains:
            total += gain
        shares = [gain / total for gain in gains]
        waking = shares[0] * (WAKING / (SETTLING + n))
        asleep = shares[0] - waking
        for share in shares[1:]:
            asleep += share * TIRING
        each = waking / (len(BETS) - 1.0)
        self.wealth = [asleep] + [share * (1.0 - TIRING) + each for share in shares[1:]]
        return log(total)

    def follow(self, residual: float) -> None:
        """Move the median towards a residual."""
        if self.seen == 1:
            self.centre, self.spread = residual, 0.0
            return
        away = residual - self.centre
        self.spread += (abs(away) - self.spread) / self.seen
        step = 2.0 * self.spread / self.seen
        self.centre += step if away > 0 else -step if away < 0 else 0.0


class Reference:
    """A cell, one event at a time."""

    def __init__(self, config: CellConfig, seeds: Seeds) -> None:
        self.config, self.seed = config, seeds.prf
        self.successor: ReferenceSera | None = None
        self.handover = self.since = 0
        self.weights: dict[int, float] = {}
        self.bias = 0.0
        self.sera = ReferenceSera(config.sera, seeds.prf)
        self.margin = ReferenceMargin(config.sera, seeds.prf)
        self.controls = ReferenceController(config)
        self.steps = self.labelled = 0
        self.error = self.square = self.label_square = self.advantage = 0.0
        self.label_min = self.label_max = 0.0
        self.squares = [0.0] * (config.sera.d_v - 1)

    def step(self, event: Event, *, crowded: bool = False) -> Row:
        """Predict and learn an event; the fields of its row that do not tell of Hlm's table.

        Args:
            event: the event.
            crowded: whether Hlm's table had to overflow, of which a dictionary knows nothing.
        """
        sera, key, query, now = self.sera, event["key"], event["query"], self.controls
        first = query if query is not None else key
        phi, seen = sera.project(sera.sketch(event["features"]) if first is None else first)
        lambda_star = sera.shrinkage.now + (now.lam - self.config.sera.lambda_star)
        reading = sera.read(phi, lambda_star, now.beta)
        lr = self.config.hlm.lr * now.share
        row: Row = {name: reading[name] for name in ("den", "phi_l1", "rj_gap", "half_diff")}
        row |= {
            "rj_level": float(reading["rj_level"]),
            "lambda_star": lambda_star,
            "r": float(sera.config.r),
            "tau": sera.config.temperature,
            "clip": sera.clip,
            "beta_floor": now.beta,
            "g_max": now.g_max,
            "lr": lr,
            "tau_low": now.tau_low,
            "stage": float(now.stage),
            "ver_sera": float(sera.ingested),
        }
        alarm = self.fuse_and_learn(event, phi, reading, row, lr)
        value, y = event["value"], event["label"]
        if y is not None and self.config.sera.lambda_rule == "average":
            sera.shrinkage.follow(reading, y)
        counted = [seen]
        if value is None and y is not None and self.config.sera.d_v == 1:
            value = [y]
        if value is not None:
            if query is not None and key is not None:
                phi, also_seen = sera.project(key)
                counted.append(also_seen)
            row["actions"] += float(codes.SERA_RESIDUAL * sera.ingest(phi, value))
        for one in counted:
            sera.count(one)
        shown = Shown(
            alarm=alarm, red=reading["rj_level"] == 2, floored=reading["lam"] > lambda_star,
            labelled=y is not None, tested=self.margin.seen > self.margin.burn_in,
            margin=row["margin"] / self.margin.capital(), crowded=crowded, diverged=False,
        )  # fmt: skip
        decided = now.advance(shown)
        row["actions"] += float(decided)
        self.steps += 1
        row["step"] = float(self.steps)
        row["clip_rate"] = sera.clipped / (sera.vectors * sera.config.r)
        row["norm_guard_rate"] = sera.guarded / sera.vectors
        row["max_exponent"] = sera.max_exponent
        row["residual_r"], row["residual_s"] = sera.residual_r, sera.residual_s
        row["actions"] += self.succeed(event, value, persisted=Action.RED_PERSISTED in decided)
        return row

    def succeed(self, event: Event, value: list[float] | None, *, persisted: bool) -> int:
        """Propose a Sera of better settings, let it learn, let it answer; bits of what happened."""
        sera, successor = self.sera, self.successor
        if successor is not None:
            if value is None:
                return 0
            key = event["key"] or event["query"] or successor.sketch(event["features"])
            successor.learn(key, value, event["label"])
            if sera.ingested < self.handover:
                return 0
            successor.ingested = self.since = sera.ingested
            self.sera, self.successor = successor, None
            self.margin.refer_anew()
            return codes.SERA_SUCCEEDED
        c = sera.config
        better = c
        highest = 1.4 * math.sqrt(c.d)
        if c.r < c.max_r:
            better = replace(c, r=min(2 * c.r, c.max_r))
        elif c.retune and c.temperature < highest:
            better = replace(c, tau=min(c.temperature * 1.2, highest))
        if better == c or not persisted or sera.ingested - self.since < c.window:
            return 0
        self.successor = ReferenceSera(better, self.seed)
        self.handover = sera.ingested + c.window
        return codes.SERA_PROPOSED

    def weigh(self, inputs: Inputs) -> float:
        """Weighted sum of inputs; an unknown id weighs nothing."""
        total = 0.0
        for key, x in inputs:
            total += self.weights.get(key, 0.0) * x
        return total

    def move(self, inputs: Inputs, step: float) -> None:
        """Add ``step`` times its input to each weight."""
        for key, x in inputs:
            self.weights[key] = self.weights.get(key, 0.0) + step * x

    def move_normalised(self, inputs: Inputs, rate: float, miss: float) -> None:
        """A step along the error, relative to the inputs' squared norm."""
        square = 1.0
        for _, x in inputs:
            square += x * x
        self.move(inputs, rate * between(miss, -5.0, 5.0) / square)

    def gate_inputs(self, event: Event, reading: Row) -> Inputs:
        """Reserved ids and values of what the gate reads, once it has joined."""
        if self.controls.stage < 1:
            return []
        gamma, r = self.config.sera.gamma, self.sera.config.r
        rms = math.sqrt(self.label_square)
        z = [
            1.0,
            0.25 * min(reading["excess"], 4.0),
            between(self.margin.margin / self.margin.capital(), -1.0, 1.0),
            0.25 * between(log(reading["den"] * (1.0 - gamma)), -4.0, 4.0),
            between(log(reading["phi_l1"] / math.sqrt(r)), -1.0, 1.0),
            min(self.error / rms, 1.0) if rms > 0.0 else 0.0,
            0.125 * between(self.advantage, -8.0, 8.0),
        ]
        context = [(int(CONTEXT) | key & int(CONTEXT_MASK), 1.0) for key in event["context"]]
        return [(int(RESERVED) + k, x) for k, x in enumerate(z)] + context

    def attention(self, z: Inputs, reading: Row, x_sera: float) -> Inputs:
        """Reserved ids and values of attention as features, once it has joined."""
        if self.controls.stage < 2 or not self.controls.free:
            return []
        values = [z[1][1], z[2][1], z[3][1], z[4][1], x_sera]
        for y, square in zip(reading["others"], self.squares, strict=True):
            relative = y / math.sqrt(square) if square > 0.0 else 0.0
            values.append(between(relative, -5.0, 5.0))
        return [(int(RESERVED) + FEATURE + k, x) for k, x in enumerate(values)]

    def near_labels(self, y: float) -> float:
        """Bounded by the labels' range and as much again on either side."""
        if not self.labelled:
            return y
        width = self.label_max - self.label_min
        return between(y, self.label_min - width, self.label_max + width)

    def fuse_and_learn(  # noqa: PLR0915 - the formulas in their order
        self, event: Event, phi: list[float], reading: Row, row: Row, lr: float
    ) -> bool:
        """Fill the row's predictions, then learn from the label; whether the margin alarmed."""
        f, features, y = self.config.fusion, event["features"], event["label"]
        now, logistic = self.controls, self.config.logistic
        score = self.bias
        for key, x in features:
            score += self.weights[key] * x if key in self.weights else 0.0
        y_hlm = sigmoid(score) if logistic else score
        z = self.gate_inputs(event, reading)
        trust = f.gate_trust * (0.125 * between(self.advantage, -8.0, 8.0))
        open_gate = sigmoid(trust + self.weigh(z))
        gate = between(open_gate, min(f.g_min, now.g_max), now.g_max)

        y_sera, bounded, scale, per = reading["readout"], y_hlm, 1.0, 1.0
        if logistic:
            y_sera = between(y_sera, 1e-6, 1.0 - 1e-6)
            x_sera = between(logit(y_sera), -5.0, 5.0)
            attention = self.attention(z, reading, x_sera)
            x_linear = score + self.weigh(attention)
            linear = sigmoid(x_linear)
        else:
            scale = math.sqrt(self.label_square)
            per = 1.0 / scale if scale > 0.0 else 0.0
            x_sera = between(y_sera * per, -5.0, 5.0)
            attention = self.attention(z, reading, x_sera)
            bounded = self.near_labels(y_hlm)
            linear = self.near_labels(bounded + scale * self.weigh(attention))
            x_linear = linear * per
        x = [x_sera, between(x_linear, -5.0, 5.0), 1.0]
        meta = [(int(RESERVED) + META + k, v) for k, v in enumerate(x)]
        w_sera = self.weights.get(meta[0][0], 0.0)
        w_sera = w_sera if now.free else min(w_sera, 0.0)
        shift = w_sera * x[0] + self.weigh(meta[1:])
        y_gate = gate * y_sera + (1.0 - gate) * linear
        if logistic:
            y_meta = sigmoid(logit(between(y_gate, 1e-6, 1.0 - 1e-6)) + shift)
        else:
            y_meta = y_gate + scale * shift
        y_feature = linear if attention else y_hlm
        y_hat = {"gate": y_gate, "meta": y_meta, "feature": y_feature}[f.output]

        row |= {"y_hat": y_hat, "y_hlm": y_hlm, "y_sera": y_sera, "y_meta": y_meta, "gate": gate}
        row |= {"y_gate": y_gate, "y_feature": y_feature}
        row |= {"error": math.nan, "margin": self.margin.margin, "log_e": self.margin.log_e}
        row["actions"] = float(gate != open_gate)
        if y is None:
            return False
        row["error"] = y - y_hat
        self.learn_linear(features, y - (y_hat if f.learn_from == "fused" else y_hlm), lr)
        mixed = open_gate * y_sera + (1.0 - open_gate) * linear
        delta = (y - mixed) * (y_sera - linear) * (open_gate * (1.0 - open_gate))
        self.move(z, f.gate_lr * between(self.per_variance(delta, mixed), -1.0, 1.0))
        self.move_normalised(meta, f.meta_lr, (y - y_meta) * per)
        self.move_normalised(attention, f.feature_lr, (y - linear) * per)
        self.roll(y, y_hat, mixed, linear, y_sera, reading["others"])
        row["margin"], row["log_e"], alarm = self.margin.bet(self.sera, phi, y, reading["readout"])
        return alarm

    def per_variance(self, delta: float, p: float) -> float:
        """Over the variance of the label: Bernoulli's, or the rolling squared error."""
        if self.config.logistic:
            p = between(p, 1e-6, 1.0 - 1e-6)
            return delta / (p * (1.0 - p))
        return delta / self.square if self.square > 0.0 else 0.0

    def learn_linear(self, features: Inputs, error: float, lr: float) -> None:
        """Hlm's rule: decay what is touched, then step along the error."""
        decay, step = 1.0 - lr * self.config.hlm.l2, lr * error
        for key, x in features:
            self.weights[key] = decay * self.weights.get(key, 0.0) + step * x
        self.bias += step

    def roll(
        self,
        y: float,
        y_hat: float,
        mixed: float,
        linear: float,
        y_sera: float,
        others: list[float],
    ) -> None:
        """Update rolling errors, the labels' range, Sera's advantage, squares of the readout."""
        rolling = self.config.fusion.rolling
        gained = (y - linear) * (y - linear) - (y - y_sera) * (y - y_sera)
        if not self.config.logistic:
            gained = gained / (2.0 * self.square) if self.square > 0.0 else 0.0
        self.advantage = (1.0 - rolling) * self.advantage + between(gained, -1.0, 1.0)
        self.label_min = min(self.label_min, y) if self.labelled else y
        self.label_max = max(self.label_max, y) if self.labelled else y
        self.labelled += 1
        rate = max(rolling, 1.0 / self.labelled)
        self.error += rate * (abs(y - y_hat) - self.error)
        self.label_square += rate * (y * y - self.label_square)
        self.square += rate * ((y - mixed) * (y - mixed) - self.square)
        for v, other in enumerate(others):
            self.squares[v] += rate * (other * other - self.squares[v])
