"""Sera in plain Python, from the definitions: lists and loops, one feature at a time."""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.numerics_reference import add_error, exp, log
from operators.philox import philox4x32
from operators.sera.features import orthonormal, random_features
from operators.sera.layout import STREAM_SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operators.sera.config import SeraConfig

Row = dict[str, Any]


class Seen(NamedTuple):
    """Clipped exponents of a projection, the largest exponent, and whether the guard shortened."""

    clipped: int
    top: float
    guarded: int


def between(x: float, low: float, high: float) -> float:
    """``x``, or the bound that it is beyond."""
    return low if x < low else min(x, high)


def tree_sum(high: list[float], low: list[float]) -> tuple[float, float]:
    """Compensated sum: the upper half is added to the lower until one number is left."""
    high, low = list(high), list(low)
    while len(high) > 1:
        kept = (len(high) + 1) // 2
        for i in range(len(high) - kept):
            low[i] = (low[i] + low[i + kept]) + add_error(high[i], high[i + kept])
            high[i] = high[i] + high[i + kept]
        high, low = high[:kept], low[:kept]
    return high[0], low[0]


def in_turn(terms: Iterable[float]) -> float:
    """Sum of terms one after the other, without compensation."""
    total = 0.0
    for term in terms:
        total += term
    return total


def plain_tree_sum(terms: list[float]) -> float:
    """Sum of the same shape, without compensation."""
    while len(terms) > 1:
        kept = (len(terms) + 1) // 2
        upper = [*terms[kept:], *[0.0] * (2 * kept - len(terms))]
        paired = zip(terms[:kept], upper, strict=True)
        terms = [a + b if i < len(terms) - kept else a for i, (a, b) in enumerate(paired)]
    return terms[0]


