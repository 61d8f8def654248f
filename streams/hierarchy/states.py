"""Representations that are wanted: of tokens with what they attend to, and of levels.

Where nothing is wanted, nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.hierarchy.observer import State, StateType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.hierarchy.encoder import Encoded
    from streams.hierarchy.live import Update
    from streams.hierarchy.step import Step

LEVELS: Final = (
    StateType.SENTENCE,
    StateType.PARAGRAPH,
    StateType.TOPIC,
    StateType.DOCUMENT,
)
"""By number of the level in `operators.hierarchy.levels`."""


def of_tokens(step: Step, made: Encoded, rows: Sequence[int]) -> Iterator[State]:
    """States of tokens that have been encoded.

    Args:
        step: of their stream, which has taken them.
        made: what they gave.
        rows: those that are wanted, from 0.
    """
    live = step.live
    first, size = live.tokens - len(made.hidden), live.cache.nbytes
    for row, weights in zip(rows, made.attention, strict=True):
        vector = made.hidden[row].copy()
        yield State(step.key.name, first + row, StateType.TOKEN, vector, weights.mean(0), size)


def of_level(step: Step, update: Update) -> State:
    """State of a level that has been updated."""
    kind, size = LEVELS[update.level], step.live.cache.nbytes
    return State(step.key.name, update.position, kind, update.representation, None, size)
