"""Streams as they grow, for training what stands above the tokens of the causal network.

A stream is the body of one to four generated messages one after the other, behind what is known of
the first one before anything is written (`operators.hierarchy.growing.opening`), which is the first
sentence and a paragraph of its own. A topic ends where
a message of other people about other things begins; the next message of a thread goes on with the
topic. Labels are as of a token in the middle of each sentence and as of its last one.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.dsl import Message, Serialized
from operators.dlp.generator.messages import Labelled, generate_thread
from operators.dlp.generator.rows import batch_seed, labels_at
from operators.dlp.markers import Mark
from operators.dlp.tags import TypedSpan, to_tags
from operators.dlp.tokenizer import token_tags
from operators.hierarchy.boundaries import BoundaryState, Level, advance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dlp.generator.rows import Source

TOKENS: Final = 896
"""Of a stream, at most."""
SENTENCES: Final = 64
"""The same."""
READS: Final = 2
"""Places in a sentence: in its middle, at its end."""
_SIZES: Final = ((20, 300), (300, 1200), (1200, 3200), (150, 900), (60, 400))
"""Code points of a message, in five kinds of streams."""
_MESSAGES: Final = (1, 1, 1, 2, 4)
"""Messages of each kind, at most."""
_KINDS: Final = (0, 1, 1, 2, 2, 3, 3, 4, 4)
_BETWEEN: Final = ("\n", "\n", "\n\n", "\n\n", " ")
_SAME_TOPIC: Final = 0.4
_STREAM: Final = 31


class Document(NamedTuple):
    """One row.

    Attributes:
        ids: int64 [896], padded with 0.
        tags: of the tokens, int64 [896].
        sentence: number of the sentence of each token, int64 [896]; -1 for none.
        paragraph: whether a paragraph ends with a sentence, bool [64].
        topic: whether a sentence begins another topic, bool [64].
        there: whether there is such a sentence, bool [64].
        places: token in the middle and last token of each sentence, int64 [64, 2].
        labels: the four document labels as of these, float32 [64, 2, 4].
    """

    ids: NDArray[np.int64]
    tags: NDArray[np.int64]
    sentence: NDArray[np.int64]
    paragraph: NDArray[np.bool_]
    topic: NDArray[np.bool_]
    there: NDArray[np.bool_]
    places: NDArray[np.int64]
    labels: NDArray[np.float32]


class Stream(NamedTuple):
    """A text that grows.

    Attributes:
        message: what is known before it is written.
        body: all of it, as normalisation leaves it.
        begins: code points of the body at which another topic begins.
        labelled: the whole as one message; places in its text.
        text: the body as it was written.
        spans: values in that.
    """

    message: Message
    body: str
    begins: tuple[int, ...]
    labelled: Labelled
    text: str
    spans: tuple[TypedSpan, ...]


def documents(source: Source, step: int, rows: int) -> list[Document]:
    """The rows of a step: the same step gives the same bytes."""
    rng = Random(batch_seed(_STREAM, step))
    return [document(source, stream(source, rng), rng) for _ in range(rows)]


def stream(source: Source, rng: Random) -> Stream:
    """One to four messages."""
    kind = rng.choice(_KINDS)
    sizes = _SIZES[kind]
    first, *others = _messages(source, rng, rng.randint(1, _MESSAGES[kind]), sizes)
    head = first[0].serialized.text
    head = head[: head.index(Mark.BODY.value) + 1]
    body, text, begins = "", "", []
    spans: list[TypedSpan] = []
    entities = [entity for entity in first[0].entities if entity.end <= len(head)]
    for number, (labelled, same) in enumerate((first, *others)):
        section = next(one for one in labelled.serialized.offset_map if one.field == "body")
        if number:
            between = rng.choice(_BETWEEN)
            body, text = body + between, text + between
            begins += [] if same else [len(body)]
        moved = len(head) + len(body) - section.start
        entities += [
            entity._replace(start=entity.start + moved, end=entity.end + moved)
            for entity in labelled.entities
            if section.start <= entity.start and entity.end <= section.end
        ]
        spans += [
            TypedSpan(len(text) + span.start, len(text) + span.end, span.type)
            for span in labelled.spans
            if span.field == "body"
        ]
        body, text = body + section.traced.text, text + labelled.message.body
    clash = first[0].inconsistent_from
    section = next(one for one in first[0].serialized.offset_map if one.field == "body")
    whole = Labelled(
        replace(first[0].message, body=text, attachments=(), links=()),
        Serialized(head + body, (section,)),
        (),
        tuple(entities),
        first[0].outside,
        clash if clash <= section.end else -1,
    )
    known = replace(whole.message, body="")
    return Stream(known, body, tuple(begins), whole, text, tuple(spans))


def _messages(
    source: Source, rng: Random, count: int, sizes: tuple[int, int]
) -> list[tuple[Labelled, bool]]:
    """Messages, and whether each goes on with the topic of the one before."""
    found: list[tuple[Labelled, bool]] = []
    while len(found) < count:
        if found or rng.random() >= _SAME_TOPIC:
            found.append((source.message(rng, rng.randrange(*sizes)), False))
            continue
        lengths = (rng.randrange(*sizes), rng.randrange(*sizes))
        thread = generate_thread(rng.getrandbits(60), source.pools, source.library, lengths)
        found += [(one, bool(number)) for number, one in enumerate(thread)]
    return found[:count]


def document(source: Source, made: Stream, rng: Random) -> Document:
    """A stream as a row; it is cut where the row is full."""
    row = _empty()
    text, head = made.labelled.serialized.text, len(made.labelled.serialized.text) - len(made.body)
    encoding = source.tokenizer.encode(text)
    _, found = advance(BoundaryState(), made.body, complete=True)
    ends = [head, *(head + one.end for one in found if one.level is Level.SENTENCE)]
    paragraphs = {head, *(head + one.end for one in found if one.level is Level.PARAGRAPH)}
    of = np.searchsorted(ends, encoding.ends, side="left").clip(max=len(ends) - 1)
    held, of = np.unique(of, return_inverse=True)
    taken = min(int(np.searchsorted(of, SENTENCES, side="left")), TOKENS)
    of = of[:taken]
    row.ids[:taken], row.sentence[:taken] = encoding.ids[:taken], of
    spans = [TypedSpan(*entity[:3]) for entity in made.labelled.entities]
    row.tags[:taken] = token_tags(encoding, to_tags(spans, len(text)))[:taken]
    for begin in made.begins:
        number = int(np.searchsorted(held, np.searchsorted(ends, head + begin, side="right")))
        if 0 < number < SENTENCES:
            row.topic[number] = True
    _, first, counts = np.unique(of, return_index=True, return_counts=True)
    count = len(first)
    row.there[:count] = True
    row.places[:count, 1] = first + counts - 1
    row.places[:count, 0] = [low + rng.randrange(n) for low, n in zip(first, counts, strict=True)]
    row.places[0, 0] = row.places[0, 1]
    row.paragraph[:count] = [ends[number] in paragraphs for number in held[:count]]
    bits = labels_at(made.labelled, encoding.ends[row.places[:count].ravel()], 0)
    marks = (bits[:, None] >> np.arange(4)) & 1
    row.labels[:count] = marks.reshape(count, READS, 4)
    return row


def _empty() -> Document:
    return Document(
        np.zeros(TOKENS, np.int64),
        np.full(TOKENS, 20, np.int64),
        np.full(TOKENS, -1, np.int64),
        np.zeros(SENTENCES, bool),
        np.zeros(SENTENCES, bool),
        np.zeros(SENTENCES, bool),
        np.zeros((SENTENCES, READS), np.int64),
        np.zeros((SENTENCES, READS, 4), np.float32),
    )
