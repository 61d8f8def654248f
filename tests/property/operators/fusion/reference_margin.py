"""The margin in plain Python: its epochs, what they are scored against, and the bets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from operators.numerics_reference import log
from operators.philox import philox4x32, uniform
from operators.sera.conformal import BETS, BINS, FIRST_ON_SPREAD, SETTLING, TIRING, WAKING
from operators.sera.layout import STREAM_TIES
from tests.property.operators.fusion.reference_sera import ReferenceSera, plain_tree_sum

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig


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
        self.referred: int | None = None
        self.centre = self.spread = 0.0

    def capital(self) -> float:
        """Margin at the start of the epoch."""
        return 2.0 * log(self.epoch + 1.0) - self.log_alpha

    def bet(
        self, sera: ReferenceSera, phi: list[float], y: float, live: float, own: int | None = None
    ) -> tuple[float, float, bool]:
        """Margin and log E_mix after an event, and whether it was an alarm.

        ``own`` is the number of the event's value, if that was ingested before the label came.
        """
        self.seen += 1
        if self.seen <= self.burn_in:
            self.follow(y - live)
            return self.margin, self.log_e, False
        if self.referred is None:
            self.R, self.s = [sera.first_row(i) for i in range(len(phi))], list(sera.s)
            self.prior, self.referred = sera.prior, sera.ingested
        if own is not None and own <= self.referred:
            self.seen -= 1
            return self.margin, self.log_e, False
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
