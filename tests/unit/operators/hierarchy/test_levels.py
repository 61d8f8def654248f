"""Levels are kept in a state of fixed size, to the bit, however the tokens come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.errors import StateMismatch
from operators.hierarchy.levels import LEVELS, PARAGRAPH, SENTENCE, TOPIC, Levels, LevelWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS, WIDTH = 12, 16
SEGMENTS = np.array([0.5, -1.0, 2.0, 0.1], np.float32)


def weights() -> LevelWeights:
    """Random weights."""
    rng = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "entry.weight": (WIDTH, TOKENS), "entry.bias": (WIDTH,), "queries": (LEVELS, WIDTH),
        "head.0.weight": (WIDTH, (LEVELS + 1) * WIDTH + 4), "head.0.bias": (WIDTH,),
        "head.2.weight": (4, WIDTH), "head.2.bias": (4,),
    }  # fmt: skip
    for level in range(LEVELS):
        shapes |= {
            f"from_input.{level}.weight": (3 * WIDTH, WIDTH),
            f"from_input.{level}.bias": (3 * WIDTH,),
            f"from_state.{level}.weight": (3 * WIDTH, WIDTH),
        }
    return LevelWeights.from_arrays(
        {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    )


def rows(seed: int, count: int) -> NDArray[np.float32]:
    """Tokens' representations."""
    return np.random.default_rng(seed).normal(size=(count, TOKENS)).astype(np.float32)


def fed(seed: int) -> bytes:
    """The state after a text in which every level ended, its tokens in pieces by seed."""
    levels = Levels(weights())
    for sentence in range(7):
        of, done = rows(sentence, 9), 0
        for size in np.random.default_rng(seed).multinomial(9, [0.25] * 4):
            levels.tokens(of[done : done + size])
            done += size
            levels.read(SEGMENTS)
            levels = Levels(weights(), levels.to_bytes())
        if sentence in {3, 5}:
            levels.close(PARAGRAPH)
            levels.close(TOPIC)
        levels.close(SENTENCE)
        if sentence % 2:
            levels.close(PARAGRAPH)
    return levels.to_bytes()


def test_pieces_readings_and_restarts_change_no_bit() -> None:
    """Tokens one by one or together, with verdicts in between, from a saved state or not."""
    assert len({fed(seed) for seed in range(5)}) == 1


def test_reading_follows_the_text() -> None:
    """Every token moves the scores, and closing what is empty does not."""
    levels = Levels(weights())
    levels.tokens(rows(8, 2))
    levels.close(SENTENCE)
    seen = []
    for sentence in range(4):
        levels.tokens(rows(sentence, 1))
        seen.append(levels.read(SEGMENTS).scores)
        levels.close(SENTENCE)
        assert np.allclose(levels.read(SEGMENTS).scores, seen[-1])
        levels.close(SENTENCE)
    assert np.unique(np.round(seen, 6), axis=0).shape == (4, 4)
    before = levels.to_bytes()
    levels.close(TOPIC)
    assert levels.to_bytes() == before


def test_last_two_sentences_stay_as_context() -> None:
    """A new paragraph's representation depends on how the one before it ended."""

    def second(last: int) -> NDArray[np.float64]:
        levels = Levels(weights())
        for sentence in (0, 1, last):
            levels.tokens(rows(sentence, 3))
            levels.close(SENTENCE)
        levels.close(PARAGRAPH)
        levels._arrays.carried[:] = 0.0  # noqa: SLF001 - leaves the context as the only difference
        levels.tokens(rows(9, 3))
        found: NDArray[np.float64] = levels.read(SEGMENTS).levels[PARAGRAPH]
        return found

    assert not np.allclose(second(2), second(3))


def test_opening_and_segments_move_the_scores() -> None:
    """The first sentence stays in sight of the heads; what they find is added to the segments'."""

    def after(opening: int, segments: NDArray[np.float32]) -> NDArray[np.float64]:
        levels = Levels(weights())
        for sentence in (opening, 1, 2):
            levels.tokens(rows(sentence, 3))
            levels.close(SENTENCE)
        levels._arrays.carried[:] = 0.0  # noqa: SLF001 - leaves the opening as the only difference
        for level in range(LEVELS):
            levels._arrays.counts[level] = 0.0  # noqa: SLF001 - the same
        return levels.read(segments).scores

    assert not np.allclose(after(0, SEGMENTS), after(5, SEGMENTS))
    assert not np.allclose(after(0, SEGMENTS), after(0, SEGMENTS + 1))


def test_state_of_other_weights_is_refused() -> None:
    """It says so, instead of reading numbers wrongly."""
    with pytest.raises(StateMismatch, match="other weights"):
        Levels(weights(), b"\0" * 8)
