"""From logits to probabilities that mean what they say, and how that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.tags import SCORES, TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_RATES: Final = np.exp(np.linspace(np.log(0.2), np.log(5.0), 241))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on development messages after training.

    Attributes:
        temperatures: float64 [4]; a score is sigmoid((logit - shift) / temperature).
        shifts: float64 [4].
        least: for each tag, the confidence from which on a span of the model alone is reported.
        supported: the same where something beside the model speaks for it: a cue or its shape.
    """

    temperatures: NDArray[np.float64]
    shifts: NDArray[np.float64]
    least: Mapping[str, float]
    supported: Mapping[str, float]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` wrote."""
        return cls(
            np.array([value["temperatures"][name] for name in SCORES], float),
            np.array([value["shifts"][name] for name in SCORES], float),
            {kind: float(value["least"][kind]) for kind in TYPES},
            {kind: float(value["supported"][kind]) for kind in TYPES},
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "temperatures": dict(zip(SCORES, map(float, self.temperatures), strict=True)),
            "shifts": dict(zip(SCORES, map(float, self.shifts), strict=True)),
            "least": dict(self.least),
            "supported": dict(self.supported),
        }

    def chances(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities for logits [..., 4]."""
        scaled = (logits.astype(float) - self.shifts) / self.temperatures
        result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(scaled, -60, 60)))
        return result


def fit(logits: NDArray[np.floating], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Temperature and shift of one score by least log loss; a grid, refined around its best."""
    shifts = np.linspace(-3, 3, 121)
    best, found = np.inf, (1.0, 0.0)
    for shift in shifts:
        scaled = (logits.astype(float) - shift)[None, :] / _RATES[:, None]
        losses = np.logaddexp(0, np.where(labels, -scaled, scaled)).mean(1)
        place = int(losses.argmin())
        if losses[place] < best:
            best, found = losses[place], (float(_RATES[place]), float(shift))
    return found


def calibration_error(
    chances: NDArray[np.floating], labels: NDArray[np.bool_], bins: int = 15
) -> float:
    """Expected calibration error over bins of equal width."""
    places = np.minimum((chances * bins).astype(int), bins - 1)
    error = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            error += inside.mean() * abs(chances[inside].mean() - labels[inside].mean())
    return float(error)
