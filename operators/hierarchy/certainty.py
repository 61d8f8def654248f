"""How sure partial verdicts may be: probabilities by how much of a text has been read.

A score early in a text and a span at its last token are worth less than later on. Scores are
calibrated by how many tokens of the text have come, spans of the causal network by how many have
come after them, each range with a temperature and a shift of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.tags import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

READ: Final = (0, 64, 192, 512)
"""Tokens read, the opening's included, from which on each range goes."""
AFTER: Final = (0, 1, 8)
"""Tokens read after a span, likewise."""
_MOST: Final = 60.0
_EDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Certainty:
    """What was fitted on development streams after training.

    Attributes:
        scores: temperature and shift of each score by tokens read, float64 [4, 4, 2].
        spans: the same of spans by tokens after them, float64 [3, 2].
        turn: chance of another topic from which on a topic ends.
    """

    scores: NDArray[np.float64]
    spans: NDArray[np.float64]
    turn: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Certainty:
        """Read what `to_json` wrote."""
        scores = [[row[name] for name in SCORES] for row in value["scores"]]
        return cls(np.array(scores, float), np.array(value["spans"], float), float(value["turn"]))

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        rows = [dict(zip(SCORES, row, strict=True)) for row in self.scores.tolist()]
        return {"scores": rows, "spans": self.spans.tolist(), "turn": self.turn}

    def chances(self, logits: NDArray[np.floating], read: int) -> NDArray[np.float64]:
        """Probabilities of the scores [4] of a text of which so many tokens have been read."""
        temperature, shift = self.scores[range_of(READ, read)].T
        return _sigmoid((logits.astype(float) - shift) / temperature)

    def confidence(self, found: float, after: int) -> float:
        """Probability that a span is one, by its confidence and how many tokens follow it."""
        temperature, shift = self.spans[range_of(AFTER, after)]
        return float(_sigmoid(np.array((logit(found) - shift) / temperature)))


def range_of(starts: tuple[int, ...], count: int) -> int:
    """Number of the range that a count is in."""
    return bisect_right(starts, count) - 1


def logit(chance: float) -> float:
    """Of a probability, which is kept off 0 and 1."""
    kept = min(max(chance, _EDGE), 1 - _EDGE)
    return float(np.log(kept / (1 - kept)))


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(values, -_MOST, _MOST)))
    return found
