"""Sentence, paragraph, topic, document: representations above the tokens, kept as text arrives.

Each level pools what the one below gives, by softmax of a learnt score, as a running sum, so that
a level's state has a fixed size; a gated recurrent unit takes what was pooled when the level ends.
In double precision and in one order of operations: the same bits on every machine and however the
tokens come (`operators.numerics`). Training is `operators.dlp.network.levels`.

    call                      what happens
    tokens                    they are pooled into the sentence
    close(SENTENCE), first    it is what is known before the text, and stays as it is for the heads
    close(SENTENCE)           it joins the paragraph
    close(PARAGRAPH)          it joins the topic; the last two sentences stay as context
    close(TOPIC)              it joins the document
    close(DOCUMENT)           the document's recurrence takes a step: periodically
Closing a level that nothing came into changes nothing. The first sentence is the tokens before the
text (`operators.hierarchy.growing.opening`), a paragraph of its own. Before a sentence that begins
another topic (`operators.hierarchy.topics`) joins its paragraph, the levels above it are closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from operators import numerics
from operators.compiled import inlined, kernel
from operators.errors import StateMismatch
from operators.hierarchy.linear import add_product, copied, silu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

SENTENCE, PARAGRAPH, TOPIC, DOCUMENT = range(4)
LEVELS: Final = 4
CONTEXT: Final = 2
"""Sentences of a paragraph that stay as context of the next one (seed section 1.1)."""
_LOWEST: Final = -1e9
_EMPTY: Final = 1e-30


class LevelWeights(NamedTuple):
    """LevelWeights in double precision, linear layers as [input, output].

    Attributes:
        entry: [tokens, width], its bias [width].
        queries: [levels, width].
        inputs: [levels, width, 3 width], their biases [levels, 3 width].
        states: [levels, width, 3 width].
        head: two layers of the document heads, with biases; they take the levels, the opening and
            the scores of the segments.
    """

    entry: Doubles
    entry_bias: Doubles
    queries: Doubles
    inputs: Doubles
    input_biases: Doubles
    states: Doubles
    head: Doubles
    head_bias: Doubles
    head_out: Doubles
    head_out_bias: Doubles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From PyTorch's state by name, as arrays."""

        def linear(name: str) -> Doubles:
            return np.ascontiguousarray(arrays[f"{name}.weight"].T, np.float64)

        def bias(name: str) -> Doubles:
            return arrays[f"{name}.bias"].astype(np.float64)

        each = range(LEVELS)
        return cls(
            linear("entry"), bias("entry"), arrays["queries"].astype(np.float64),
            np.stack([linear(f"from_input.{n}") for n in each]),
            np.stack([bias(f"from_input.{n}") for n in each]),
            np.stack([linear(f"from_state.{n}") for n in each]),
            linear("head.0"), bias("head.0"), linear("head.2"), bias("head.2"),
        )  # fmt: skip


class _Arrays(NamedTuple):
    carried: Doubles
    peaks: Doubles
    weights: Doubles
    totals: Doubles
    counts: Doubles
    recent: Doubles
    opening: Doubles
    seen: Doubles


@dataclass(frozen=True, slots=True)
class LevelReading:
    """What the levels say of a text as far as it has come.

    Attributes:
        scores: document logits, float64 [4].
        levels: representations, float64 [4, width].
    """

    scores: Doubles
    levels: Doubles


class Levels:
    """The levels of one stream.

    Args:
        weights: trained.
        state: from `to_bytes`; none for a new stream.

    Raises:
        StateMismatch: the state is of another width.
    """

    def __init__(self, weights: LevelWeights, state: bytes | None = None) -> None:
        self._weights = weights
        width = weights.queries.shape[1]
        self._flat = np.zeros(LEVELS * (2 * width + 3) + (CONTEXT + 1) * width + 1)
        if state is not None:
            if len(state) != self._flat.nbytes:
                raise StateMismatch(
                    f"levels of {self._flat.nbytes} bytes, the state has {len(state)}: it was "
                    "made with other weights"
                )
            self._flat[:] = np.frombuffer(state)
        pools = (LEVELS * width, LEVELS, LEVELS, LEVELS * width, LEVELS)
        sizes = (*pools, CONTEXT * width, width, 1)
        parts = np.split(self._flat, np.cumsum(sizes)[:-1])
        shaped = [
            part.reshape(-1, width) if len(part) >= width > LEVELS else part for part in parts
        ]
        self._arrays = _Arrays(*shaped)
        if state is None:
            self._arrays.peaks[:] = _LOWEST
        self._scratch = np.zeros((3, max(4 * width, weights.head.shape[1])))

    def to_bytes(self) -> bytes:
        """All that has to be kept."""
        return self._flat.tobytes()

    def tokens(self, hidden: NDArray[np.floating]) -> None:
        """Pool tokens into the sentence; their last representations are [tokens, width]."""
        for row in hidden.astype(np.float64):
            _token(self._weights, self._arrays, row, self._scratch)

    def close(self, level: int) -> None:
        """End a level."""
        _close(self._weights, self._arrays, level, self._scratch)

    @property
    def begun(self) -> int:
        """Tokens in the sentence that has not ended."""
        return int(self._arrays.counts[SENTENCE])

    def carried(self, level: int) -> Doubles:
        """Representation of the last part that ended of a level, [width]; a copy."""
        return np.array(self._arrays.carried[level])

    def read(self, segments: NDArray[np.floating]) -> LevelReading:
        """Scores and representations as of now; changes nothing.

        Args:
            segments: document logits of the current segment and of those before it, the gravest
                of each, [4].
        """
        width = self._weights.queries.shape[1]
        levels, scores = np.zeros((LEVELS, width)), segments.astype(np.float64)
        _read(self._weights, self._arrays, levels, scores, self._scratch)
        return LevelReading(scores, levels)


