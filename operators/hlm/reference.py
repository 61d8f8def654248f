"""Hlm in plain Python, with a dictionary: the definition that kernels must match bit for bit.

For tests, and for whoever ports the model. It needs neither numba nor numpy. ``ReferenceHlm`` is
the rule; the others differ from it in the one method that they replace.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from operators.numerics_reference import sigmoid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class ReferenceHlm:
    """The rule of operators/hlm/kernels_rule.py; every expression rounds as it is written."""

    def __init__(self, lr: float, l2: float, link: str) -> None:
        self.lr, self.l2, self.link = lr, l2, link
        self.bias = 0.0
        self.weights: dict[int, float] = {}

    def score(self, ids: Sequence[int], values: Sequence[float]) -> float:
        """Raw score of an event; an unknown id adds nothing."""
        score = self.bias
        for i, x in zip(ids, values, strict=True):
            if i in self.weights:
                score += self.weights[i] * x
        return score

    def predict(self, ids: Sequence[int], values: Sequence[float]) -> float:
        """Prediction for an event."""
        score = self.score(ids, values)
        return sigmoid(score) if self.link == "logistic" else score

    def update(
        self,
        ids: Sequence[int],
        values: Sequence[float],
        y: float,
        refused: Collection[int] = (),
    ) -> None:
        """Learn an event, but not its new ids that are ``refused``."""
        self.learn(ids, values, y - self.predict(ids, values), refused)

    def learn(
        self, ids: Sequence[int], values: Sequence[float], e: float, refused: Collection[int] = ()
    ) -> None:
        """Learn an event from its error."""
        step = self.lr * e
        decay = 1.0 - self.lr * self.l2
        for i, x in zip(ids, values, strict=True):
            if i in self.weights or i not in refused:
                self.weights[i] = decay * self.weights.get(i, 0.0) + step * x
        self.bias += step


class CompensatedHlm(ReferenceHlm):
    """Predictions by compensated summation."""

    def score(self, ids: Sequence[int], values: Sequence[float]) -> float:
        """Raw score; the rounding errors of the sum are added up apart (Neumaier)."""
        score, residual = self.bias, 0.0
        for i, x in zip(ids, values, strict=True):
            if i in self.weights:
                product = self.weights[i] * x
                total = score + product
                if abs(score) >= abs(product):
                    residual += (score - total) + product
                else:
                    residual += (product - total) + score
                score = total
        return score + residual


class AdagradHlm(ReferenceHlm):
    """Each weight has a rate of its own, which falls with the gradients that it met."""

    def __init__(self, lr: float, l2: float, link: str) -> None:
        super().__init__(lr, l2, link)
        self.squares: dict[int, float] = {}
        self.bias_squares = 0.0

    def learn(
        self, ids: Sequence[int], values: Sequence[float], e: float, refused: Collection[int] = ()
    ) -> None:
        """Learn an event from its error."""
        decay = 1.0 - self.lr * self.l2
        for i, x in zip(ids, values, strict=True):
            if i in self.weights or i not in refused:
                g = e * x
                self.squares[i] = self.squares.get(i, 0.0) + g * g
                moved = (self.lr * g) / (math.sqrt(self.squares[i]) + 1e-8)
                self.weights[i] = decay * self.weights.get(i, 0.0) + moved
        self.bias_squares += e * e
        self.bias += (self.lr * e) / (math.sqrt(self.bias_squares) + 1e-8)


def reference_for(
    *, lr: float, l2: float, link: str, rate: str = "constant", compensated: bool = False
) -> ReferenceHlm:
    """The definition of a configured model; AdaGrad and compensation are not defined together."""
    kind = AdagradHlm if rate == "adagrad" else CompensatedHlm if compensated else ReferenceHlm
    return kind(lr, l2, link)
