"""Progressive scores: each prediction is judged before its label is learnt from.

The fused learner stands beside its two halves and beside a baseline that knows labels only: it
answers their mean so far, which as a classification is the majority class so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LEARNERS = {"fused": "y_hat", "linear": "y_hlm", "attention": "y_sera"}
"""Learner → field of the prediction that is its answer."""

BASELINE = "baseline"
RECENT = 0.99
"""Decay of the recent scores: an effective window of 100 labels."""


@dataclass(slots=True)
class Score:
    """Of one learner.

    Attributes:
        count: labels judged.
        hits: classifications at 0.5 that were right.
        squares: sum of squared errors.
        recent_hits: decayed share of hits.
    """

    count: int = 0
    hits: int = 0
    squares: float = 0.0
    recent_hits: float = 0.0
    recent_weight: float = 0.0

    def judge(self, answer: float, label: float) -> None:
        """Take one answer and its label."""
        hit = (answer > 0.5) == (label > 0.5)  # noqa: PLR2004 - the decision boundary
        self.count += 1
        self.hits += hit
        self.squares += (answer - label) ** 2
        self.recent_hits = RECENT * self.recent_hits + hit
        self.recent_weight = RECENT * self.recent_weight + 1

    @property
    def accuracy(self) -> float:
        """Share of right classifications; NaN before the first label."""
        return self.hits / self.count if self.count else math.nan

    @property
    def recent_accuracy(self) -> float:
        """The same over the latest labels."""
        return self.recent_hits / self.recent_weight if self.recent_weight else math.nan

    @property
    def rmse(self) -> float:
        """Root of the mean squared error; for probabilities the root of the Brier score."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


@dataclass(slots=True)
class Scoreboard:
    """Scores of the learners over one stream of predictions.

    Attributes:
        scores: by learner, the baseline last.
        binary: whether every label so far was 0 or 1.
    """

    scores: dict[str, Score] = field(
        default_factory=lambda: {name: Score() for name in (*LEARNERS, BASELINE)}
    )
    binary: bool = True
    _labels: int = 0
    _sum: float = 0.0

    def judge(self, prediction: Mapping[str, Any]) -> None:
        """Take a published prediction; one without a label is passed over."""
        label = prediction["label"]
        if label is None:
            return
        self.binary = self.binary and label in (0.0, 1.0)
        for name, answer in LEARNERS.items():
            self.scores[name].judge(prediction[answer], label)
        self.scores[BASELINE].judge(self._sum / self._labels if self._labels else 0.0, label)
        self._labels += 1
        self._sum += label

    @property
    def labels(self) -> int:
        """Labels judged."""
        return self._labels

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return the scores as plain numbers, by learner."""
        return {
            name: {"accuracy": score.accuracy, "rmse": score.rmse, "labels": score.count}
            if self.binary
            else {"rmse": score.rmse, "labels": score.count}
            for name, score in self.scores.items()
        }
