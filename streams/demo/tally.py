"""Predictions as they come: who was right, how the two halves share, and who came how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.scores import LEARNERS, RECENT, Scoreboard

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.demo.traffic import EventName

SAMPLE_EVENTS = 25
"""Predictions between two points of a curve."""


class Sample(NamedTuple):
    """One point of the curves of a problem.

    Attributes:
        events: predictions of the problem so far.
        accuracy: share of right answers over about the last 100, by learner.
        gate: mean weight of the attention half over the same.
    """

    events: int
    accuracy: Mapping[str, float]
    gate: float


@dataclass(slots=True)
class ProblemTally:
    """What is known of one problem.

    Attributes:
        scores: over all predictions.
        first_time: over those of rows that had not been sent before.
        samples: curves.
    """

    scores: Scoreboard = field(default_factory=Scoreboard)
    first_time: Scoreboard = field(default_factory=Scoreboard)
    samples: list[Sample] = field(default_factory=list)
    _gate_sum: float = 0.0
    _gate_weight: float = 0.0

    @property
    def gate(self) -> float:
        """Mean weight of the attention half over about the last 100 predictions."""
        return self._gate_sum / self._gate_weight if self._gate_weight else 0.5

    def judge(self, prediction: Mapping[str, Any], *, is_first_time: bool) -> None:
        """Take one prediction."""
        self.scores.judge(prediction)
        if is_first_time:
            self.first_time.judge(prediction)
        self._gate_sum = RECENT * self._gate_sum + prediction["gate"]
        self._gate_weight = RECENT * self._gate_weight + 1
        if self.scores.labels % SAMPLE_EVENTS == 0:
            accuracy = {name: score.recent_accuracy for name, score in self.scores.scores.items()}
            self.samples.append(Sample(self.scores.labels, accuracy, self.gate))


class Tally:
    """What is known of all problems.

    Args:
        problems: their names.
        first_time: events whose row was not sent before.

    Attributes:
        problems: by name.
        seen: how often each event was predicted.
    """

    def __init__(self, problems: Collection[str], first_time: Collection[EventName]) -> None:
        self.problems = {name: ProblemTally() for name in problems}
        self.seen: Counter[EventName] = Counter()
        self._first_time = first_time

    def judge(self, prediction: Mapping[str, Any]) -> None:
        """Take one prediction, as it was published."""
        name = (prediction["tenant"], prediction["event_id"])
        self.seen[name] += 1
        self.problems[name[0]].judge(prediction, is_first_time=name in self._first_time)


def better_half(scores: Scoreboard) -> str:
    """Return the half with the smaller squared error."""
    halves = [name for name in LEARNERS if name != "fused"]
    return min(halves, key=lambda name: scores.scores[name].rmse)
