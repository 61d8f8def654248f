"""Messages as arrays of tokens: what the training loop feeds on."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.dsl import align_spans
from operators.dlp.generator.messages import LIMITS, POINTS, Labelled, generate, generate_thread
from operators.dlp.tokenizer import token_tags

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dlp.generator.library import Library
    from operators.dlp.generator.pools import Pools
    from operators.dlp.tokenizer import Tokenizer

CHUNK: Final = 64
LONG: Final = 512
SHORT: Final = 128
SHUFFLED: Final = 0.1
ALONE, CONTINUED, ANSWERED = range(3)
"""How a second segment stands to the first: on its own, its continuation, the thread's next."""
_SEEDS: Final = 1 << 20


class Window(NamedTuple):
    """Part of a message, as tokens.

    Attributes:
        ids: uint16 [length], padded with 0.
        tags: uint8 [length].
        labels: uint8 [chunks], the four document labels as bits 0 to 3, as of each chunk's end.
        shuffled: whether two chunks were exchanged.
    """

    ids: NDArray[np.uint16]
    tags: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    shuffled: bool


class Batch(NamedTuple):
    """Rows of one optimiser step; ids uint16, tags and labels uint8, the rest uint8 flags.

    Attributes:
        long_ids: [rows, 2, 512].
        long_tags: [rows, 2, 512].
        long_labels: [rows, 2, 8].
        long_shuffled: [rows, 2].
        link: [rows], how the second segment stands to the first.
        short_ids: [rows, 128].
        short_tags: [rows, 128].
        short_labels: [rows, 2].
        short_shuffled: [rows].
    """

    long_ids: NDArray[np.uint16]
    long_tags: NDArray[np.uint8]
    long_labels: NDArray[np.uint8]
    long_shuffled: NDArray[np.uint8]
    link: NDArray[np.uint8]
    short_ids: NDArray[np.uint16]
    short_tags: NDArray[np.uint8]
    short_labels: NDArray[np.uint8]
    short_shuffled: NDArray[np.uint8]


