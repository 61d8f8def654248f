"""What is exported for texts that are still arriving: causal mode, some tokens at a time.

The network is cut at attention, which reads the streams' caches where they lie
(`operators.hierarchy.attention`). Between two attentions every token is on its own, so a call takes
tokens of any streams, in any numbers, as the rows of one matrix.

A segment's keys and values are kept in half precision. Those of new tokens are rounded, and put
behind those of the others, before attention sees them, so that it makes no difference, not to the
bit, in which call a token came (docs/decisions/0052, 0067).

The slow tier advances between calls, at the ends of chunks. What a chunk's tokens see of the slow
tier depends on the state before the chunk alone, and is worked out once a chunk (`DriveGraph`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from operators.dlp.network.layers import EPSILON

if TYPE_CHECKING:
    from operators.dlp.network.layers import FastBlock, FusedBlock, Norm
    from operators.dlp.network.model import Network


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


class FirstGraph(nn.Module):
    """New tokens, up to attention of the first layer.

    Takes their ids and their places in their segments, int64 [1, tokens]. Gives the representations
    [1, tokens, width], the input as upper blocks see it [1, tokens, width], what attention takes:
    queries, keys and values [1, tokens, 3 width], neither turned by their places nor scaled; and
    cosines and sines of the places [2, tokens, head / 2].
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, places: Tensor) -> tuple[Tensor, ...]:
        """Embed, and ask."""
        h = self.network.embedding(ids)
        asked = _asked(block_of(self.network, 0), h)
        return h, _normed(self.network.input_norm, h), asked, self.network.turns[:, places[0]]


class LayerGraph(nn.Module):
    """New tokens, from attention of one layer to that of the next.

    Takes what was attended to and the representations, [1, tokens, width]; in the upper half also
    the input [1, tokens, width], what each stream sees of the slow tier [streams, 2, width], and
    the stream of each token, int64 [tokens]. Gives the representations before the next layer's
    attention, and what that takes; the first of the upper half also what the slow tier reads.
    """

    def __init__(self, network: Network, number: int) -> None:
        super().__init__()
        self.network = network
        self.number = number

    def forward(self, mixed: Tensor, h: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """End the layer before, and ask for this one."""
        network, first = self.network, len(self.network.lower)
        lower = h = _ended(block_of(network, self.number - 1), mixed, h)
        if self.number >= first:
            x, drive, streams = more
            h = _fused(fused(network)[self.number - first], h, x, drive[streams][None])
        asked = _asked(block_of(network, self.number), h)
        return (h, asked, lower) if self.number == first else (h, asked)


class LastGraph(nn.Module):
    """New tokens, from attention of the last layer on.

    Takes what was attended to and the representations, [1, tokens, width]. Gives tag logits
    [1, tokens, 21] and the last representations [1, tokens, width].
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, mixed: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """End the last layer, and tag."""
        network = self.network
        block = block_of(network, network.config.layers - 1)
        h = _normed(network.norm, _ended(block, mixed, h))
        return network.span_head(h), h


def block_of(network: Network, number: int) -> FastBlock:
    """The fast block of a layer."""
    first = len(network.lower)
    if number < first:
        lower: FastBlock = network.lower[number]  # type: ignore[assignment]
        return lower
    upper: FastBlock = fused(network)[number - first].block
    return upper


def _asked(block: FastBlock, h: Tensor) -> Tensor:
    """What a layer's attention takes."""
    asked: Tensor = block.attention.query_key_value(_normed(block.attention_norm, h))
    return asked


def _ended(block: FastBlock, mixed: Tensor, h: Tensor) -> Tensor:
    """A layer from attention on."""
    h = h + block.attention.out(mixed)
    ended: Tensor = h + block.mlp(_normed(block.mlp_norm, h))
    return ended


def _fused(block: FusedBlock, h: Tensor, x: Tensor, drive: Tensor) -> Tensor:
    """What a fused block takes in; `drive` is [1, tokens, 2, width]."""
    gate = block.gate_input(x) + block.gate_fast(_normed(block.fast_norm, h))
    gate = torch.sigmoid(gate + drive[:, :, 0])
    return h + (gate * block.from_input(x) + (1 - gate) * drive[:, :, 1])


def _normed(norm: Norm, x: Tensor) -> Tensor:
    """RMSNorm in the form that ONNX Runtime knows as one operator."""
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt() * norm.weight
