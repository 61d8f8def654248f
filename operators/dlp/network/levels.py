"""The levels above the tokens, for training; `operators.hierarchy.levels` serves them.

Sentences are pooled from tokens, paragraphs from sentences, topics from paragraphs, the document
from topics: attention pooling with a learnt query, then a gated recurrent unit. At a sentence's
end every level that is open is taken as far as it has come, and the heads read all four.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from operators.dlp.tags import SCORES
from operators.hierarchy.levels import CONTEXT, DOCUMENT, LEVELS, PARAGRAPH, SENTENCE, TOPIC

_LOWEST = -1e9
_INITIAL = 0.02


class LevelOutputs(NamedTuple):
    """What the levels give at the end of each sentence.

    Attributes:
        scores: document logits, [batch, sentences, 4].
        shifts: logit of the sentence beginning another topic than the one before,
            [batch, sentences]; of the first one it means nothing.
        levels: representations, [batch, sentences, 4, width].
    """

    scores: Tensor
    shifts: Tensor
    levels: Tensor


class Ends(NamedTuple):
    """Where things end, for a batch of texts.

    Attributes:
        sentence: number of the sentence that each token is in, int64 [batch, tokens]; -1 for none.
        paragraph: whether a paragraph ends with the sentence, bool [batch, sentences].
        topic: whether the sentence begins another topic, bool [batch, sentences].
        there: whether there is such a sentence, bool [batch, sentences].
    """

    sentence: Tensor
    paragraph: Tensor
    topic: Tensor
    there: Tensor


class _Pool(NamedTuple):
    """Softmax pooling under way: greatest score, sum of weights, weighted sum, items."""

    peak: Tensor
    weight: Tensor
    total: Tensor
    count: Tensor

    @classmethod
    def empty(cls, batch: int, width: int, device: torch.device) -> _Pool:
        one = torch.zeros(batch, device=device)
        return cls(one + _LOWEST, one, torch.zeros(batch, width, device=device), one)

    def taken(self, score: Tensor, item: Tensor, mask: Tensor, *, counts: bool = True) -> _Pool:
        """With one more item in the rows of the mask."""
        peak = torch.maximum(self.peak, score)
        old, new = (self.peak - peak).exp(), (score - peak).exp()
        total = self.total * old[:, None] + item * new[:, None]
        after = _Pool(peak, self.weight * old + new, total, self.count + float(counts))
        return self.where(~mask, after)

    def where(self, kept: Tensor, other: _Pool) -> _Pool:
        """This one in some rows, the other one elsewhere."""
        return _Pool(
            torch.where(kept, self.peak, other.peak),
            torch.where(kept, self.weight, other.weight),
            torch.where(kept[:, None], self.total, other.total),
            torch.where(kept, self.count, other.count),
        )

    def mean(self) -> Tensor:
        """What has been pooled."""
        return self.total / self.weight.clamp(min=1e-30)[:, None]


class Levels(nn.Module):
    """Four levels over the last representations of tokens.

    Args:
        tokens: width of a token's representation.
        width: of the levels.
    """

    def __init__(self, tokens: int, width: int = 128) -> None:
        super().__init__()
        self.width = width
        self.entry = nn.Linear(tokens, width)
        self.queries = nn.Parameter(_INITIAL * torch.randn(LEVELS, width))
        self.from_input = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(LEVELS))
        self.from_state = nn.ModuleList(
            nn.Linear(width, 3 * width, bias=False) for _ in range(LEVELS)
        )
        self.shift = nn.Sequential(nn.Linear(4 * width, 32), nn.SiLU(), nn.Linear(32, 1))
        self.head = nn.Sequential(
            nn.Linear(LEVELS * width, width), nn.SiLU(), nn.Linear(width, len(SCORES))
        )

    def forward(self, hidden: Tensor, ends: Ends) -> LevelOutputs:
        """Read whole texts; `hidden` is [batch, tokens, width of a token]."""
        sentences = self._sentences(self.entry(hidden), ends)
        run = _Run(self, len(hidden), hidden.device)
        found = [
            run.step(sentences[:, number], *(flags[:, number] for flags in ends[1:]))
            for number in range(sentences.shape[1])
        ]
        scores, shifts, levels = (torch.stack(parts, 1) for parts in zip(*found, strict=True))
        return LevelOutputs(scores, shifts, levels)

    def cell(self, level: int, item: Tensor, state: Tensor) -> Tensor:
        """One step of a level's recurrence."""
        reset, update, new = self.from_input[level](item).chunk(3, -1)
        old_reset, old_update, old = self.from_state[level](state).chunk(3, -1)
        candidate = torch.tanh(new + torch.sigmoid(reset + old_reset) * old)
        keep = torch.sigmoid(update + old_update)
        return keep * state + (1 - keep) * candidate

    def score(self, level: int, item: Tensor) -> Tensor:
        """How much an item counts in a level's pool."""
        found: Tensor = item @ self.queries[level]
        return found

    def _sentences(self, items: Tensor, ends: Ends) -> Tensor:
        """Tokens pooled by sentence: [batch, sentences, width]."""
        numbers = torch.arange(ends.there.shape[1], device=items.device)
        inside = ends.sentence[:, None] == numbers[None, :, None]
        scores = self.score(SENTENCE, items)[:, None].masked_fill(~inside, _LOWEST)
        return scores.softmax(-1) @ items


