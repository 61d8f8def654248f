"""What is exported for texts that are still arriving: causal mode, some tokens at a time.

A segment's keys and values are kept in half precision. Those of new tokens are rounded, and put in
their places among those of the others, before attention sees them, so that it makes no difference,
not to the bit, in which call a token came (docs/decisions/0052).

The slow tier advances between calls, at the ends of chunks; only a call of several chunks, which
begins at the start of one, has it inside. What a chunk's tokens see of the slow tier depends on the
state before the chunk alone, and is worked out once a chunk (`DriveGraph`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from operators.dlp.network.layers import rotate
from operators.dlp.network.slow import pooled

if TYPE_CHECKING:
    from operators.dlp.network.layers import Attention, FastBlock, FusedBlock
    from operators.dlp.network.model import Network

_FAR = -1e9
_LEAST = 2
"""Rows of one take other kernels, whose sums differ in the last bit, and with that some bytes."""


def drives(network: Network, states: Tensor) -> Tensor:
    """What fused blocks see of the states before chunks.

    From [rows, chunks, blocks, width] to [rows, upper, 2, chunks, width].
    """
    top = states[:, :, -1]
    each = [
        torch.stack((block.gate_slow(top), block.from_slow(top)), 1) for block in fused(network)
    ]
    return torch.stack(each, 1)


def fused(network: Network) -> list[FusedBlock]:
    """The upper blocks."""
    return list(network.upper)  # type: ignore[arg-type]


class DriveGraph(nn.Module):
    """What a chunk's tokens see of the slow state [rows, blocks, width] before it.

    Gives float32 [rows, upper, 2, width].
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, state: Tensor) -> Tensor:
        """Two linear layers a fused block."""
        return drives(self.network, state[:, None])[:, :, :, 0]


class ReadGraph(nn.Module):
    """What a segment says as far as it has come, and the slow state after the chunk it is in.

    Takes mean, maximum and first of the chunk's tokens as the slow tier reads them
    [rows, 3 width], the state before the chunk [rows, blocks, width], whether the chunk has tokens,
    bool [rows], and mean and maximum of the segment's last representations [rows, 2 width].

    Gives document logits [rows, 4], memory [rows, memory] and the slow state
    [rows, blocks, width].
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, chunk: Tensor, state: Tensor, advances: Tensor, segment: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step of the slow tier, and the heads."""
        after = self.network.slow.after(chunk[:, None], advances[:, None], state)[:, 0]
        summary = torch.cat((segment, after[:, -1]), -1)
        scores = self.network.score_head(summary[:, None])[:, 0]
        return scores, self.network.memory_head(summary), after


class StepGraph(nn.Module):
    """New tokens of several streams.

    Takes ids int64 [rows, new] padded with 0 at the end, past int64 [rows] tokens before them in
    their segments, drive float32 [rows, upper, 2, width], for calls of several chunks the slow
    state float32 [rows, blocks, width] that drive is of, and for each layer keys and values
    [rows, heads, room, width / heads] in half precision, of which `past` are filled.

    Gives tag logits [rows, new, 21]; last representations, and those that the slow tier reads
    [rows, new, width]; new keys and values of all layers [rows, layers, 2, heads, new,
    width / heads] in half precision; for calls of several chunks, the slow state after the last
    chunk but one; and, if it is watched, how much each new token attends to each place, the mean
    of the heads, [rows, layers, new, room].
    """

    def __init__(self, network: Network, new: int, *, watched: bool = False) -> None:
        super().__init__()
        self.network = network
        self.watched = watched
        self.given = new
        self.new = max(new, _LEAST)
        self.chunks = max(1, new // network.config.chunk)

    def forward(
        self, ids: Tensor, past: Tensor, drive: Tensor, *more: Tensor
    ) -> tuple[Tensor, ...]:
        """Run the layers over the new tokens."""
        network, caches = self.network, list(more[int(self.chunks > 1) :])
        places = past[:, None] + torch.arange(self.new)
        turns = network.turns[:, places.clamp(max=network.config.segment - 1)][:, :, None]
        room = torch.arange(caches[0].shape[2])
        unseen = (room > places[..., None])[:, None]
        if self.given < self.new:
            ids = torch.cat((ids, torch.zeros_like(ids)), 1)
        seen = _Seen(turns, places, unseen, caches)
        h = network.embedding(ids)
        x = network.input_norm(h)
        for block in network.lower:
            h = seen.fast(block, h)  # type: ignore[arg-type]
        lower, states = h, None
        drive = drive[:, :, :, None]
        if self.chunks > 1:
            chunk = network.config.chunk
            whole = h[:, : (self.chunks - 1) * chunk]
            inputs = pooled(whole, torch.ones_like(whole[..., 0], dtype=torch.bool), chunk)
            full = torch.ones_like(inputs[..., 0], dtype=torch.bool)
            states = network.slow.after(inputs, full, more[0])
            drive = torch.cat((drive, drives(network, states)), 3)
        for number, block in enumerate(fused(network)):
            h = seen.fused(block, h, x, drive[:, number])
        h = network.norm(h)
        new = self.given
        made = torch.stack(seen.made, 1)[..., :new, :]
        found = [network.span_head(h)[:, :new], h[:, :new], lower[:, :new], made]
        if states is not None:
            found.append(states[:, -1])
        if self.watched:
            found.append(torch.stack(seen.weights, 1)[:, :, :new])
        return tuple(found)


class _Seen:
    """What attention sees: caches of the layers, one after the other, and the new tokens."""

    def __init__(self, turns: Tensor, slots: Tensor, unseen: Tensor, caches: list[Tensor]) -> None:
        self.turns, self.slots, self.unseen = turns, slots, unseen
        self.caches = caches
        self.made: list[Tensor] = []
        self.weights: list[Tensor] = []

    def fast(self, block: FastBlock, x: Tensor) -> Tensor:
        x = x + self._attention(block.attention, block.attention_norm(x))
        return x + block.mlp(block.mlp_norm(x))

    def fused(self, block: FusedBlock, h: Tensor, x: Tensor, drive: Tensor) -> Tensor:
        """`drive` is [rows, 2, chunks, width]."""
        rows, new, width = h.shape
        shape = (rows, drive.shape[2], -1, width)
        gate = block.gate_input(x) + block.gate_fast(block.fast_norm(h))
        gate = torch.sigmoid(gate.reshape(shape) + drive[:, 0, :, None])
        mixed = gate * block.from_input(x).reshape(shape) + (1 - gate) * drive[:, 1, :, None]
        return self.fast(block.block, h + mixed.reshape(rows, new, width))

    def _attention(self, attention: Attention, x: Tensor) -> Tensor:
        rows, new, width = x.shape
        heads = attention.heads
        parts = attention.query_key_value(x).view(rows, new, 3, heads, width // heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query, key = rotate(query, self.turns), rotate(key, self.turns)
        made = torch.stack((key, value), 1).to(self.caches[0].dtype)
        self.made.append(made)
        key, value = made.to(query.dtype).unbind(1)
        old_key, old_value = self.caches.pop(0).to(query.dtype), self.caches.pop(0).to(query.dtype)
        slots = self.slots[:, None, :, None].expand(-1, heads, -1, width // heads)
        every_key, every_value = old_key.scatter(2, slots, key), old_value.scatter(2, slots, value)
        query = query * (width // heads) ** -0.5
        near = (query @ every_key.transpose(2, 3)).masked_fill(self.unseen, _FAR)
        weights = near.softmax(-1)
        self.weights.append(weights.mean(1))
        mixed = weights @ every_value
        return attention.out(mixed.transpose(1, 2).reshape(rows, new, width))