class ReferenceSera:
    """Statistics of a Sera."""

    def __init__(self, config: SeraConfig, seed: int) -> None:
        self.config = config
        weights, offsets = random_features(config, seed)
        self.W, self.offsets = weights.T.tolist(), offsets.tolist()
        sketch_key, _ = philox4x32(np.uint64(seed), STREAM_SKETCH, np.uint64(0))
        self.sketch_key = int(sketch_key)
        r, d_v = config.r, config.d_v
        self.s, self.s_low = [0.0] * r, [0.0] * r
        rows = 0 if config.lowrank else d_v
        self.R, self.R_low = [[0.0] * r for _ in range(rows)], [[0.0] * r for _ in range(rows)]
        basis = orthonormal(d_v, config.r_v, seed)
        self.U = basis.tolist()
        self.H, self.H_low = ([[0.0] * r for _ in range(config.r_v)] for _ in range(2))
        self.priors, self.prior = [config.prior] * d_v, config.prior
        if config.lowrank:
            self.priors = [config.prior * math.fsum(column) for column in basis.T]
            self.prior = math.fsum(u * p for u, p in zip(self.U[0], self.priors, strict=True))
        self.shrinkage = ReferenceShrinkage(config, self.prior)
        self.mean, self.variance = [0.0] * r, [0.0] * r
        self.ingested = self.vectors = self.guarded = self.clipped = 0
        self.max_exponent = -math.inf
        self.clip, self.clipped_before = config.clip, 0
        self.residual_r = self.residual_s = 0.0

    def first_row(self, i: int) -> float:
        """Statistic ``i`` of the values' first component."""
        if self.R:
            return self.R[0][i]
        return in_turn(u * H[i] for u, H in zip(self.U[0], self.H, strict=True))

    def learn(self, key: list[float], value: list[float], target: float | None) -> None:
        """Ingest an event that nobody asked about."""
        phi, seen = self.project(key)
        self.count(seen)
        if self.config.lambda_rule == "average" and target is not None:
            reading = self.read(phi, self.shrinkage.now, self.config.beta_floor)
            self.shrinkage.follow(reading, target)
        self.ingest(phi, value)

    def sketch(self, features: list[tuple[int, float]]) -> list[float]:
        """Signed count-sketch of sparse features."""
        d = self.config.d
        out, mask = [0.0] * d, 2**64 - 1
        for key, x in features:
            h = key ^ self.sketch_key
            h = ((h ^ h >> 30) * 0xBF58476D1CE4E5B9) & mask
            h = ((h ^ h >> 27) * 0x94D049BB133111EB) & mask
            h ^= h >> 31
            out[(h >> 32) * d >> 32] += x if h & 1 else -x
        return out

    def project(self, x: list[float]) -> tuple[list[float], Seen]:
        """Features of a vector, and what computing them showed."""
        c = self.config
        scale = 1.0 / math.sqrt(c.temperature)
        u = [v * scale for v in x]
        square = 0.0
        for v in u:
            square += v * v
        guarded = square > c.norm_radius
        if guarded:
            shrink = math.sqrt(c.norm_radius / square)
            u, square = [v * shrink for v in u], c.norm_radius
        norm, half = 1.0 / math.sqrt(c.r), 0.5 * square
        phi, clipped, top = [], 0, -math.inf
        for w, offset in zip(self.W, self.offsets, strict=True):
            g = offset
            for wj, uj in zip(w, u, strict=True):
                g += wj * uj
            g -= half
            top = max(top, g)
            clipped += abs(g) > self.clip
            phi.append(norm * exp(between(g, -self.clip, self.clip)))
        return phi, Seen(clipped, top, int(guarded))

    def count(self, seen: Seen) -> None:
        """Add a projection to the tallies."""
        self.vectors += 1
        self.clipped += seen.clipped
        self.guarded += seen.guarded
        self.max_exponent = max(self.max_exponent, seen.top)
        if self.config.tune_clip and self.vectors % 64 == 0:
            rate = (self.clipped - self.clipped_before) / (64.0 * self.config.r)
            self.clipped_before = self.clipped
            if rate > 0.01:
                self.clip = min(self.clip * 1.05, 50.0)
            elif rate < 0.001:
                self.clip = max(self.clip / 1.05, 0.1)

    def read(self, phi: list[float], lambda_star: float, beta_floor: float) -> Row:
        """Readout and diagnostics for the features of a query."""
        c = self.config
        half = c.r // 2
        if c.whiten:
            phi = [p / math.sqrt(v + c.epsilon) for p, v in zip(phi, self.variance, strict=True)]

        def dot(total: list[float], low: list[float]) -> list[tuple[float, float]]:
            highs = [p * t for p, t in zip(phi, total, strict=True)]
            lows = [p * t for p, t in zip(phi, low, strict=True)]
            return [tree_sum(highs[:half], lows[:half]), tree_sum(highs[half:], lows[half:])]

        def plus(high: float, low: float, x: float) -> float:
            return (high + x) + (add_error(high, x) + low)

        (s1, s1_low), (s2, s2_low) = dot(self.s, self.s_low)
        mass, mass_low = s1 + s2, add_error(s1, s2) + (s1_low + s2_low)
        known = mass + mass_low
        lam = beta_floor - known if known + lambda_star < beta_floor else lambda_star
        den, den1, den2 = (
            plus(mass, mass_low, lam),
            plus(s1, s1_low, 0.5 * lam),
            plus(s2, s2_low, 0.5 * lam),
        )
        y = []
        gap = difference = square = 0.0
        statistics, lows = (self.H, self.H_low) if c.lowrank else (self.R, self.R_low)
        for R, R_low, prior in zip(statistics, lows, self.priors, strict=True):
            pull = lam * prior
            (n1, n1_low), (n2, n2_low) = dot(R, R_low)
            total, total_low = n1 + n2, add_error(n1, n2) + (n1_low + n2_low)
            y.append(plus(total, total_low, pull) / den)
            y1, y2 = plus(n1, n1_low, 0.5 * pull) / den1, plus(n2, n2_low, 0.5 * pull) / den2
            gap += (y[-1] - 0.5 * (y1 + y2)) * (y[-1] - 0.5 * (y1 + y2))
            difference += (y1 - y2) * (y1 - y2)
            square += y[-1] * y[-1]
        l1, l1_low = tree_sum(phi, [0.0] * c.r)
        size, half_diff = math.sqrt(square) + c.epsilon, 0.5 * math.sqrt(difference)
        bound = math.sqrt(log(max(float(self.ingested), math.e) / c.delta) / c.r)
        ratio = math.sqrt(gap) / size if c.policy == "rj_gap" else half_diff / size
        if c.lowrank:
            y = [in_turn(u * x for u, x in zip(row, y, strict=True)) for row in self.U]
        return {
            "readout": y[0],
            "others": y[1:],
            "den": den,
            "lam": lam,
            "phi_l1": l1 + l1_low,
            "rj_gap": math.sqrt(gap) / size,
            "half_diff": half_diff,
            "rj_level": (ratio > c.c_yellow * bound) + (ratio > c.c_red * bound),
            "excess": ratio / (c.c_yellow * bound),
        }

    def ingest(self, phi: list[float], value: list[float]) -> bool:
        """Decay the statistics and add an event; whether a residual is above its limit."""
        gamma = self.config.gamma

        def add(total: list[float], low: list[float], v: float) -> float:
            for i, p in enumerate(phi):
                kept, added = gamma * total[i], v * p
                low[i] = gamma * low[i] + add_error(kept, added)
                total[i] = kept + added
            return max(abs(x) for x in low)

        def share(residual: float, totals: list[list[float]]) -> float:
            size = max((abs(x) for total in totals for x in total), default=0.0)
            if residual <= 1e-290:
                return 0.0
            return residual / size if size > residual else 1.0

        values = value if self.R else []
        of_R = max(
            (add(*each) for each in zip(self.R, self.R_low, values, strict=True)), default=0.0
        )
        reduced = [
            in_turn(row[k] * v for row, v in zip(self.U, value, strict=True))
            for k in range(self.config.r_v)
        ]
        of_H = max(
            (add(*each) for each in zip(self.H, self.H_low, reduced, strict=True)), default=0.0
        )
        self.residual_r = max(of_R, of_H)
        self.residual_s = add(self.s, self.s_low, 1.0)
        worst = max(share(of_R, self.R), share(of_H, self.H), share(self.residual_s, [self.s]))
        rate = max(1.0 - gamma, 1.0 / (self.ingested + 1.0))
        for i, p in enumerate(phi):
            away = p - self.mean[i]
            self.mean[i] += rate * away
            self.variance[i] = (1.0 - rate) * (self.variance[i] + rate * (away * away))
        self.ingested += 1
        return worst > self.config.residual_limit


