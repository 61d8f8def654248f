"""What the encoder keeps of one stream's segment: keys and values, sums over tokens, slow state.

All of it follows from the segment's tokens and the slow state before it, so it need not survive:
it is rebuilt by encoding them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRANULE: Final = 64
"""Tokens by which room for keys and values grows."""
_LOWEST: Final = np.float32(-1e4)


@dataclass(frozen=True, slots=True)
class CacheShape:
    """Sizes of the network that a cache is for.

    Attributes:
        layers: with attention.
        heads: of attention.
        head: width of one.
        width: of a token's representation.
        chunk: tokens per step of the slow tier.
        segment: most tokens.
        half: whether keys and values are kept in half precision.
    """

    layers: int
    heads: int
    head: int
    width: int
    chunk: int = 64
    segment: int = 512
    half: bool = True


class SegmentCache:
    """One segment as far as it has been encoded.

    Args:
        shape: of the network.
        state: slow state before the segment, float32 [blocks, width].
        drive: what fused blocks see of it, float32 [upper, 2, width].

    Attributes:
        count: tokens encoded.
        keys: [layers, heads, head, room]; those from `count` on are finite.
        values: [layers, heads, room, head]; the same.
        state: slow state before the chunk that the next token is in.
        drive: of that state.
        states: slow states before each chunk so far.
    """

    def __init__(
        self, shape: CacheShape, state: NDArray[np.float32], drive: NDArray[np.float32]
    ) -> None:
        self.shape = shape
        self.count = 0
        self.keys, self.values = self._room(GRANULE)
        self.state = state.copy()
        self.drive = drive.copy()
        self.states = [self.state]
        self._sum = np.zeros(shape.width, np.float32)
        self._most = np.full(shape.width, _LOWEST, np.float32)
        self._first = np.zeros(shape.width, np.float32)
        self._sums = np.zeros(shape.width, np.float32)
        self._mosts = np.full(shape.width, _LOWEST, np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        states = len(self.states) * self.state.nbytes
        kept = self.keys.nbytes + self.values.nbytes
        return kept + states + self.drive.nbytes + 5 * self._sum.nbytes

    @property
    def filled(self) -> int:
        """Tokens of the chunk that the next token is in."""
        return self.count % self.shape.chunk

    @property
    def left(self) -> int:
        """Tokens that there is still room for."""
        return self.shape.segment - self.count

    @property
    def room(self) -> int:
        """Tokens that there is room for without growing."""
        room: int = self.keys.shape[3]
        return room

    def reserve(self, new: int) -> None:
        """Make room for so many new tokens."""
        end = self.count + new
        if end > self.room:
            keys, values = self._room(-(-end // GRANULE) * GRANULE)
            keys[:, :, :, : self.count] = self.keys[:, :, :, : self.count]
            values[:, :, : self.count] = self.values[:, :, : self.count]
            self.keys, self.values = keys, values

    def release(self) -> None:
        """Let go of keys and values: nothing more will be encoded."""
        self.keys, self.values = self._room(0)

    def take(self, lower: NDArray[np.float32], hidden: NDArray[np.float32]) -> None:
        """Take in new tokens, which do not go beyond the end of a chunk.

        Their keys and values have been put behind those of the tokens before, by attention.

        Args:
            lower: what the slow tier reads of them, [new, width].
            hidden: their last representations, [new, width].

        Raises:
            InvalidInput: they do.
        """
        new = len(lower)
        if not 0 < new <= self.shape.chunk - self.filled or new > self.left:
            raise InvalidInput(
                f"{new} tokens after {self.count}: chunks have {self.shape.chunk} tokens and a "
                f"segment {self.shape.segment}"
            )
        if not self.filled:
            self._sum, self._most = np.zeros_like(self._sum), np.full_like(self._most, _LOWEST)
            self._first = lower[0].copy()
        self._sum = _added(self._sum, lower)
        self._most = np.maximum(self._most, lower.max(0))
        self._sums = _added(self._sums, hidden)
        self._mosts = np.maximum(self._mosts, hidden.max(0))
        self.count += new

    def advance(self, state: NDArray[np.float32], drive: NDArray[np.float32]) -> None:
        """Go on to the next chunk, at the end of one; copies, so as to hold on to no other's.

        Args:
            state: slow state before it; the present one where only the drive is new.
            drive: of that state.
        """
        if state is not self.state:
            self.state = state.copy()
            self.states.append(self.state)
        self.drive = drive.copy()

    def chunk_summary(self) -> NDArray[np.float32]:
        """Mean, maximum and first of the tokens of the chunk last begun, [3 width]."""
        count = self.filled or min(self.count, self.shape.chunk)
        most = np.where(self._most > _LOWEST, self._most, 0.0)
        return np.concatenate((self._sum / max(1, count), most, self._first)).astype(np.float32)

    def segment_summary(self) -> NDArray[np.float32]:
        """Mean and maximum of the last representations of all tokens, [2 width]."""
        most = np.where(self._mosts > _LOWEST, self._mosts, 0.0)
        return np.concatenate((self._sums / max(1, self.count), most)).astype(np.float32)

    def _room(self, tokens: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        shape = self.shape
        kind = np.float16 if shape.half else np.float32
        before = shape.layers, shape.heads
        return (
            np.zeros((*before, shape.head, tokens), kind),
            np.zeros((*before, tokens, shape.head), kind),
        )


def _added(total: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sum gone on with row by row, so that it does not matter which rows came together."""
    added: NDArray[np.float32] = np.concatenate((total[None], rows)).sum(0)
    return added
