"""The training objective: document scores, tags, and the auxiliary tasks (seed section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from operators.dlp.network.model import Outputs

DENOISE: Final = 0.3
SHUFFLE: Final = 0.2
MEMORY: Final = 0.1
SMOOTHING: Final = 0.05
_SHARPNESS: Final = 10.0


def tag_loss(logits: Tensor, tags: Tensor, valid: Tensor) -> Tensor:
    """Cross entropy of the tags of valid tokens."""
    losses = functional.cross_entropy(logits.flatten(0, 1), tags.flatten().long(), reduction="none")
    weights = valid.flatten().float()
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def score_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Smoothed binary cross entropy: [batch, chunks, 4], weighted by chunk."""
    smooth = labels * (1 - SMOOTHING) + SMOOTHING / 2
    losses = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    losses = losses.mean(-1)
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def speaking(valid: Tensor, chunk: int, causal: bool) -> Tensor:
    """Which chunks' scores count: in causal mode each with tokens, in full mode the last such."""
    filled = valid.view(len(valid), -1, chunk).any(-1)
    if causal:
        return filled.float()
    after = torch.cat((filled[:, 1:], torch.zeros_like(filled[:, :1])), 1)
    return (filled & ~after).float()


def memory_loss(memory: Tensor, following: Tensor, linked: Tensor) -> Tensor:
    """Whether a memory tells its own thread's next message from the others of the batch."""
    left, right = functional.normalize(memory, dim=-1), functional.normalize(following, dim=-1)
    near = _SHARPNESS * left @ right.T
    near = near.masked_fill(~linked[None, :], -1e4)
    targets = torch.arange(len(near), device=near.device)
    losses = functional.cross_entropy(near, targets, reduction="none")
    weights = linked.float()
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def segment_loss(
    outputs: Outputs, tags: Tensor, labels: Tensor, shuffled: Tensor, valid: Tensor, causal: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Deep supervision of one segment, without denoising and memory; and its parts."""
    chunk = tags.shape[1] // labels.shape[1]
    parts = {
        "tags": tag_loss(outputs.spans, tags, valid),
        "scores": score_loss(outputs.scores, labels, speaking(valid, chunk, causal)),
        "shuffle": functional.binary_cross_entropy_with_logits(outputs.shuffled, shuffled),
    }
    return parts["tags"] + parts["scores"] + SHUFFLE * parts["shuffle"], parts
