"""How a long text is cut into segments of the exported lengths, and put together again.

Segments of 512 tokens follow each other every 384: they share 128. Each starts in the slow state
that the one before had when it reached the shared tokens, so that every token advances the state
once. Of a shared token, the tags of that segment count in which it stands further from the edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.tags import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LENGTHS: Final = (128, 256, 384, 512)
OVERLAP: Final = 128
CHUNK: Final = 64
_CONTEXT: Final = SCORES.index("context")
"""The score that is graver when it is lower."""


class Segment(NamedTuple):
    """Tokens [start, stop) of a text, run in the graph for `length` tokens.

    Attributes:
        start: first token.
        stop: token after the last one.
        length: of the graph; the rest is padding.
        kept: the tokens [kept[0], kept[1]) of the text whose tags are taken from this segment.
        handed: chunk of this segment whose state the next one starts in; -1 for the last segment.
    """

    start: int
    stop: int
    length: int
    kept: tuple[int, int]
    handed: int


def plan(tokens: int) -> list[Segment]:
    """The segments of a text of so many tokens; one of padding alone for none."""
    longest = LENGTHS[-1]
    stride = longest - OVERLAP
    found = []
    start = 0
    while True:
        stop = min(tokens, start + longest)
        last = stop == tokens
        length = next(length for length in LENGTHS if length >= stop - start)
        low = start + OVERLAP // 2 if start else 0
        high = tokens if last else stop - OVERLAP // 2
        handed = -1 if last else stride // CHUNK - 1
        found.append(Segment(start, stop, length, (low, high), handed))
        if last:
            return found
        start += stride


def padded(ids: NDArray[np.int32], segment: Segment) -> NDArray[np.int64]:
    """The segment's row for its graph, int64 [1, length]."""
    row = np.zeros((1, segment.length), np.int64)
    row[0, : segment.stop - segment.start] = ids[segment.start : segment.stop]
    return row


def merged(
    segments: Sequence[Segment], spans: Sequence[NDArray[np.float32]], width: int
) -> NDArray[np.float32]:
    """One row of tag logits for each token that was read, [tokens, width].

    Args:
        segments: those that ran, from the first on.
        spans: their tag logits, [length, width] each.
        width: number of tags.
    """
    parts = [
        found[segment.kept[0] - segment.start : segment.kept[1] - segment.start]
        for segment, found in zip(segments, spans, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)


def gravest(before: NDArray[np.float32] | None, now: NDArray[np.float32]) -> NDArray[np.float32]:
    """Document logits of a text from those of its segments: what is gravest in any of them.

    Args:
        before: of the segments before; None for the first one.
        now: of this one, float32 [4], in the order of `operators.dlp.tags.SCORES`.
    """
    if before is None:
        return now
    most = np.maximum(before, now)
    most[_CONTEXT] = min(before[_CONTEXT], now[_CONTEXT])
    return most
