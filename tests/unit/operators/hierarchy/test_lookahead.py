"""Tags are thought again as tokens come, to the bit however they come."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.hierarchy.lookahead import AHEAD, Lookahead, LookaheadWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS, NARROW, WIDTH, TAGS = 12, 5, 7, 21


def weights() -> LookaheadWeights:
    """Random weights."""
    rng = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "entry.weight": (NARROW, TOKENS), "entry.bias": (NARROW,),
        "taps": (AHEAD + 1, NARROW, WIDTH), "bias": (AHEAD + 1, WIDTH),
        "out.weight": (TAGS, WIDTH), "out.bias": (TAGS,),
    }  # fmt: skip
    arrays = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    return LookaheadWeights.from_arrays(arrays)


def tokens(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tag logits and representations."""
    rng = np.random.default_rng(1)
    made = rng.normal(size=(40, TAGS + TOKENS)).astype(np.float32)[:count]
    return made[:, :TAGS], made[:, TAGS:]


def after(sizes: list[int]) -> NDArray[np.float64]:
    """Logits of tokens that come in pieces."""
    found, done = Lookahead(weights()), 0
    spans, hidden = tokens(sum(sizes))
    for size in sizes:
        found.take(spans[done : done + size], hidden[done : done + size])
        done += size
    return found.logits()


@pytest.mark.parametrize("sizes", [[1] * 33, [5, 1, 20, 0, 7], [8, 9, 16], [32, 1]])
def test_pieces_change_no_bit(sizes: list[int]) -> None:
    """Tokens one by one or together."""
    assert np.array_equal(after(sizes), after([33]))


def test_tags_are_final_once_enough_tokens_have_come() -> None:
    """The last `AHEAD` tokens change with each that comes, those before them never."""
    every = [after([count]) for count in range(1, 30)]
    for count, (before, now) in enumerate(pairwise(every), 1):
        settled = max(0, count - AHEAD)
        assert np.array_equal(before[:settled], now[:settled])
        changed = np.abs(before[settled:] - now[settled:count]).max(1)
        assert (changed > 1e-6).all()