class ReferenceShrinkage:
    """lambda_*: the average of a grid around quantiles of the denominators."""

    def __init__(self, config: SeraConfig, prior: float) -> None:
        self.config, self.prior = config, prior
        self.now = config.lambda_star
        self.quantiles, self.envelope, self.square = [0.0] * 3, 0.0, 0.0
        self.losses, self.reads = [0.0] * 6, 0

    def candidates(self) -> list[float]:
        """The grid."""
        low, middle, high = self.quantiles
        grid = [0.0 * low, low / 64.0, low / 16.0, middle / 8.0, middle / 4.0, high / 2.0]
        return [min(candidate, 0.5 * self.envelope) for candidate in grid]

    def follow(self, reading: Row, target: float) -> None:
        """Score the candidates, then set lambda_* for the next event."""
        c, y, den, lam = self.config, reading["readout"], reading["den"], reading["lam"]
        mass = den - lam
        if not mass > 0.0:
            return
        numerator = y * den - lam * self.prior
        for j, candidate in enumerate(self.candidates()):
            weight = max(candidate, c.beta_floor - mass)
            miss = (numerator + weight * self.prior) / (mass + weight) - target
            loss = min(miss * miss / self.square, 16.0) if self.square > 0.0 else 0.0
            self.losses[j] = c.gamma * self.losses[j] + loss
        self.reads += 1
        rate = 1.0 - c.gamma
        pace = max(rate, 1.0 / self.reads)
        self.square += pace * ((y - target) * (y - target) - self.square)
        if self.reads == 1:
            self.quantiles, self.envelope = [mass] * 3, mass
        else:
            self.quantiles = [
                q * (1.0 + pace * (p - float(mass < q)))
                for q, p in zip(self.quantiles, (0.1, 0.5, 0.9), strict=True)
            ]
            self.envelope = min(mass, self.envelope * (1.0 + rate))
        least = min(self.losses)
        shares = [exp(0.5 * (least - loss)) for loss in self.losses]
        self.now = in_turn(map(mul, shares, self.candidates())) / in_turn(shares)
