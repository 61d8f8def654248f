"""The slow tier: one recurrent step per chunk of 64 tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from operators.dlp.network.layers import Norm

if TYPE_CHECKING:
    from operators.dlp.network.config import NetworkConfig

_LOWEST = -1e4


def pooled(h: Tensor, valid: Tensor, chunk: int) -> Tensor:
    """Mean, maximum and first of the valid tokens of each chunk: [batch, chunks, 3 width]."""
    batch, length, width = h.shape
    h = h.view(batch, length // chunk, chunk, width).float()
    valid = valid.view(batch, length // chunk, chunk, 1)
    mean = (h * valid).sum(2) / valid.sum(2).clamp(min=1)
    most = torch.where(valid, h, _LOWEST).amax(2)
    most = torch.where(valid.any(2), most, 0.0)
    first = h[:, :, 0] * valid[:, :, 0]
    return torch.cat((mean, most, first), -1)


class SlowBlock(nn.Module):
    """A gated recurrent unit over chunks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(width, 3 * width)
        self.from_state = nn.Linear(width, 3 * width, bias=False)
        self.norm = Norm(width)

    def forward(self, inputs: Tensor, state: Tensor, advances: Tensor) -> Tensor:
        """States after each chunk, [batch, chunks, width]; one without tokens changes nothing."""
        driven = self.from_input(inputs)
        states = []
        for step in range(inputs.shape[1]):
            reset, update, candidate = driven[:, step].float().chunk(3, -1)
            old_reset, old_update, old = self.from_state(self.norm(state)).float().chunk(3, -1)
            new = torch.tanh(candidate + torch.sigmoid(reset + old_reset) * old)
            keep = torch.sigmoid(update + old_update)
            state = torch.where(advances[:, step], keep * state + (1 - keep) * new, state)
            states.append(state)
        return torch.stack(states, 1)


class SlowTier(nn.Module):
    """Blocks of recurrence, each driven by the states of the one below, with a learnt seed."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.chunk = config.chunk
        self.entry = nn.Linear(3 * config.width, config.width)
        self.norm = Norm(config.width)
        self.blocks = nn.ModuleList(SlowBlock(config.width) for _ in range(config.slow_blocks))
        self.seed = nn.Parameter(torch.zeros(config.slow_blocks, config.width))
        self.from_memory = nn.Linear(config.memory, config.slow_blocks * config.width, bias=False)

    def start(self, memory: Tensor) -> Tensor:
        """The state before anything was read, [batch, blocks, width], from a thread's memory.

        A memory of zeros is that of a thread that is new.
        """
        seed = self.from_memory(memory).float()
        start: Tensor = self.seed.float() + seed.view(len(memory), *self.seed.shape)
        return start

    def forward(self, h: Tensor, valid: Tensor, state: Tensor) -> Tensor:
        """States after each chunk: [batch, chunks, blocks, width]."""
        advances = valid.view(len(h), -1, self.chunk).any(-1)
        return self.after(pooled(h, valid, self.chunk), advances, state)

    def after(self, chunks: Tensor, advances: Tensor, state: Tensor) -> Tensor:
        """The same from pooled chunks, [batch, chunks, 3 width], and which of them have tokens."""
        inputs = self.norm(self.entry(chunks))
        advances = advances[..., None]
        states = []
        for number, block in enumerate(self.blocks):
            after = block(inputs, state[:, number], advances)
            states.append(after)
            inputs = inputs + after.to(inputs.dtype)
        return torch.stack(states, 2)
