"""Topics rest while the worker is behind: what partial verdicts rest on survives a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.hierarchy.records import Head
from state import stream_keys
from streams.hierarchy.observer import BoundaryType, StreamObserver
from tests.unit.streams.hierarchy.under_test import KEY, Streams, fickle, final, partials, piece

if TYPE_CHECKING:
    from operators.hierarchy.session import Piece
    from streams.hierarchy.observer import Ended, Updated

pytestmark = pytest.mark.slow

TEXT = (
    "Hi Anna, please wire the money to DE89 3704 0044 0532 0130 00 by Friday. "
    "The invoice is attached and the bank knows about it. "
    "By the way, the cat was sick again on the new sofa last night. "
    "The vet says that she eats too fast. "
    "Deploy the release to production with kubectl rollout restart. "
    "The password of the database is hunter2secret! "
    "Our goalkeeper broke his leg in the last minute of the match. "
    "The coach was furious with the referee.\n\n"
) * 6
KNOWN_LATER = 150
"""Code points after its beginning at which a topic is known: its first sentence has ended."""


class Noted(StreamObserver):
    """Takes down where topics end, and how many sentences."""

    def __init__(self) -> None:
        self.topics: list[int] = []
        self.sentences: list[int] = []
        self.updates = 0

    def ended(self, what: Ended) -> None:
        """A boundary."""
        if what.type is BoundaryType.TOPIC:
            self.topics.append(what.position)
        elif what.type is BoundaryType.SENTENCE:
            self.sentences.append(what.position)

    def updated(self, what: Updated) -> None:  # noqa: ARG002 - as the base class has it
        """An update."""
        self.updates += 1


class Paced(Streams):
    """Streams whose topics rest in some units of work."""

    def __init__(self) -> None:
        self.noted = Noted()
        super().__init__(made=fickle())

    def observer(self) -> StreamObserver:
        """Who is told."""
        return self.noted

    def paced(self, one: Piece, *, topics: bool) -> None:
        """A unit of work."""
        self.driver.topics = topics
        self.take(one)

    def levels(self) -> tuple[float, ...]:
        """What the levels make of the text so far, to the bit."""
        said = self.driver.seen(KEY)
        assert said is not None
        return tuple(said.found.scores.values())


PIECES = [piece(at, TEXT[at : at + 60]) for at in range(0, len(TEXT), 60)]
END = piece(len(TEXT), "", "END")


def read(plan: list[bool], restarts: set[int]) -> tuple[Paced, list[tuple[float, ...]]]:
    """A stream read by a plan, restarted before some pieces; scores after each."""
    streams, scores = Paced(), []
    for number, (one, topics) in enumerate(zip(PIECES, plan, strict=True)):
        if number in restarts:
            streams.restart()
        streams.paced(one, topics=topics)
        scores.append(streams.levels())
    return streams, scores


def test_topics_that_rest_neither_end_nor_begin_and_sentences_go_on() -> None:
    """In the middle third no topic ends; what comes before and where sentences end is the same."""
    third = len(PIECES) // 3
    plan = [not third <= number < 2 * third for number in range(len(PIECES))]
    rested, others = read(plan, set())
    works, scores = read([True] * len(PIECES), set())
    low, high = third * 60, 2 * third * 60
    assert [at for at in works.noted.topics if low < at < high - KNOWN_LATER]
    assert not [at for at in rested.noted.topics if low < at < high - KNOWN_LATER]
    assert [at for at in rested.noted.topics if at >= high]
    before = [at for at in works.noted.topics if at < low - KNOWN_LATER]
    assert rested.noted.topics[: len(before)] == before != []
    assert rested.noted.sentences == works.noted.sentences
    assert scores[: third - 1] == others[: third - 1]
    assert scores[-1] != others[-1]
    for streams in (rested, works):
        streams.take(END)
    assert final(rested.said[KEY]) == final(works.said[KEY])


@pytest.mark.parametrize("plan", [[True, True, False], [False, True], [False] * 5 + [True] * 4])
def test_rebuilt_stream_rests_where_it_rested(plan: list[bool]) -> None:
    """Whatever the worker that rebuilds it does then: partial verdicts and scores, to the bit."""
    of_pieces = (plan * len(PIECES))[: len(PIECES)]
    undisturbed, scores = read(of_pieces, set())
    restarted, others = read(of_pieces, set(range(0, len(PIECES), 3)))
    assert others == scores
    assert partials(restarted.said[KEY]) == partials(undisturbed.said[KEY])
    key = stream_keys.head_key(KEY)
    assert restarted.table[key] == undisturbed.table[key]
    assert scores != read([True] * len(PIECES), set())[1], "resting changed nothing"
    assert len(Head.from_bytes(restarted.table[key]).kept) > 1, "no checkpoint was passed"


def test_edit_reads_what_was_before_it_as_it_was_read() -> None:
    """Its checkpoint lies far back: topics that rested there rest again, restarted or not."""
    plan = [number % 8 < 4 for number in range(len(PIECES))]
    undisturbed, _ = read(plan, set())
    restarted, _ = read(plan, set())
    works, _ = read([True] * len(PIECES), set())
    restarted.restart()
    at = len(TEXT) - 500
    edit = piece(at, "The moon is full. ", "REPLACE", at + 40)._replace(time_us=END.time_us)
    for streams in (undisturbed, restarted, works):
        streams.paced(edit, topics=True)
    assert restarted.levels() == undisturbed.levels()
    undisturbed.restart()
    assert restarted.levels() == undisturbed.levels() != works.levels()
