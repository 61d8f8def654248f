"""Documents cut into sentences, paragraphs and topics, for training the levels above the tokens.

A document is one to three generated messages one after the other, as far as a segment goes: a
topic ends where a message does. Labels are as of the end of each sentence; of what several
messages hold, the gravest counts.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.generator.rows import CHUNK, LONG, batch_seed, prefix_labels
from operators.hierarchy.boundaries import BoundaryState, Level, advance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dlp.generator.messages import Labelled
    from operators.dlp.generator.rows import Source

SENTENCES: Final = 48
"""Most sentences of a document."""
_CONSISTENT: Final = 4
_SIZES: Final = ((600, 2000), (300, 900), (200, 600))
_STREAM: Final = 31


class Document(NamedTuple):
    """One row.

    Attributes:
        ids: int64 [512], padded with 0.
        sentence: number of the sentence of each token, int64 [512]; -1 for none.
        paragraph: whether a paragraph ends with a sentence, bool [48].
        topic: whether a sentence begins another message, bool [48].
        there: whether there is such a sentence, bool [48].
        labels: the four document labels as of its end, float32 [48, 4].
    """

    ids: NDArray[np.int64]
    sentence: NDArray[np.int64]
    paragraph: NDArray[np.bool_]
    topic: NDArray[np.bool_]
    there: NDArray[np.bool_]
    labels: NDArray[np.float32]


def documents(source: Source, step: int, rows: int) -> list[Document]:
    """The rows of a step: the same step gives the same bytes."""
    rng = Random(batch_seed(_STREAM, step))
    return [document(source, rng) for _ in range(rows)]


def document(source: Source, rng: Random) -> Document:
    """One row."""
    made = _empty()
    used = sentences = bits = 0
    sizes = _SIZES[rng.choice((0, 0, 1, 1, 2))]
    for number in range(3):
        labelled = source.message(rng, rng.randrange(*sizes))
        if number and rng.random() < (1.0 if sizes is _SIZES[0] else 0.2):
            break
        taken, count, last = _append(source, labelled, made, used, sentences, bits)
        if count and number and sentences < SENTENCES:
            made.topic[sentences] = True
        used, sentences, bits = used + taken, sentences + count, last
        if used == LONG or sentences == SENTENCES:
            break
    return made


def _append(
    source: Source, labelled: Labelled, made: Document, used: int, before: int, bits: int
) -> tuple[int, int, int]:
    """Put a message behind what there is; how many tokens and sentences were taken, and labels."""
    text = labelled.serialized.text
    encoding = source.tokenizer.encode(text)
    _, found = advance(BoundaryState(), text, complete=True)
    ends = np.array([one.end for one in found if one.level is Level.SENTENCE])
    paragraphs = {one.end for one in found if one.level is Level.PARAGRAPH}
    of = np.searchsorted(ends, encoding.ends, side="left").clip(max=len(ends) - 1)
    fits = int(np.searchsorted(of, min(len(ends), SENTENCES - before), side="left"))
    taken = min(fits, LONG - used)
    if not taken:
        return 0, 0, bits
    made.ids[used : used + taken] = encoding.ids[:taken]
    made.sentence[used : used + taken] = before + of[:taken]
    count = int(of[taken - 1]) + 1
    # The labels of a chunk are as of its last token: each sentence's end, as many times.
    reached = np.repeat(ends[:count], CHUNK).astype(np.int32)
    if taken < fits:
        reached[-CHUNK:] = encoding.ends[taken - 1]
    own = prefix_labels(labelled, reached, 0, count)
    for number in range(count):
        place, now = before + number, int(own[number])
        if before:
            now = (now | bits) & ~_CONSISTENT | (now & bits & _CONSISTENT)
        made.labels[place] = [now >> bit & 1 for bit in range(4)]
        made.there[place] = True
        made.paragraph[place] = int(ends[number]) in paragraphs
    return taken, count, now


def _empty() -> Document:
    return Document(
        np.zeros(LONG, np.int64),
        np.full(LONG, -1, np.int64),
        np.zeros(SENTENCES, bool),
        np.zeros(SENTENCES, bool),
        np.zeros(SENTENCES, bool),
        np.zeros((SENTENCES, 4), np.float32),
    )
