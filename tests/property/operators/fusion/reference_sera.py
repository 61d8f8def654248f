"""Sera in plain Python, from the definitions: lists and loops, one feature at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.numerics_reference import add_error, exp, log
from operators.philox import philox4x32
from operators.sera.features import random_features
from operators.sera.layout import STREAM_SKETCH

if TYPE_CHECKING:
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
        self.R, self.R_low = [[0.0] * r for _ in range(d_v)], [[0.0] * r for _ in range(d_v)]
        self.mean, self.variance = [0.0] * r, [0.0] * r
        self.ingested = self.vectors = self.guarded = self.clipped = 0
        self.max_exponent = -math.inf
        self.clip, self.clipped_before = config.clip, 0
        self.residual_r = self.residual_s = 0.0

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
        pull, y = lam * c.prior, []
        gap = difference = square = 0.0
        for R, R_low in zip(self.R, self.R_low, strict=True):
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
        ratio = half_diff / size
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

    def ingest(self, phi: list[float], value: list[float]) -> None:
        """Decay the statistics and add an event."""
        gamma = self.config.gamma

        def add(total: list[float], low: list[float], v: float) -> float:
            for i, p in enumerate(phi):
                kept, added = gamma * total[i], v * p
                low[i] = gamma * low[i] + add_error(kept, added)
                total[i] = kept + added
            return max(abs(x) for x in low)

        self.residual_r = max(
            add(R, R_low, v) for R, R_low, v in zip(self.R, self.R_low, value, strict=True)
        )
        self.residual_s = add(self.s, self.s_low, 1.0)
        rate = max(1.0 - gamma, 1.0 / (self.ingested + 1.0))
        for i, p in enumerate(phi):
            away = p - self.mean[i]
            self.mean[i] += rate * away
            self.variance[i] = (1.0 - rate) * (self.variance[i] + rate * (away * away))
        self.ingested += 1
