"""How far a policy's probabilities are shifted for one tenant, learnt from what its analysts do.

What is held back costs an analyst's time. The shift is steered so that a set share of what is held
turns out to be rightly held: with y the probability that an analyst will confirm, predicted of each
held message by a learner that analysts teach,

    shift ← clip(shift + rate · (y - target), -limit, limit)

a Robbins-Monro step (H. Robbins, S. Monro, 1951) towards E[y | held] = target. Above 0 the policy
is stricter than its file says, below 0 more lenient. Nothing moves before analysts have said enough
for y to mean something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steering:
    """What moves a shift, and how far.

    Attributes:
        target: share of what is held that is to be confirmed, in (0, 1).
        rate: logits that a prediction of 0 or 1 moves, times its distance from the target.
        limit: most logits either way.
        least_labels: labels without which nothing moves.
    """

    target: float = 0.5
    rate: float = 0.05
    limit: float = 2.0
    least_labels: int = 20


@dataclass(slots=True)
class Thresholds:
    """What is known of a tenant.

    Attributes:
        shift: in logits.
        labels: verdicts that an analyst confirmed or released.
        confirmed: those of them that were confirmed.
        predictions: predictions of held messages so far.
    """

    shift: float = 0.0
    labels: int = 0
    confirmed: int = 0
    predictions: int = 0

    def labelled(self, label: float) -> None:
        """Count what an analyst said: 1 confirmed, 0 released."""
        self.labels += 1
        self.confirmed += label >= 0.5  # noqa: PLR2004 - the middle between the two

    def predicted(self, chance: float, steering: Steering) -> None:
        """Move by the probability, of a message that was held, that an analyst will confirm it.

        Args:
            chance: as predicted; a linear learner may leave [0, 1], and is brought back to it.
            steering: how far.
        """
        self.predictions += 1
        if self.labels < steering.least_labels or math.isnan(chance):
            return
        moved = self.shift + steering.rate * (min(1.0, max(0.0, chance)) - steering.target)
        self.shift = min(steering.limit, max(-steering.limit, moved))


def shifted(chance: float, by: float) -> float:
    """Move a probability by logits; 0 and 1 stay, and so does everything where there is no shift.

    Args:
        chance: in [0, 1].
        by: logits.
    """
    if by == 0.0 or chance in {0.0, 1.0}:
        return chance
    return 1.0 / (1.0 + math.exp(-(math.log(chance) - math.log1p(-chance) + by)))
