"""A user's own labelled messages among generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.dsl import FieldSpan, Message, serialize
from operators.dlp.generator.messages import Labelled
from operators.dlp.generator.rows import Source
from operators.dlp.generator.writing import Entity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from streams.dlp.records import Record

SHARE: Final = 0.5


def labelled(record: Record) -> Labelled:
    """A labelled text as a message without context, which nobody outside reads."""
    message = Message(record.text)
    serialized = serialize(message)
    spans: list[FieldSpan] = []
    entities: list[Entity] = []
    for start, end, kind in sorted(record.spans):
        span = FieldSpan("body", 0, start, end, kind)
        placed = serialized.to_text(span)
        if placed is not None and (not entities or placed.start >= entities[-1].end):
            spans.append(span)
            key = record.text[start:end]
            entities.append(Entity(placed.start, placed.end, kind, disguised=False, key=key))
    return Labelled(
        message, serialized, tuple(spans), tuple(entities), outside=False, inconsistent_from=-1
    )


class Blended(Source):
    """Rows by seed, half of them a user's own; the other half keeps what was learnt before.

    Args:
        source: of the generated ones.
        own: the user's.
    """

    def __init__(self, source: Source, own: Sequence[Labelled]) -> None:
        super().__init__(source.pools, source.library, source.tokenizer)
        self._own = own

    def message(self, rng: Random, size: int, *, easy: bool = False) -> Labelled:
        """One of the user's own, or a generated one."""
        if rng.random() < SHARE:
            return self._own[rng.randrange(len(self._own))]
        return super().message(rng, size, easy=easy)