@inlined
def _tanh(x: float) -> float:
    return 2.0 * numerics.sigmoid(2.0 * x) - 1.0


@kernel
def _take(weights: LevelWeights, arrays: _Arrays, level: int, item: Doubles, count: float) -> None:
    """Pool an item into a level."""
    score = 0.0
    for j in range(item.shape[0]):
        score += item[j] * weights.queries[level, j]
    peak = max(arrays.peaks[level], score)
    old, new = numerics.exp(arrays.peaks[level] - peak), numerics.exp(score - peak)
    arrays.peaks[level] = peak
    arrays.weights[level] = arrays.weights[level] * old + new
    arrays.counts[level] += count
    for j in range(item.shape[0]):
        arrays.totals[level, j] = arrays.totals[level, j] * old + item[j] * new


@kernel
def _token(weights: LevelWeights, arrays: _Arrays, row: Doubles, scratch: Doubles) -> None:
    item = scratch[0, : weights.queries.shape[1]]
    copied(weights.entry_bias, item)
    add_product(row, weights.entry, item)
    _take(weights, arrays, 0, item, 1.0)


@kernel
def _cell(
    weights: LevelWeights, level: int, item: Doubles, carried: Doubles, scratch: Doubles
) -> None:
    """One step of a level's recurrence, in place of the item; uses two rows of scratch."""
    width = carried.shape[0]
    driven, old = scratch[1, : 3 * width], scratch[2, : 3 * width]
    copied(weights.input_biases[level], driven)
    add_product(item, weights.inputs[level], driven)
    old[:] = 0.0
    add_product(carried, weights.states[level], old)
    for j in range(width):
        reset = numerics.sigmoid(driven[j] + old[j])
        keep = numerics.sigmoid(driven[width + j] + old[width + j])
        new = _tanh(driven[2 * width + j] + reset * old[2 * width + j])
        item[j] = keep * carried[j] + (1.0 - keep) * new


@inlined
def _pooled(arrays: _Arrays, level: int, out: Doubles) -> None:
    weight = max(arrays.weights[level], _EMPTY)
    for j in range(out.shape[0]):
        out[j] = arrays.totals[level, j] / weight


@kernel
def _clear(arrays: _Arrays, level: int) -> None:
    arrays.peaks[level] = _LOWEST
    arrays.weights[level] = 0.0
    arrays.counts[level] = 0.0
    arrays.totals[level] = 0.0


@kernel
def _close(weights: LevelWeights, arrays: _Arrays, level: int, scratch: Doubles) -> None:
    if arrays.counts[level] == 0.0:
        return
    done = scratch[0, : weights.queries.shape[1]]
    _pooled(arrays, level, done)
    _cell(weights, level, done, arrays.carried[level], scratch)
    copied(done, arrays.carried[level])
    _clear(arrays, level)
    if level < LEVELS - 1:
        _take(weights, arrays, level + 1, done, 1.0)
    if level == 0:
        if arrays.seen[0] == 0.0:
            copied(done, arrays.opening[0])
        copied(arrays.recent[1], arrays.recent[0])
        copied(done, arrays.recent[1])
        arrays.seen[0] += 1.0
    if level == 1:
        for back in range(CONTEXT):
            if arrays.seen[0] >= CONTEXT - back:
                _take(weights, arrays, 1, arrays.recent[back], 0.0)


@kernel
def _read(
    weights: LevelWeights, arrays: _Arrays, levels: Doubles, scores: Doubles, scratch: Doubles
) -> None:
    """Every level as if all below it ended here, without ending any; adds to the scores."""
    width = levels.shape[1]
    open_ = False
    for level in range(LEVELS):
        item = levels[level]
        peak, weight = arrays.peaks[level], arrays.weights[level]
        copied(arrays.totals[level], item)
        if open_:
            score = 0.0
            for j in range(width):
                score += levels[level - 1, j] * weights.queries[level, j]
            high = max(peak, score)
            old, new = numerics.exp(peak - high), numerics.exp(score - high)
            weight = weight * old + new
            for j in range(width):
                item[j] = item[j] * old + levels[level - 1, j] * new
        open_ = open_ or arrays.counts[level] > 0.0
        if open_:
            for j in range(width):
                item[j] /= max(weight, _EMPTY)
            _cell(weights, level, item, arrays.carried[level], scratch)
        else:
            copied(arrays.carried[level], item)
    hidden = scratch[0, : weights.head_bias.shape[0]]
    copied(weights.head_bias, hidden)
    own = LEVELS * width
    add_product(levels.reshape(own), weights.head[:own], hidden)
    add_product(arrays.opening[0], weights.head[own : own + width], hidden)
    add_product(scores, weights.head[own + width :], hidden)
    silu(hidden)
    for j in range(scores.shape[0]):
        scores[j] += weights.head_out_bias[j]
    add_product(hidden, weights.head_out, scores)
