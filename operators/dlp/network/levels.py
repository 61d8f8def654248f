"""The levels above the tokens, for training; `operators.hierarchy.levels` serves them.

Sentences are pooled from tokens, paragraphs from sentences, topics from paragraphs, the document
from topics: attention pooling with a learnt query, then a gated recurrent unit. In the middle of
each sentence and at its end every level that is open is taken as far as it has come; the heads read
all four beside the first sentence, which is what is known of a text before it is written, and say
what is to be added to the scores that the segments themselves give.
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
        scores: document logits in the middle of each sentence and at its end,
            [batch, sentences, 2, 4].
        levels: representations at its end, [batch, sentences, 4, width].
    """

    scores: Tensor
    levels: Tensor


class Ends(NamedTuple):
    """Where things end, for a batch of texts.

    Attributes:
        sentence: number of the sentence that each token is in, int64 [batch, tokens]; -1 for none.
        middle: a token of each sentence, int64 [batch, sentences].
        paragraph: whether a paragraph ends with the sentence, bool [batch, sentences].
        topic: whether the sentence begins another topic, bool [batch, sentences]; the first two,
            which are the opening and the beginning of the text, never do.
        document: whether a segment is flushed in the sentence, bool [batch, sentences].
        there: whether there is such a sentence, bool [batch, sentences].
    """

    sentence: Tensor
    middle: Tensor
    paragraph: Tensor
    topic: Tensor
    document: Tensor
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
        self.head = nn.Sequential(
            nn.Linear((LEVELS + 1) * width + len(SCORES), width),
            nn.SiLU(),
            nn.Linear(width, len(SCORES)),
        )
        nn.init.zeros_(self.head[2].weight)
        nn.init.zeros_(self.head[2].bias)

    def forward(self, hidden: Tensor, segment: Tensor, ends: Ends) -> LevelOutputs:
        """Read whole texts.

        Args:
            hidden: last representations of tokens, [batch, tokens, width of a token].
            segment: document logits that the network gives in the middle and at the end of each
                sentence, the gravest of all segments so far, [batch, sentences, 2, 4].
            ends: where things end.
        """
        items = self.entry(hidden)
        tokens = torch.arange(hidden.shape[1], device=hidden.device)
        places = ends.middle[..., None] >= tokens
        middles, sentences = self._sentences(items, ends, places), self._sentences(items, ends)
        run = _Run(self, len(hidden), hidden.device)
        found = [
            run.step(
                middles[:, number],
                sentences[:, number],
                *(flags[:, number] for flags in ends[2:]),
            )
            for number in range(sentences.shape[1])
        ]
        levels = torch.stack(found, 1)
        opening = levels[:, :1, 1:, SENTENCE].expand(*levels.shape[:3], -1)
        scores = segment + self.head(torch.cat((levels.flatten(3), opening, segment), -1))
        return LevelOutputs(scores, levels[:, :, 1])

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

    def _sentences(self, items: Tensor, ends: Ends, places: Tensor | None = None) -> Tensor:
        """Tokens, or those at some places, pooled by sentence: [batch, sentences, width]."""
        numbers = torch.arange(ends.there.shape[1], device=items.device)
        inside = ends.sentence[:, None] == numbers[None, :, None]
        if places is not None:
            inside = inside & places
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

    def step(
        self,
        middle: Tensor,
        pooled: Tensor,
        paragraph: Tensor,
        topic: Tensor,
        document: Tensor,
        there: Tensor,
    ) -> Tensor:
        """One sentence: representations in its middle and at its end."""
        begun = self._read(self.levels.cell(SENTENCE, middle, self.states[SENTENCE]), there)
        sentence = self.levels.cell(SENTENCE, pooled, self.states[SENTENCE])
        self._close(PARAGRAPH, topic & there)
        self._close(TOPIC, topic & there)
        self.states[SENTENCE] = torch.where(there[:, None], sentence, self.states[SENTENCE])
        self._take(PARAGRAPH, sentence, there)
        self.recent = [*self.recent, (sentence, there)][-CONTEXT:]
        ended = self._read(self.states[SENTENCE], torch.zeros_like(there))
        self._close(PARAGRAPH, paragraph & there)
        self._close(DOCUMENT, document & there)
        return torch.stack((begun, ended), 1)

    def _take(self, level: int, item: Tensor, mask: Tensor, *, counts: bool = True) -> None:
        score = self.levels.score(level, item)
        self.pools[level] = self.pools[level].taken(score, item, mask, counts=counts)

    def _close(self, level: int, mask: Tensor) -> None:
        mask = mask & (self.pools[level].count > 0)
        done = self.levels.cell(level, self.pools[level].mean(), self.states[level])
        self.states[level] = torch.where(mask[:, None], done, self.states[level])
        self.pools[level] = self.none.where(mask, self.pools[level])
        if level < DOCUMENT:
            self._take(level + 1, done, mask)
        if level == PARAGRAPH:
            for sentence, there in self.recent:
                self._take(level, sentence, mask & there, counts=False)

    def _read(self, sentence: Tensor, open_: Tensor) -> Tensor:
        """All levels as far as they have come, [batch, levels, width]; whether a sentence is."""
        found = [sentence]
        for level in range(PARAGRAPH, DOCUMENT + 1):
            child = found[-1]
            pool = self.pools[level].taken(self.levels.score(level, child), child, open_)
            open_ = pool.count > 0
            done = self.levels.cell(level, pool.mean(), self.states[level])
            found.append(torch.where(open_[:, None], done, self.states[level]))
        return torch.stack(found, 1)


def level_loss(scores: Tensor, labels: Tensor, there: Tensor) -> Tensor:
    """Supervision at two prefixes a sentence.

    Args:
        scores: of the levels.
        labels: document labels as of the same places, [batch, sentences, 2, 4].
        there: whether there is such a sentence, bool [batch, sentences].
    """
    losses = functional.binary_cross_entropy_with_logits(scores, labels, reduction="none")
    weights = there.float()
    return (losses.mean((-2, -1)) * weights).sum() / weights.sum().clamp(min=1)


def topic_loss(shifts: Tensor, ends: Ends) -> Tensor:
    """Supervision of the topic classifier, whose logits are [batch, sentences]."""
    losses = functional.binary_cross_entropy_with_logits(
        shifts, ends.topic.float(), reduction="none"
    )
    weights = ends.there.float()
    weights[:, :2] = 0
    return (losses * weights).sum() / weights.sum().clamp(min=1)
