"""The next segment is encoded before the present one is full, and nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.hierarchy.buffer import BufferConfig, Policy
from streams.hierarchy.encoder import StepEngine
from streams.hierarchy.model import StreamModel
from streams.hierarchy.observer import Encoded, StreamObserver
from tests.unit.streams.hierarchy.under_test import KEY, Streams, final, partials, piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.hierarchy.cache import SegmentCache

pytestmark = pytest.mark.slow

SENTENCES = (
    "My card is 4111 1111 1111 1111, call me on Friday. ",
    "The report of last quarter is late again. ",
    "Dear Mr. Brown, the password is hunter2secret! ",
)
TEXT = "".join(SENTENCES[number % 3] for number in range(130))
WITHOUT_STOPS = "and then we went on and on without a stop " * 110


class Counted(StreamObserver):
    """Counts what each call encodes of a stream."""

    def __init__(self) -> None:
        self.tokens: list[int] = []

    def encoded(self, what: Encoded) -> None:
        """Tokens have been encoded."""
        self.tokens.append(what.tokens)


class Watched(Streams):
    """Streams of which it is counted what is encoded."""

    def __init__(self, made: StreamModel | None = None) -> None:
        self.counted = Counted()
        super().__init__(made=made)

    def observer(self) -> StreamObserver:
        """Who is told."""
        return self.counted


def typed(text: str, size: int, made: StreamModel | None = None, *, lost: int = 0) -> Watched:
    """A stream that comes in pieces, its memory lost after every so many."""
    streams = Watched(made)
    for number, at in enumerate(range(0, len(text), size)):
        streams.take(piece(at, text[at : at + size]))
        if lost and number % lost == lost - 1:
            streams.driver.forget(KEY)
    streams.take(piece(len(text), "", "END"))
    return streams


def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded early any more."""
    monkeypatch.setattr("streams.hierarchy.early.Early.waiting", lambda *_: [])


@pytest.mark.parametrize("text", [TEXT, WITHOUT_STOPS])
@pytest.mark.parametrize(("size", "lost"), [(4, 0), (60, 0), (7, 90)])
def test_verdicts_are_those_without_it(
    text: str, size: int, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, partial ones too: where the flush cuts as expected, and where it does not."""
    early = typed(text, size, lost=lost)
    late(monkeypatch)
    plain = typed(text, size, lost=lost)
    assert final(early.said[KEY]) == final(plain.said[KEY])
    assert partials(early.said[KEY]) == partials(plain.said[KEY])


def test_no_flush_has_many_tokens_encoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time beside new ones, instead of 128 and more."""
    whole = sorted(typed(TEXT, 4).counted.tokens)
    assert whole[-1] < 150, "a sentence that ends with the segment cuts elsewhere"
    assert whole[-2] < 20
    late(monkeypatch)
    assert sorted(typed(TEXT, 4).counted.tokens)[-5] >= 128


def test_each_token_is_encoded_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is encoded early is not encoded again."""
    counts: list[int] = []
    encode = StepEngine.encode

    def counting(
        self: StepEngine,
        waiting: Sequence[tuple[SegmentCache, Sequence[int]]],
        wanted: Sequence[Sequence[int]] | None = None,
    ) -> object:
        counts.append(sum(len(ids) for _, ids in waiting))
        return encode(self, waiting, wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(StepEngine, "encode", counting)
    typed(TEXT, 4)
    early = sum(counts)
    counts.clear()
    late(monkeypatch)
    typed(TEXT, 4)
    assert sum(counts) <= early <= 1.1 * sum(counts)


def test_other_policies_cut_elsewhere() -> None:
    """Segments of a fixed size begin where they are expected to, too."""
    fixed = StreamModel.load(BufferConfig(policy=Policy.FIXED))
    assert max(typed(TEXT, 4, fixed).counted.tokens) < 20
