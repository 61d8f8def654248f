"""What is exported: the network in full mode over one segment, or unrolled over two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from operators.dlp.network.model import Network

INPUTS = ("ids", "mask", "state")
OUTPUTS = ("scores", "spans", "memory", "states")


class SegmentGraph(nn.Module):
    """One segment.

    Takes ids int64 [rows, length], mask bool [rows, length] and the slow state before it,
    float32 [rows, blocks, width]. Gives document logits [rows, 4], tag logits
    [rows, length, 21], memory [rows, 256] and the slow state after each chunk of 64 tokens
    [rows, chunks, blocks, width]: a segment that overlaps the next hands on the state of the chunk
    before the overlap, so that no token advances it twice.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, ids: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run the network in full mode."""
        out = self.network(ids, mask, state, False)
        return out.scores[:, -1], out.spans, out.memory, out.states


class UnrolledGraph(nn.Module):
    """Two segments of 512 tokens one after the other, the slow state carried: the seed's graph."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, ids: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As a segment of 1,024 tokens; scores and memory are those after the second half."""
        half = self.network.config.segment
        first = self.network(ids[:, :half], mask[:, :half], state, False)
        second = self.network(ids[:, half:], mask[:, half:], first.states[:, -1], False)
        return (
            second.scores[:, -1],
            torch.cat((first.spans, second.spans), 1),
            second.memory,
            torch.cat((first.states, second.states), 1),
        )


class StartGraph(nn.Module):
    """The slow state before a message, [1, blocks, width], from its thread's memory [1, 256]."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.slow = network.slow

    def forward(self, memory: Tensor) -> Tensor:
        """Run the slow tier's start."""
        state: Tensor = self.slow.start(memory)
        return state
