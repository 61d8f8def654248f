"""Sizes of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from operators.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network (seed section 3).

    Attributes:
        vocabulary: number of token ids.
        width: of every token's representation; a multiple of `heads` times 2.
        layers: of the fast tier; the upper half of them is fused with the slow tier.
        heads: of attention.
        hidden: width inside the gated MLPs. 8/3 of `width`, so that a gated MLP of three matrices
            has the parameters of a plain one of two at 4 times the width.
        slow_blocks: recurrent blocks of the slow tier.
        chunk: tokens per step of the slow tier.
        segment: most tokens that attend to each other.
        memory: width of the memory vector.
        theta: base of the rotary positions.
        slow_tier: whether the slow tier and its gates are there; off only to measure what they add.
    """

    vocabulary: int = 16_000
    width: int = 384
    layers: int = 8
    heads: int = 6
    hidden: int = 1024
    slow_blocks: int = 2
    chunk: int = 64
    segment: int = 512
    memory: int = 256
    theta: float = 10_000.0
    slow_tier: bool = True

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise InvalidConfig(f"width={self.width}: must be a multiple of 2 x heads={self.heads}")
        if self.segment % self.chunk:
            raise InvalidConfig(f"segment={self.segment}: must be a multiple of chunk={self.chunk}")


BASE: Final = NetworkConfig()
FAST: Final = NetworkConfig(width=256, layers=6, heads=4, hidden=512)
TINY: Final = NetworkConfig(width=32, layers=2, heads=2, hidden=64, memory=16)
SIZES: Final = {"base": BASE, "fast": FAST, "tiny": TINY}
