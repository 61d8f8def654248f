"""What a trained network makes of a text that grows, at many places of it at once.

The same numbers as `streams.hierarchy.encoder` gives token by token, from whole segments: those of
a stream follow each other as they do in serving, the slow state carried, and each token counts as
it was when it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from operators.dlp.network.model import Network, Outputs


class Encoded(NamedTuple):
    """What streams give, in float.

    Attributes:
        hidden: last representations, [batch, tokens, width].
        spans: tag logits, [batch, tokens, 21].
        scores: document logits as of each place, the gravest of its segment and of those before,
            [batch, places, 4].
    """

    hidden: Tensor
    spans: Tensor
    scores: Tensor


@torch.no_grad()
def encode(network: Network, ids: Tensor, places: Tensor, stride: int) -> Encoded:
    """Encode streams in causal mode.

    Args:
        network: trained.
        ids: int64 [batch, tokens], padded with 0.
        places: tokens, the last ones of prefixes, int64 [batch, places].
        stride: tokens from the beginning of a segment to that of the next; a multiple of the chunk.
    """
    config = network.config
    batch, tokens = ids.shape
    state = network.slow.start(torch.zeros(batch, config.memory, device=ids.device))
    hidden, spans = [], []
    scores = torch.zeros(*places.shape, 4, device=ids.device)
    graver = torch.tensor([1.0, 1.0, -1.0, 1.0], device=ids.device)
    before = torch.full((batch, 1, 4), -torch.inf, device=ids.device)
    lower: list[Tensor] = []
    hook = network.lower[-1].register_forward_hook(lambda *call: lower.append(call[-1]))
    begin = done = 0
    while done < tokens:
        part = torch.zeros(batch, config.segment, dtype=ids.dtype, device=ids.device)
        part[:, : tokens - begin] = ids[:, begin : begin + config.segment]
        end = min(tokens, begin + config.segment)
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=ids.is_cuda):
            out = network(part, part != 0, state, True)
            local = (places - begin).clamp(0, config.segment - 1)
            found = _scores(network, out, lower.pop(), state, local).float() * graver
        inside = (places >= done) & (places < end)
        scores = torch.where(inside[..., None], torch.maximum(found, before) * graver, scores)
        before = torch.maximum(before, out.scores[:, -1:] * graver)
        hidden.append(out.hidden[:, done - begin : end - begin].float())
        spans.append(out.spans[:, done - begin : end - begin])
        state = out.states[:, stride // config.chunk - 1]
        begin, done = begin + stride, end
    hook.remove()
    return Encoded(torch.cat(hidden, 1), torch.cat(spans, 1), scores)


def _scores(network: Network, out: Outputs, lower: Tensor, state: Tensor, places: Tensor) -> Tensor:
    """Document logits as of tokens of a segment; what `operators.dlp.network.step` reads."""
    chunk, (batch, length, width) = network.config.chunk, lower.shape
    shaped = lower.float().view(batch, length // chunk, chunk, width)
    inside = (places % chunk + 1)[..., None]
    mean = _at(shaped.cumsum(2).view(batch, length, width), places) / inside
    most = _at(shaped.cummax(2).values.view(batch, length, width), places)
    first = _at(shaped[:, :, 0], places // chunk)
    before = torch.cat((state[:, None], out.states[:, :-1]), 1)
    before = _at(before.flatten(2), places // chunk).view(-1, *state.shape[1:])
    chunks = torch.cat((mean, most, first), -1).flatten(0, 1)[:, None]
    there = torch.ones(len(chunks), 1, dtype=torch.bool, device=lower.device)
    top = network.slow.after(chunks, there, before)[:, 0, -1].view(batch, -1, width)
    hidden = out.hidden.float()
    means = _at(hidden.cumsum(1), places) / (places + 1)[..., None]
    mosts = _at(hidden.cummax(1).values, places)
    found: Tensor = network.score_head(torch.cat((means, mosts, top.float()), -1))
    return found


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Rows of [batch, length, width] at [batch, places]."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))
