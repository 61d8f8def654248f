"""What stands above the tokens of one stream: its topics and levels, kept together.

    outline = Outline(weights, 0.5)
    outline.tokens(hidden)              the opening's, then those of the text as they come
    outline.sentence()                  at the end of the opening, and where a sentence ends
    outline.paragraph()                 at the end of the opening, and where a paragraph ends
    outline.flush()                     where a segment is closed
    outline.read(segments).scores       at any time

A sentence that begins another topic ends the paragraph and the topic before it. All of it follows
from the tokens and the places of these calls among them, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from operators.hierarchy.levels import (
    DOCUMENT,
    PARAGRAPH,
    SENTENCE,
    TOPIC,
    LevelReading,
    Levels,
    LevelWeights,
)
from operators.hierarchy.lookahead import LookaheadWeights
from operators.hierarchy.topics import Topics, TopicWeights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class HierarchyWeights(NamedTuple):
    """All that is trained above the tokens of the causal network."""

    levels: LevelWeights
    topics: TopicWeights
    lookahead: LookaheadWeights

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From PyTorch's state by name, as arrays.

        Raises:
            KeyError: one is missing.
        """

        def part(name: str) -> dict[str, NDArray[Any]]:
            return {
                key.removeprefix(f"{name}."): value
                for key, value in arrays.items()
                if key.startswith(f"{name}.")
            }

        return cls(
            LevelWeights.from_arrays(part("levels")),
            TopicWeights.from_arrays(part("topics")),
            LookaheadWeights.from_arrays(part("lookahead")),
        )


class Outline:
    """The sentences, paragraphs, topics and the document of one stream.

    Args:
        weights: trained.
        turn: chance of another topic from which on a topic ends.
        state: from `to_bytes`; none for a new stream.

    Raises:
        StateMismatch: the state is of another size.
    """

    def __init__(self, weights: HierarchyWeights, turn: float, state: bytes | None = None) -> None:
        self._turn = turn
        width = Topics.size(weights.topics)
        self._topics = Topics(weights.topics, None if state is None else state[:width])
        self._levels = Levels(weights.levels, None if state is None else state[width:])

    @property
    def nbytes(self) -> int:
        """Bytes of its state."""
        return len(self.to_bytes())

    def to_bytes(self) -> bytes:
        """All that has to be kept; its size is fixed."""
        return self._topics.to_bytes() + self._levels.to_bytes()

    def tokens(self, hidden: NDArray[np.floating]) -> None:
        """Take in tokens; their last representations are [tokens, width of a token]."""
        self._topics.tokens(hidden)
        self._levels.tokens(hidden)

    def sentence(self, *, topics: bool = True) -> float:
        """End a sentence; the chance that it began another topic.

        Args:
            topics: whether it may; else that is not worked out, and the chance is 0. Sentences
                after it are compared with it all the same.
        """
        chance = self._topics.shift() if topics else 0.0
        if chance > self._turn:
            self._levels.close(PARAGRAPH)
            self._levels.close(TOPIC)
        self._levels.close(SENTENCE)
        self._topics.close()
        return chance

    def begins_topic(self, chance: float) -> bool:
        """Whether a chance that `sentence` gave ended the topic before it."""
        return chance > self._turn

    def paragraph(self) -> None:
        """End a paragraph, behind the end of its last sentence."""
        self._levels.close(PARAGRAPH)

    def flush(self) -> None:
        """Let the document's recurrence take its step: a segment is closed."""
        self._levels.close(DOCUMENT)

    @property
    def begun(self) -> int:
        """Tokens in the sentence that has not ended."""
        return self._levels.begun

    def carried(self, level: int) -> NDArray[np.float64]:
        """Representation of the last sentence (0), paragraph, topic or document (3) that ended."""
        return self._levels.carried(level)

    def read(self, segments: NDArray[np.floating]) -> LevelReading:
        """Scores and representations as of now; changes nothing.

        Args:
            segments: document logits of the current segment and of those before it, the gravest
                of each, [4].
        """
        return self._levels.read(segments)
