"""How waiting tokens of many streams are cut into calls.

A call takes any tokens of any streams, without padding. Of one stream it does not go beyond the end
of a chunk, where the slow tier advances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 128
"""Tokens of a call."""


def call(filled: Sequence[int], waiting: Sequence[int], chunk: int) -> list[int]:
    """How many tokens of each stream the next call takes.

    Streams with the fewest come first, so that a stream which is read anew keeps none waiting; of
    those with as many, the first.

    Args:
        filled: by stream, tokens of its chunk that have been encoded.
        waiting: by stream, tokens to be encoded.
        chunk: tokens of a chunk.

    Returns:
        By stream; at least one token in all, if any waits.
    """
    wanted = [min(new, chunk - done) for done, new in zip(filled, waiting, strict=True)]
    taken, left = [0] * len(wanted), max(MOST, chunk)
    for stream in sorted(range(len(wanted)), key=wanted.__getitem__):
        if wanted[stream] > left:
            break
        taken[stream] = wanted[stream]
        left -= wanted[stream]
    return taken
