"""The beginning of a stream's next segment, encoded before the present one is full.

A flush has some 190 tokens encoded again (docs/decisions/0051): all at once they keep the other
streams of a unit of work waiting for longer than a token may take. Where the next segment will
begin can be told from its size, and the slow state there is known: so from then on each new token
has two of the next segment encoded beside it. Where the flush cuts elsewhere after all, or the
stream was evicted meanwhile, they are encoded again as they would have been: the bits are the same
either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.hierarchy.buffer import Policy
from streams.hierarchy.encoder import Encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.hierarchy.buffer import BufferConfig, Token
    from operators.hierarchy.cache import SegmentCache
    from streams.hierarchy.encoder import StepEngine

PACE: Final = 2
"""Tokens of the next segment for each new one."""


class Early:
    """What there is of a stream's next segment.

    Args:
        steps: begins segments.
        config: of segments.

    Attributes:
        cache: of the next segment; None: it has not begun.
    """

    def __init__(self, steps: StepEngine, config: BufferConfig) -> None:
        self._steps = steps
        self._chunk = config.chunk
        # A cut at a sentence is before the last token, but for a sentence that ends with it.
        last = config.most - (config.policy is Policy.SENTENCE)
        self._start = (last - config.overlap) // config.chunk * config.chunk
        self.cache: SegmentCache | None = None
        self._ids: list[int] = []
        self._made: list[Encoded] = []

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        made = sum(one.spans.nbytes + one.hidden.nbytes for one in self._made)
        return made + (0 if self.cache is None else self.cache.nbytes)

    def waiting(self, tokens: Sequence[Token], present: SegmentCache, new: int) -> list[int]:
        """Ids to be encoded next in `cache`.

        Args:
            tokens: of the present segment, new ones included.
            present: its cache, before the new ones.
            new: how many of them are new.
        """
        if present.count < self._start + self._chunk:
            return []
        if self.cache is None:
            self.cache = self._steps.begin(present.states[self._start // self._chunk])
        low = self._start + len(self._ids)
        return [token.id for token in tokens[low : low + PACE * new]]

    def take(self, ids: Sequence[int], made: Encoded) -> None:
        """Take what they gave."""
        self._ids.extend(ids)
        self._made.append(made)

    def handed(self, start: int, tokens: Sequence[Token]) -> tuple[SegmentCache, Encoded] | None:
        """What has been encoded of a segment; None: it is another one.

        Args:
            start: its first token, counted from that of the segment before.
            tokens: that it begins with.
        """
        known = [token.id for token in tokens[: len(self._ids)]]
        if self.cache is None or not self._ids or start != self._start or known != self._ids:
            return None
        spans: NDArray[np.float32] = np.concatenate([one.spans for one in self._made])
        hidden: NDArray[np.float32] = np.concatenate([one.hidden for one in self._made])
        return self.cache, Encoded(spans, hidden)
