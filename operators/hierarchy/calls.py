"""How waiting tokens are cut into calls of the exported sizes.

A call of 1, 8 or 32 tokens does not go beyond the end of a chunk, where the slow tier advances. A
call of 128 begins at the start of one and covers two.
"""

from __future__ import annotations

from typing import Final

NEW: Final = (1, 8, 32, 128)
"""New tokens of a call."""
WATCHED: Final = 32
"""The same of calls that also say what tokens attend to."""


def call(filled: int, waiting: int, chunk: int) -> tuple[int, int]:
    """The next call for a stream.

    Args:
        filled: tokens of its chunk that have been encoded.
        waiting: tokens to be encoded, at least one.
        chunk: tokens of a chunk.

    Returns:
        The size of the call, and how many of the waiting tokens it takes.
    """
    if not filled and waiting > chunk:
        return NEW[-1], min(waiting, NEW[-1])
    tokens = min(waiting, chunk - filled, NEW[-2])
    return next(size for size in NEW if size >= tokens), tokens
