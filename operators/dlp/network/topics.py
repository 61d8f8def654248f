"""Where a text begins to be about something else, for training.

A light classifier on consecutive sentences: each is pooled by attention into what it is about,
which is compared with the sentence before it and with the mean of some more.
`operators.hierarchy.topics` serves it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from operators.hierarchy.topics import HISTORY

_LOWEST = -1e9
_COMPARED = 7


class Topics(nn.Module):
    """The classifier.

    Args:
        tokens: width of a token's representation.
        width: of what a sentence is about.
        hidden: of the judgement.
    """

    def __init__(self, tokens: int, width: int = 64, hidden: int = 96) -> None:
        super().__init__()
        self.entry = nn.Linear(tokens, width)
        self.query = nn.Linear(tokens, 1)
        self.norm = nn.LayerNorm(width)
        self.judge = nn.Sequential(
            nn.Linear(_COMPARED * width, hidden), nn.SiLU(), nn.Linear(hidden, 1)
        )

    def forward(self, hidden: Tensor, sentence: Tensor, count: int) -> Tensor:
        """Logit of each sentence beginning another topic, [batch, count]; not of the first one.

        Args:
            hidden: last representations, [batch, tokens, width of a token].
            sentence: number of the sentence of each token, int64 [batch, tokens]; -1 for none.
            count: of sentences.
        """
        numbers = torch.arange(count, device=hidden.device)
        inside = sentence[:, None] == numbers[None, :, None]
        scores = self.query(hidden)[..., 0][:, None].masked_fill(~inside, _LOWEST)
        about = self.norm(scores.softmax(-1) @ self.entry(hidden))
        backs = [(numbers - back).clamp(min=0) for back in range(1, HISTORY + 1)]
        last, recent = about[:, backs[0]], torch.stack([about[:, back] for back in backs]).mean(0)
        compared = [about, last, recent]
        compared += [(about - last).abs(), about * last, (about - recent).abs(), about * recent]
        found: Tensor = self.judge(torch.cat(compared, -1))[..., 0]
        return found