class _Run:
    """The levels of a batch, sentence by sentence."""

    def __init__(self, levels: Levels, batch: int, device: torch.device) -> None:
        self.levels = levels
        zero = torch.zeros(batch, levels.width, device=device)
        self.none = _Pool.empty(batch, levels.width, device)
        self.states = [zero] * LEVELS
        self.pools = [self.none] * LEVELS
        self.recent: list[tuple[Tensor, Tensor]] = []
        self.last = zero

    def step(
        self, pooled: Tensor, paragraph: Tensor, topic: Tensor, there: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One sentence: scores, shift and representations at its end."""
        sentence = self.levels.cell(SENTENCE, pooled, self.states[SENTENCE])
        pair = (sentence, self.last, (sentence - self.last).abs(), sentence * self.last)
        shift = self.levels.shift(torch.cat(pair, -1))[:, 0]
        self._close(PARAGRAPH, topic & there)
        self._close(TOPIC, topic & there)
        self.states[SENTENCE] = torch.where(there[:, None], sentence, self.states[SENTENCE])
        self.last = self.states[SENTENCE]
        self._take(PARAGRAPH, sentence, there)
        self.recent = [*self.recent, (sentence, there)][-CONTEXT:]
        found = self._read()
        self._close(PARAGRAPH, paragraph & there)
        return self.levels.head(found.flatten(1)), shift, found

    def _take(self, level: int, item: Tensor, mask: Tensor, *, counts: bool = True) -> None:
        score = self.levels.score(level, item)
        self.pools[level] = self.pools[level].taken(score, item, mask, counts=counts)

    def _close(self, level: int, mask: Tensor) -> None:
        mask = mask & (self.pools[level].count > 0)
        done = self.levels.cell(level, self.pools[level].mean(), self.states[level])
        self.states[level] = torch.where(mask[:, None], done, self.states[level])
        self.pools[level] = self.none.where(mask, self.pools[level])
        self._take(level + 1, done, mask)
        if level == PARAGRAPH:
            for sentence, there in self.recent:
                self._take(level, sentence, mask & there, counts=False)

    def _read(self) -> Tensor:
        """All levels as far as they have come: [batch, levels, width]."""
        found = [self.states[SENTENCE]]
        child, open_ = (
            self.states[SENTENCE],
            torch.zeros_like(self.pools[0].count, dtype=torch.bool),
        )
        for level in range(PARAGRAPH, DOCUMENT + 1):
            score = self.levels.score(level, child)
            pool = self.pools[level].taken(score, child, open_)
            open_ = pool.count > 0
            done = self.levels.cell(level, pool.mean(), self.states[level])
            child = torch.where(open_[:, None], done, self.states[level])
            found.append(child)
        return torch.stack(found, 1)


def level_loss(
    outputs: LevelOutputs, labels: Tensor, ends: Ends, *, shift: float = 0.3
) -> tuple[Tensor, dict[str, Tensor]]:
    """Supervision at every prefix that ends with a sentence, and of the topic classifier.

    Args:
        outputs: of the levels.
        labels: document labels as of the end of each sentence, [batch, sentences, 4].
        ends: where things end.
        shift: weight of the topic classifier's part.
    """
    there = ends.there.float()
    scores = functional.binary_cross_entropy_with_logits(outputs.scores, labels, reduction="none")
    prefix = (scores.mean(-1) * there).sum() / there.sum().clamp(min=1)
    follows = there.clone()
    follows[:, 0] = 0
    topics = functional.binary_cross_entropy_with_logits(
        outputs.shifts, ends.topic.float(), reduction="none"
    )
    topic = (topics * follows).sum() / follows.sum().clamp(min=1)
    return prefix + shift * topic, {"prefix": prefix.detach(), "topic": topic.detach()}
