"""Tags in causal mode, thought again when some more tokens have come; for training.

In causal mode a token's tags are guessed before what follows is known, so that where a span begins
is a guess. Here the next tokens' last representations are taken in as well: each is narrowed once,
and adds to every one of the `AHEAD` tokens before it by its distance.
`operators.hierarchy.lookahead` serves it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from operators.dlp.tags import TAGS
from operators.hierarchy.lookahead import AHEAD

_INITIAL = 0.02


class Lookahead(nn.Module):
    """Corrections of tag logits.

    Args:
        tokens: width of a token's representation.
        narrow: of what a token says to those before it.
        width: of the sum.
    """

    def __init__(self, tokens: int, narrow: int = 64, width: int = 96) -> None:
        super().__init__()
        self.entry = nn.Linear(tokens, narrow)
        self.taps = nn.Parameter(_INITIAL * torch.randn(AHEAD + 1, narrow, width))
        self.bias = nn.Parameter(torch.zeros(AHEAD + 1, width))
        self.out = nn.Linear(width, len(TAGS))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, hidden: Tensor, spans: Tensor, seen: Tensor) -> Tensor:
        """Better tag logits.

        Args:
            hidden: last representations, [batch, tokens, width of a token].
            spans: tag logits of causal mode, [batch, tokens, 21].
            seen: how many tokens after each one are known, int64 [batch, tokens].
        """
        items = self.entry(hidden)
        known = torch.arange(AHEAD + 1, device=seen.device)
        total = (seen[..., None] == known).to(items.dtype) @ self.bias
        for distance in range(AHEAD + 1):
            of = functional.pad(items[:, distance:], (0, 0, 0, distance))
            total = total + (of @ self.taps[distance]) * (seen >= distance)[..., None]
        return spans + self.out(functional.silu(total))
