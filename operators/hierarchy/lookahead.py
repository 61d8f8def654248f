"""Tags of a growing text, thought again as more tokens come.

In causal mode a token is tagged before what follows is known, so that where a span begins is a
guess. Each token that comes adds what it has to say to the tokens before it, by its distance, and
their tags are read anew: a token's tags are final when `AHEAD` more have come. In double precision
and in one order of operations: the same bits however the tokens come. Training is
`operators.dlp.network.lookahead`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from operators import numerics
from operators.compiled import inlined, kernel
from operators.hierarchy.linear import add_product

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

AHEAD: Final = 8
"""Tokens that a token's tags wait for."""


class LookaheadWeights(NamedTuple):
    """Weights in double precision, linear layers as [input, output].

    Attributes:
        entry: [tokens, narrow], its bias [narrow].
        taps: by distance, [9, narrow, width].
        bias: by how many tokens are known, [9, width].
        out: [width, 21], its bias [21].
    """

    entry: Doubles
    entry_bias: Doubles
    taps: Doubles
    bias: Doubles
    out: Doubles
    out_bias: Doubles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From PyTorch's state by name, as arrays."""
        return cls(
            np.ascontiguousarray(arrays["entry.weight"].T, np.float64),
            arrays["entry.bias"].astype(np.float64),
            np.ascontiguousarray(arrays["taps"], np.float64),
            arrays["bias"].astype(np.float64),
            np.ascontiguousarray(arrays["out.weight"].T, np.float64),
            arrays["out.bias"].astype(np.float64),
        )


class Lookahead:
    """Tag logits of one segment's tokens, as of the last one that came.

    Args:
        weights: trained.
    """

    def __init__(self, weights: LookaheadWeights) -> None:
        self._weights = weights
        _, narrow, width = weights.taps.shape
        self._sums = np.zeros((AHEAD + 1, width))
        self._scratch = np.zeros((2, max(narrow, width)))
        self._plain = np.zeros((0, weights.out.shape[1]))
        self._logits = self._plain

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self._sums.nbytes + self._scratch.nbytes + self._plain.nbytes + self._logits.nbytes

    def take(self, spans: NDArray[np.floating], hidden: NDArray[np.floating]) -> None:
        """Take in new tokens.

        Args:
            spans: their tag logits in causal mode, [tokens, 21].
            hidden: their last representations, [tokens, width of a token].
        """
        first = len(self._plain)
        self._plain = np.concatenate((self._plain, spans.astype(np.float64)))
        self._logits = np.concatenate((self._logits, np.zeros(spans.shape)))
        _take(
            self._weights,
            self._sums,
            self._scratch,
            hidden.astype(np.float64),
            self._plain,
            self._logits,
            first,
        )

    def logits(self) -> Doubles:
        """Of every token, [tokens, 21]."""
        return self._logits.copy()


@inlined
def _tag(
    weights: LookaheadWeights,
    total: Doubles,
    known: int,
    plain: Doubles,
    hidden: Doubles,
    out: Doubles,
) -> None:
    """Tag logits of a token of which so many tokens ahead are known."""
    for j in range(total.shape[0]):
        value = total[j] + weights.bias[known, j]
        hidden[j] = value * numerics.sigmoid(value)
    for j in range(out.shape[0]):
        out[j] = plain[j] + weights.out_bias[j]
    add_product(hidden[: total.shape[0]], weights.out, out)


@kernel
def _take(
    weights: LookaheadWeights,
    sums: Doubles,
    scratch: Doubles,
    rows: Doubles,
    plain: Doubles,
    logits: Doubles,
    first: int,
) -> None:
    """Take in rows of tokens from `first` on; sums are kept by number modulo their count."""
    room, narrow = sums.shape[0], weights.taps.shape[1]
    item = scratch[0, :narrow]
    for row in range(rows.shape[0]):
        number = first + row
        for j in range(narrow):
            item[j] = weights.entry_bias[j]
        add_product(rows[row], weights.entry, item)
        sums[number % room] = 0.0
        for distance in range(min(number, room - 1) + 1):
            add_product(item, weights.taps[distance], sums[(number - distance) % room])
        settled = number - room + 1
        if settled >= 0:
            _tag(weights, sums[settled % room], room - 1, plain[settled], scratch[1],
                 logits[settled])  # fmt: skip
    last = first + rows.shape[0] - 1
    for number in range(max(0, last - room + 2), last + 1):
        _tag(weights, sums[number % room], last - number, plain[number], scratch[1],
             logits[number])  # fmt: skip
