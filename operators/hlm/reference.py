"""Hlm in plain Python, with a dictionary: the definition that kernels must match bit for bit.

For tests, and for whoever ports the model. It needs neither numba nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.numerics_reference import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReferenceHlm:
    """The learning rule of operators/hlm/kernels.py; every expression rounds as it is written."""

    def __init__(self, lr: float, l2: float, link: str) -> None:
        self.lr, self.l2, self.link = lr, l2, link
        self.bias = 0.0
        self.weights: dict[int, float] = {}

    def predict(self, ids: Sequence[int], values: Sequence[float]) -> float:
        """Prediction for an event; an unknown id adds nothing."""
        score = self.bias
        for i, x in zip(ids, values, strict=True):
            if i in self.weights:
                score += self.weights[i] * x
        return sigmoid(score) if self.link == "logistic" else score

    def update(self, ids: Sequence[int], values: Sequence[float], y: float) -> None:
        """Learn an event."""
        step = self.lr * (y - self.predict(ids, values))
        decay = 1.0 - self.lr * self.l2
        for i, x in zip(ids, values, strict=True):
            self.weights[i] = decay * self.weights.get(i, 0.0) + step * x
        self.bias += step
