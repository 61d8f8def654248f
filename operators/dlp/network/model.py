"""The whole network: embedding, two tiers, heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from operators.dlp.network.layers import FastBlock, FusedBlock, Norm, rotary
from operators.dlp.network.slow import SlowTier
from operators.dlp.tags import SCORES, TAGS

if TYPE_CHECKING:
    from operators.dlp.network.config import NetworkConfig

_INITIAL = 0.02
_LOWEST = -1e4


class Outputs(NamedTuple):
    """What one segment gives.

    Attributes:
        scores: document logits after each chunk, [batch, chunks, 4]; the last chunk with tokens
            speaks for the segment and all before it.
        spans: tag logits, [batch, length, 21].
        memory: [batch, 256].
        states: slow state after each chunk, [batch, chunks, blocks, width].
        hidden: last representation of each token, [batch, length, width].
        shuffled: logit of the segment having its chunks out of order, [batch].
    """

    scores: Tensor
    spans: Tensor
    memory: Tensor
    states: Tensor
    hidden: Tensor
    shuffled: Tensor


class Network(nn.Module):
    """The two-tier network of the seed, over one segment at a time.

    In causal mode each token sees only those before it, and the slow state of the chunk before
    its own; in full mode it sees the whole segment, and the same slow state.
    """

    turns: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        lower = config.layers // 2
        self.lower = nn.ModuleList(FastBlock(config) for _ in range(lower))
        upper = FusedBlock if config.slow_tier else FastBlock
        self.upper = nn.ModuleList(upper(config) for _ in range(config.layers - lower))
        self.slow = SlowTier(config)
        self.norm = Norm(config.width)
        self.input_norm = Norm(config.width)
        self.span_head = nn.Linear(config.width, len(TAGS))
        wide = 2 * config.width + config.width
        self.score_head = nn.Sequential(
            nn.Linear(wide, config.width), nn.SiLU(), nn.Linear(config.width, len(SCORES))
        )
        self.memory_head = nn.Linear(wide, config.memory)
        self.shuffle_head = nn.Linear(wide, 1)
        self.denoise = nn.Linear(config.width, config.width, bias=False)
        self.denoise_bias = nn.Parameter(torch.zeros(config.vocabulary))
        turns = rotary(config.segment, config.width // config.heads, config.theta)
        self.register_buffer("turns", turns, persistent=False)
        self.apply(_initialise)
        deep = (2 * config.layers) ** -0.5
        for name, weight in self.named_parameters():
            if name.endswith(
                ("out.weight", "down.weight", "from_slow.weight", "from_input.weight")
            ):
                weight.data.mul_(deep)

    def forward(self, ids: Tensor, valid: Tensor, state: Tensor, causal: bool) -> Outputs:
        """One segment: ids and valid are [batch, length], state is [batch, blocks, width]."""
        turns = self.turns[:, : ids.shape[1]]
        h = self.embedding(ids)
        x = self.input_norm(h)
        for block in self.lower:
            h = block(h, turns, valid, causal)
        states = self.slow(h, valid, state)
        before = torch.cat((state[:, None, -1], states[:, :-1, -1]), 1).to(h.dtype)
        for block in self.upper:
            if self.config.slow_tier:
                h = block(h, x, before, turns, valid, causal)
            else:
                h = block(h, turns, valid, causal)
        h = self.norm(h)
        summary = self._summary(h, valid, states)
        return Outputs(
            self.score_head(summary).float(),
            self.span_head(h).float(),
            self.memory_head(summary[:, -1]).float(),
            states,
            h,
            self.shuffle_head(summary[:, -1])[:, 0].float(),
        )

    def denoised(self, hidden: Tensor) -> Tensor:
        """Logits of the tokens that stood where some were masked: [count, vocabulary]."""
        return nn.functional.linear(self.denoise(hidden), self.embedding.weight) + self.denoise_bias

    def _summary(self, h: Tensor, valid: Tensor, states: Tensor) -> Tensor:
        """What has been read up to the end of each chunk: [batch, chunks, 3 width]."""
        batch, length, width = h.shape
        chunk = self.config.chunk
        shaped = h.view(batch, length // chunk, chunk, width).float()
        kept = valid.view(batch, length // chunk, chunk, 1)
        mean = (shaped * kept).sum(2).cumsum(1) / kept.sum(2).cumsum(1).clamp(min=1)
        most = torch.where(kept, shaped, _LOWEST).amax(2)
        most = torch.stack([most[:, : end + 1].amax(1) for end in range(most.shape[1])], 1)
        most = torch.where(most > _LOWEST, most, 0.0)
        top = states[:, :, -1] if self.config.slow_tier else torch.zeros_like(mean)
        return torch.cat((mean, most, top), -1).to(h.dtype)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=_INITIAL)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
