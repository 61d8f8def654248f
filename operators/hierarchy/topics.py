"""Where a growing text begins to be about something else: a light classifier on its sentences.

A sentence is pooled into what it is about by softmax of a learnt score, as a running sum, and
compared with the sentence before it and with the mean of the last `HISTORY`. In double precision
and in one order of operations: the same bits on every machine and however the tokens come.
Training is `operators.dlp.network.topics`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from operators import numerics
from operators.compiled import kernel
from operators.errors import StateMismatch
from operators.hierarchy.linear import add_product, copied, silu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

HISTORY: Final = 6
"""Sentences that a sentence is compared with."""
_WITH_OPENING: Final = 2
_LOWEST: Final = -1e9
_EPSILON: Final = 1e-5
"""Of PyTorch's layer norm."""
_SCALARS: Final = 3


class TopicWeights(NamedTuple):
    """Weights in double precision, linear layers as [input, output].

    Attributes:
        entry: [tokens, width], its bias [width].
        query: [tokens]; its bias cancels out.
        gain: of the norm, [width], and its bias.
        judge: two layers, with biases.
    """

    entry: Doubles
    entry_bias: Doubles
    query: Doubles
    gain: Doubles
    gain_bias: Doubles
    judge: Doubles
    judge_bias: Doubles
    judge_out: Doubles
    judge_out_bias: Doubles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From PyTorch's state by name, as arrays."""

        def linear(name: str) -> Doubles:
            return np.ascontiguousarray(arrays[f"{name}.weight"].T, np.float64)

        def vector(name: str) -> Doubles:
            return np.ascontiguousarray(arrays[name].reshape(-1), np.float64)

        return cls(
            linear("entry"), vector("entry.bias"), vector("query.weight"),
            vector("norm.weight"), vector("norm.bias"),
            linear("judge.0"), vector("judge.0.bias"), linear("judge.2"), vector("judge.2.bias"),
        )  # fmt: skip


class _Arrays(NamedTuple):
    scalars: Doubles  # greatest score, sum of weights, sentences that have ended
    total: Doubles
    history: Doubles


class Topics:
    """The sentences of one stream.

    Args:
        weights: trained.
        state: from `to_bytes`; none for a new stream.

    Raises:
        StateMismatch: the state is of another width.
    """

    def __init__(self, weights: TopicWeights, state: bytes | None = None) -> None:
        self._weights = weights
        width = len(weights.gain)
        self._flat = np.zeros(self.size(weights) // 8)
        if state is not None:
            if len(state) != self._flat.nbytes:
                raise StateMismatch(
                    f"topics of {self._flat.nbytes} bytes, the state has {len(state)}: it was "
                    "made with other weights"
                )
            self._flat[:] = np.frombuffer(state)
        scalars, total, history = np.split(self._flat, (_SCALARS, _SCALARS + width))
        self._arrays = _Arrays(scalars, total, history.reshape(HISTORY, width))
        if state is None:
            scalars[0] = _LOWEST
        self._scratch = np.zeros((3, max(7 * width, len(weights.judge_bias))))

    @staticmethod
    def size(weights: TopicWeights) -> int:
        """Bytes of a state."""
        return 8 * (_SCALARS + (1 + HISTORY) * len(weights.gain))

    def to_bytes(self) -> bytes:
        """All that has to be kept."""
        return self._flat.tobytes()

    def tokens(self, hidden: NDArray[np.floating]) -> None:
        """Pool tokens into the sentence; their last representations are [tokens, width]."""
        for row in hidden.astype(np.float64):
            _token(self._weights, self._arrays, row, self._scratch)

    def shift(self) -> float:
        """The chance that the sentence, as far as it has come, begins another topic.

        It is 0 for the opening and the first sentence of the text.
        """
        scalars = self._arrays.scalars
        if scalars[2] < _WITH_OPENING or not scalars[1]:
            return 0.0
        return float(_shift(self._weights, self._arrays, self._scratch))

    def close(self) -> None:
        """End the sentence; one without tokens changes nothing."""
        if self._arrays.scalars[1]:
            _close(self._weights, self._arrays, self._scratch)


@kernel
def _token(weights: TopicWeights, arrays: _Arrays, row: Doubles, scratch: Doubles) -> None:
    width = arrays.total.shape[0]
    item = scratch[0, :width]
    copied(weights.entry_bias, item)
    add_product(row, weights.entry, item)
    score = 0.0
    for i in range(row.shape[0]):
        score += row[i] * weights.query[i]
    peak = max(arrays.scalars[0], score)
    old, new = numerics.exp(arrays.scalars[0] - peak), numerics.exp(score - peak)
    arrays.scalars[0] = peak
    arrays.scalars[1] = arrays.scalars[1] * old + new
    for j in range(width):
        arrays.total[j] = arrays.total[j] * old + item[j] * new


@kernel
def _about(weights: TopicWeights, arrays: _Arrays, out: Doubles) -> None:
    """What the sentence is about: the mean of its tokens, normalised."""
    width = out.shape[0]
    mean = 0.0
    for j in range(width):
        out[j] = arrays.total[j] / arrays.scalars[1]
        mean += out[j]
    mean /= width
    spread = 0.0
    for j in range(width):
        spread += (out[j] - mean) * (out[j] - mean)
    scale = 1.0 / math.sqrt(spread / width + _EPSILON)
    for j in range(width):
        out[j] = (out[j] - mean) * scale * weights.gain[j] + weights.gain_bias[j]


@kernel
def _shift(weights: TopicWeights, arrays: _Arrays, scratch: Doubles) -> float:
    width = arrays.total.shape[0]
    compared, hidden = scratch[0, : 7 * width], scratch[1, : weights.judge_bias.shape[0]]
    about = compared[:width]
    _about(weights, arrays, about)
    for j in range(width):
        recent = 0.0
        for back in range(HISTORY):
            recent += arrays.history[back, j]
        recent /= HISTORY
        now, last = about[j], arrays.history[HISTORY - 1, j]
        compared[width + j] = last
        compared[2 * width + j] = recent
        compared[3 * width + j] = math.fabs(now - last)
        compared[4 * width + j] = now * last
        compared[5 * width + j] = math.fabs(now - recent)
        compared[6 * width + j] = now * recent
    copied(weights.judge_bias, hidden)
    add_product(compared, weights.judge, hidden)
    silu(hidden)
    out = scratch[2, :1]
    copied(weights.judge_out_bias, out)
    add_product(hidden, weights.judge_out, out)
    return numerics.sigmoid(out[0])


@kernel
def _close(weights: TopicWeights, arrays: _Arrays, scratch: Doubles) -> None:
    about = scratch[0, : arrays.total.shape[0]]
    _about(weights, arrays, about)
    if arrays.scalars[2] == 0.0:
        for back in range(HISTORY):
            copied(about, arrays.history[back])
    for back in range(HISTORY - 1):
        copied(arrays.history[back + 1], arrays.history[back])
    copied(about, arrays.history[HISTORY - 1])
    arrays.scalars[0] = _LOWEST
    arrays.scalars[1] = 0.0
    arrays.scalars[2] += 1.0
    arrays.total[:] = 0.0
