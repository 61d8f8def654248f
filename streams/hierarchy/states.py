"""Representations that are wanted: of tokens with what they attend to, and of levels.

A token whose attention is wanted goes through a graph that gives it away, alone and in calls of 32:
some milliseconds for what costs one in the company of others. Where nothing is wanted, nothing is
done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.hierarchy.observer import State, StateType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from operators.hierarchy.cache import SegmentCache
    from streams.hierarchy.encoder import Encoded, StepEngine
    from streams.hierarchy.live import Update
    from streams.hierarchy.step import Step

LEVELS: Final = (
    StateType.SENTENCE,
    StateType.PARAGRAPH,
    StateType.TOPIC,
    StateType.DOCUMENT,
)
"""By number of the level in `operators.hierarchy.levels`."""


def encoded(
    steps: StepEngine,
    waiting: Sequence[tuple[SegmentCache, NDArray[np.int64]]],
    wanted: Sequence[Sequence[int]],
) -> tuple[list[Encoded], dict[int, list[NDArray[np.float32]]]]:
    """Encode new tokens, together but for streams of which attention is wanted.

    Args:
        steps: encodes.
        waiting: caches, each but once, and the ids of their new tokens.
        wanted: of each of them, which tokens' attention is wanted, from 0, in order.

    Returns:
        What the tokens gave, and by number of the stream what those wanted attend to, by layer:
        [layers, tokens].
    """
    if not any(wanted):
        return steps.encode(waiting), {}
    together = [pair for pair, rows in zip(waiting, wanted, strict=True) if not rows]
    plain, found = iter(steps.encode(together)), []
    watched: dict[int, list[NDArray[np.float32]]] = {}
    for number, ((cache, ids), rows) in enumerate(zip(waiting, wanted, strict=True)):
        if rows:
            one, watched[number] = steps.watch(cache, ids, rows)
        else:
            one = next(plain)
        found.append(one)
    return found, watched


def of_tokens(
    step: Step,
    made: Encoded,
    rows: Sequence[int],
    attention: Sequence[NDArray[np.float32]],
) -> Iterator[State]:
    """States of tokens that have been encoded.

    Args:
        step: of their stream, which has taken them.
        made: what they gave.
        rows: those that are wanted, from 0.
        attention: of each of these, [layers, tokens].
    """
    live = step.live
    first, size = live.tokens - len(made.hidden), live.cache.nbytes
    for row, weights in zip(rows, attention, strict=True):
        vector = made.hidden[row].copy()
        yield State(step.key.name, first + row, StateType.TOKEN, vector, weights.mean(0), size)


def of_level(step: Step, update: Update) -> State:
    """State of a level that has been updated."""
    kind, size = LEVELS[update.level], step.live.cache.nbytes
    return State(step.key.name, update.position, kind, update.representation, None, size)
