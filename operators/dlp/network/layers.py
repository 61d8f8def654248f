"""Blocks of the fast tier: rotary attention, gated MLP, fusion with input and slow tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from operators.dlp.network.config import NetworkConfig


EPSILON = 1e-6
"""Of norms."""


def rotary(length: int, width: int, theta: float, device: torch.device | None = None) -> Tensor:
    """Cosines and sines of positions: [2, length, width / 2]."""
    rates = theta ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), rates)
    return torch.stack((angles.cos(), angles.sin()))


def rotate(heads: Tensor, turns: Tensor) -> Tensor:
    """Turn the halves of each head's vector by its position: [batch, heads, length, width]."""
    left, right = heads.float().chunk(2, -1)
    cos, sin = turns[0], turns[1]
    turned = torch.cat((left * cos - right * sin, right * cos + left * sin), -1)
    return turned.to(heads.dtype)


class Norm(nn.Module):
    """RMSNorm in single precision, whatever comes in, of operators that ONNX has."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[…, width] to the same, in the type it came in."""
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPSILON)
        return (wide * scale * self.weight.float()).to(x.dtype)


class Attention(nn.Module):
    """Attention within a segment, to everything valid or only to what came before."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor, valid: Tensor, causal: bool) -> Tensor:
        """[batch, length, width] to the same; `valid` is [batch, length]."""
        batch, length, width = x.shape
        parts = self.query_key_value(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query, key = rotate(query, turns), rotate(key, turns)
        if causal:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            mask = valid[:, None, None, :].expand(batch, 1, length, length)
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


class GatedMlp(nn.Module):
    """SiLU-gated MLP."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[…, width] to the same."""
        gate, value = self.up(x).chunk(2, -1)
        out: Tensor = self.down(functional.silu(gate) * value)
        return out


class FastBlock(nn.Module):
    """Attention and MLP, each behind a norm, each added to what came in."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention_norm = Norm(config.width)
        self.attention = Attention(config)
        self.mlp_norm = Norm(config.width)
        self.mlp = GatedMlp(config)

    def forward(self, x: Tensor, turns: Tensor, valid: Tensor, causal: bool) -> Tensor:
        """[batch, length, width] to the same."""
        x = x + self.attention(self.attention_norm(x), turns, valid, causal)
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


class FusedBlock(nn.Module):
    """A fast block that first takes in input and slow tier, weighed against each other.

    The gate g = σ(W [input ‖ fast ‖ slow]) of each token and feature decides between the token's
    own input and the slow state of the chunk before: h' = h + g ⊙ U·input + (1 − g) ⊙ V·slow.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.chunk = config.chunk
        self.fast_norm = Norm(config.width)
        self.gate_input = nn.Linear(config.width, config.width, bias=False)
        self.gate_fast = nn.Linear(config.width, config.width)
        self.gate_slow = nn.Linear(config.width, config.width, bias=False)
        self.from_input = nn.Linear(config.width, config.width, bias=False)
        self.from_slow = nn.Linear(config.width, config.width, bias=False)
        self.block = FastBlock(config)

    def forward(
        self, h: Tensor, x: Tensor, slow: Tensor, turns: Tensor, valid: Tensor, causal: bool
    ) -> Tensor:
        """`slow` is [batch, chunks, width]: for each chunk, the state before it."""
        batch, length, width = h.shape
        shape = (batch, length // self.chunk, self.chunk, width)
        gate = self.gate_input(x) + self.gate_fast(self.fast_norm(h))
        gate = torch.sigmoid(gate.view(shape) + self.gate_slow(slow)[:, :, None])
        mixed = gate * self.from_input(x).view(shape)
        mixed = mixed + (1 - gate) * self.from_slow(slow)[:, :, None]
        out: Tensor = self.block(h + mixed.view(batch, length, width), turns, valid, causal)
        return out