class Source:
    """Rows by seed.

    Args:
        pools: names of one side of the split.
        library: carriers of the same side.
        tokenizer: turns text into ids.
        easy: whether nothing is disguised (the curriculum's first part).
    """

    def __init__(self, pools: Pools, library: Library, tokenizer: Tokenizer) -> None:
        self.pools = pools
        self.library = library
        self.tokenizer = tokenizer

    def batch(self, seed: int, long: int, short: int, *, easy: bool = False) -> Batch:
        """The batch of a seed: the same seed gives the same bytes."""
        rng = Random(seed)
        pairs = [self._pair(rng, easy=easy) for _ in range(long)]
        shorts = [self._short(rng, easy=easy) for _ in range(short)]
        return Batch(
            np.array([[window.ids for window in windows] for _, windows in pairs]),
            np.array([[window.tags for window in windows] for _, windows in pairs]),
            np.array([[window.labels for window in windows] for _, windows in pairs]),
            np.array([[window.shuffled for window in windows] for _, windows in pairs], np.uint8),
            np.array([link for link, _ in pairs], np.uint8),
            np.array([window.ids for window in shorts]),
            np.array([window.tags for window in shorts]),
            np.array([window.labels for window in shorts]),
            np.array([window.shuffled for window in shorts], np.uint8),
        )

    def message(self, rng: Random, size: int, *, easy: bool = False) -> Labelled:
        """A message of about a size, by a seed drawn from `rng`."""
        return generate(rng.getrandbits(60), self.pools, self.library, size, easy=easy)

    def _pair(self, rng: Random, *, easy: bool) -> tuple[int, list[Window]]:
        chance = rng.random()
        if chance < 0.45:
            message = self.message(rng, rng.randrange(1800, 4200), easy=easy)
            return CONTINUED, self.windows(message, rng, LONG, 2)
        if chance < 0.8:
            alone = [self.message(rng, rng.randrange(500, 1900), easy=easy) for _ in range(2)]
            return ALONE, [self.windows(message, rng, LONG, 1)[0] for message in alone]
        seed = rng.getrandbits(60)
        sizes = (rng.randrange(200, 1500), rng.randrange(200, 1500))
        thread = generate_thread(seed, self.pools, self.library, sizes, easy=easy)
        return ANSWERED, [self.windows(message, rng, LONG, 1, whole=True)[0] for message in thread]

    def _short(self, rng: Random, *, easy: bool) -> Window:
        size = rng.choice((20, 60, 120, 200, 300, 420))
        return self.windows(self.message(rng, size, easy=easy), rng, SHORT, 1)[0]

    def windows(
        self, labelled: Labelled, rng: Random, length: int, count: int, *, whole: bool = False
    ) -> list[Window]:
        """`count` windows one after the other, from the start or from anywhere."""
        text = labelled.serialized
        encoding = self.tokenizer.encode(text.text)
        tags = token_tags(encoding, align_spans(text, labelled.spans))
        total = len(encoding.ids)
        start = 0
        if not whole and total > length * count and rng.random() < 0.6:
            start = rng.randrange(total - length * count + 1)
        stop = min(total, start + length * count)
        ends = encoding.ends[start:stop]
        origin = int(encoding.starts[start]) if total else 0
        labels = prefix_labels(labelled, ends, origin, count * length // CHUNK)
        found = []
        for number in range(count):
            low, high = start + number * length, min(stop, start + (number + 1) * length)
            ids = np.zeros(length, np.uint16)
            marks = np.full(length, 20, np.uint8)
            if low < high:
                ids[: high - low] = encoding.ids[low:high]
                marks[: high - low] = tags[low:high]
            chunks = labels[number * length // CHUNK : (number + 1) * length // CHUNK]
            shuffled = high - low >= 3 * CHUNK and rng.random() < SHUFFLED
            if shuffled:
                _exchange(rng, ids, marks, (high - low) // CHUNK)
                chunks = np.full_like(chunks, chunks[-1])
            found.append(Window(ids, marks, chunks, shuffled))
        return found


def _exchange(rng: Random, ids: NDArray[np.uint16], tags: NDArray[np.uint8], chunks: int) -> None:
    first, second = rng.sample(range(chunks), 2)
    for values in (ids, tags):
        shaped = values.reshape(-1, CHUNK)
        shaped[[first, second]] = shaped[[second, first]]


def prefix_labels(
    labelled: Labelled, ends: NDArray[np.int32], origin: int, chunks: int
) -> NDArray[np.uint8]:
    """The document labels as of the end of each chunk, of what stands in the window up to there."""
    last = np.minimum((np.arange(chunks) + 1) * CHUNK, len(ends)) - 1
    reached = ends[last] if len(ends) else np.full(chunks, origin)
    return labels_at(labelled, reached, origin)


def labels_at(labelled: Labelled, reached: NDArray[np.integer], origin: int) -> NDArray[np.uint8]:
    """The document labels as bits, of what stands from `origin` on up to each place, in order."""
    labels = np.zeros(len(reached), np.uint8)
    points: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    disguised = False
    entities = iter(entity for entity in labelled.entities if entity.start >= origin)
    entity = next(entities, None)
    for number, place in enumerate(reached.tolist()):
        while entity is not None and entity.end <= place:
            if (entity.type, entity.key) not in seen:
                seen.add((entity.type, entity.key))
                most = LIMITS.get(entity.type, 9.0)
                points[entity.type] = min(most, points.get(entity.type, 0.0) + POINTS[entity.type])
            disguised |= entity.disguised
            entity = next(entities, None)
        sensitive = sum(points.values()) >= 1.0 - 1e-9
        exposed = sensitive and labelled.outside and origin == 0
        clashes = origin == 0 and 0 <= labelled.inconsistent_from <= place
        labels[number] = sensitive | exposed << 1 | (not clashes) << 2 | disguised << 3
    return labels


def batch_seed(stream: int, step: int) -> int:
    """The seed of a step's batch in a numbered stream of batches."""
    return stream * _SEEDS + step
