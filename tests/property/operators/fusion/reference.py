"""The whole step in plain Python, from the definitions: dictionaries, lists and loops.

It says what a cell must compute, operation by operation. Weights live in a dictionary by id; there
is no table that fills up, no batch and no vector instruction.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from operators.fusion import codes
from operators.fusion.layout import CONTEXT, CONTEXT_MASK, FEATURE, META, RESERVED
from operators.fusion.outputs import Action
from operators.numerics_reference import log, sigmoid
from tests.property.operators.fusion.reference_controller import ReferenceController, Shown
from tests.property.operators.fusion.reference_margin import ReferenceMargin
from tests.property.operators.fusion.reference_sera import (
    ReferenceSera,
    Row,
    Seen,
    between,
)

if TYPE_CHECKING:
    from operators.fusion.cell import CellConfig, Seeds

Event = dict[str, Any]
Inputs = list[tuple[int, float]]


class Made(NamedTuple):
    """A prediction that was made, and what learning from a label needs of how it came about.

    ``ingested`` is what Sera had ingested, and ``sera`` the one that was read.
    """

    reading: Row
    z: Inputs
    meta: Inputs
    attention: Inputs
    predictions: Row
    bounded: float
    linear: float
    open_gate: float
    per: float
    ingested: int
    sera: ReferenceSera


def logit(p: float) -> float:
    """Inverse of the logistic function."""
    return log(p / (1.0 - p))


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
        return self.predict(event, crowded=crowded)[0]

    def predict(self, event: Event, *, crowded: bool = False) -> tuple[Row, Made]:
        """Predict an event, and learn it if it has its label; its row, and the prediction."""
        sera, now = self.sera, self.controls
        phi, seen = self.project_query(event)
        lambda_star = self.lambda_star()
        reading = sera.read(phi, lambda_star, now.beta)
        row: Row = {name: reading[name] for name in ("den", "phi_l1", "rj_gap", "half_diff")}
        row["rj_level"] = float(reading["rj_level"])
        row |= self.in_force()
        made, clamped = self.fuse(event, reading)
        row |= made.predictions
        row |= {"error": math.nan, "margin": self.margin.margin, "log_e": self.margin.log_e}
        value, y = event["value"], event["label"]
        alarm = y is not None and self.learn(event, y, made, phi, row, None)
        counted = [seen]
        if value is None and y is not None and self.config.sera.d_v == 1:
            value = [y]
        residual = False
        if value is not None:
            if event["query"] is not None and event["key"] is not None:
                phi, also_seen = sera.project(event["key"])
                counted.append(also_seen)
            residual = sera.ingest(phi, value)
        for one in counted:
            sera.count(one)
        shown = Shown(
            predicted=True, alarm=alarm, red=reading["rj_level"] == 2,
            floored=reading["lam"] > lambda_star, labelled=y is not None,
            tested=self.margin.seen > self.margin.burn_in,
            margin=row["margin"] / self.margin.capital(), crowded=crowded, diverged=False,
        )  # fmt: skip
        self.close(event, value, row, shown, residual=residual)
        row["actions"] += float(clamped)
        return row, made

    def late(self, event: Event, y: float, made: Made, *, crowded: bool = False) -> Row:
        """Learn a label that came after its event; the row of that step.

        Args:
            event: as it was, without a label.
            y: the label.
            made: what ``predict`` gave for the event.
            crowded: whether Hlm's table had to overflow.
        """
        sera, value = self.sera, None
        row: Row = dict.fromkeys(("den", "phi_l1", "rj_gap", "half_diff", "rj_level"), 0.0)
        row |= self.in_force() | made.predictions
        phi, _ = self.project_query(event)
        own = None if event["value"] is None else made.ingested + 1
        alarm = self.learn(event, y, made, phi, row, own)
        residual = False
        if event["value"] is None and self.config.sera.d_v == 1:
            value = [y]
            if event["query"] is not None and event["key"] is not None:
                phi, seen = sera.project(event["key"])
                sera.count(seen)
            residual = sera.ingest(phi, value)
        shown = Shown(
            predicted=False, alarm=alarm, red=False, floored=False, labelled=True,
            tested=self.margin.seen > self.margin.burn_in,
            margin=row["margin"] / self.margin.capital(), crowded=crowded, diverged=False,
        )  # fmt: skip
        self.close(event | {"label": y}, value, row, shown, residual=residual)
        return row

    def project_query(self, event: Event) -> tuple[list[float], Seen]:
        """Features of the event's query, and what computing them showed."""
        vector = event["query"] if event["query"] is not None else event["key"]
        return self.sera.project(self.sera.sketch(event["features"]) if vector is None else vector)

    def lambda_star(self) -> float:
        """What labels tell, and the controller's increments on top."""
        return self.sera.shrinkage.now + (self.controls.lam - self.config.sera.lambda_star)

    def in_force(self) -> Row:
        """Settings, controls and versions that a row has."""
        sera, now = self.sera, self.controls
        return {
            "lambda_star": self.lambda_star(),
            "r": float(sera.config.r),
            "tau": sera.config.temperature,
            "clip": sera.clip,
            "beta_floor": now.beta,
            "g_max": now.g_max,
            "lr": self.config.hlm.lr * now.share,
            "tau_low": now.tau_low,
            "stage": float(now.stage),
            "ver_sera": float(sera.ingested),
        }

    def close(
        self, event: Event, value: list[float] | None, row: Row, shown: Shown, *, residual: bool
    ) -> None:
        """Let the controller decide, count the step, and fill what the row says of health."""
        sera, decided = self.sera, self.controls.advance(shown)
        self.steps += 1
        row["step"] = float(self.steps)
        row["clip_rate"] = sera.clipped / (sera.vectors * sera.config.r)
        row["norm_guard_rate"] = sera.guarded / sera.vectors
        row["max_exponent"] = sera.max_exponent
        row["residual_r"], row["residual_s"] = sera.residual_r, sera.residual_s
        happened = self.succeed(event, value, persisted=Action.RED_PERSISTED in decided)
        row["actions"] = float(int(decided) | codes.SERA_RESIDUAL * residual | happened)

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

    def fuse(self, event: Event, reading: Row) -> tuple[Made, bool]:
        """The prediction, and whether the clamp changed the gate."""
        f, features = self.config.fusion, event["features"]
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

        predictions = {"y_hat": y_hat, "y_hlm": y_hlm, "y_sera": y_sera, "y_meta": y_meta}
        predictions |= {"y_gate": y_gate, "y_feature": y_feature, "gate": gate}
        made = Made(
            reading, z, meta, attention, predictions, bounded, linear, open_gate, per,
            self.sera.ingested, self.sera,
        )  # fmt: skip
        return made, gate != open_gate

    def learn(
        self, event: Event, y: float, made: Made, phi: list[float], row: Row, own: int | None
    ) -> bool:
        """Learn from the label what was predicted; whether the margin alarmed."""
        f, linear, open_gate = self.config.fusion, made.linear, made.open_gate
        y_hat, y_hlm, y_sera, y_meta = (
            made.predictions[name] for name in ("y_hat", "y_hlm", "y_sera", "y_meta")
        )
        row["error"] = y - y_hat
        lr = self.config.hlm.lr * self.controls.share
        self.learn_linear(event["features"], y - (y_hat if f.learn_from == "fused" else y_hlm), lr)
        mixed = open_gate * y_sera + (1.0 - open_gate) * linear
        delta = (y - mixed) * (y_sera - linear) * (open_gate * (1.0 - open_gate))
        self.move(made.z, f.gate_lr * between(self.per_variance(delta, mixed), -1.0, 1.0))
        self.move_normalised(made.meta, f.meta_lr, (y - y_meta) * made.per)
        self.move_normalised(made.attention, f.feature_lr, (y - linear) * made.per)
        self.roll(y, y_hat, mixed, linear, y_sera, made.reading["others"])
        live = made.reading["readout"]
        row["margin"], row["log_e"], alarm = self.margin.bet(self.sera, phi, y, live, own)
        if self.config.sera.lambda_rule == "average" and made.sera is self.sera:
            self.sera.shrinkage.follow(made.reading, y)
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
