"""Streams that fail, that are evicted, that end by time, and those beside them."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from operators.hierarchy.buffer import BufferConfig
from operators.hierarchy.records import Head
from operators.hierarchy.session import Operation, Piece
from state import stream_keys
from state.stream_keys import StreamKey
from streams.hierarchy.driver import ATTEMPTS
from streams.hierarchy.model import StreamModel
from streams.hierarchy.observer import Failed, Recovery, StreamObserver
from tests.unit.streams.hierarchy.under_test import KEY, Streams, final, piece

if TYPE_CHECKING:
    from operators.hierarchy.text import Closed

OTHER = StreamKey("acme", "chat-2")
TEXT = "My card is 4111 1111 1111 1111, call +49 30 1234567.\n"

pytestmark = pytest.mark.slow


class Broken(StreamModel):
    """Fails for texts that say so, as often as it is to."""

    times = 0

    def judge(self, closed: Closed, *args: Any) -> Any:
        """Scan, or fail."""
        if "poison" in closed.text and self.times:
            self.times -= 1
            raise RuntimeError("of the model: " + closed.text)
        return super().judge(closed, *args)


class Told(StreamObserver):
    """Keeps failures."""

    def __init__(self) -> None:
        self.failures: list[Failed] = []

    def failed(self, what: Failed) -> None:
        """A step has failed."""
        self.failures.append(what)


class Watched(Streams):
    """Streams of a model that fails."""

    def __init__(self, times: int) -> None:
        self.watch = Told()
        made = Broken.load(BufferConfig())
        assert isinstance(made, Broken)
        made.times = times
        super().__init__(made=made)

    def observer(self) -> StreamObserver:
        """Who is told."""
        return self.watch


def ended(text: str) -> list[Piece]:
    """A text and its end."""
    return [piece(0, text), piece(len(text), "", "END")]


@pytest.mark.parametrize("failures", [1, 2])
def test_failed_step_is_taken_again(failures: int) -> None:
    """Twice at most in a row: the stream says then what it would have said at once."""
    undisturbed, streams = Watched(0), Watched(failures)
    for one in (undisturbed, streams):
        one.run({KEY: ended("poison " + TEXT), OTHER: ended(TEXT)})
    assert final(streams.said[KEY]) == final(undisturbed.said[KEY])
    assert final(streams.said[OTHER]) == final(undisturbed.said[OTHER])
    assert [one.in_a_row for one in streams.watch.failures] == list(range(1, failures + 1))
    assert all(one.recovery is Recovery.REBUILT for one in streams.watch.failures)


def test_third_failure_ends_the_stream_and_no_other() -> None:
    """It has no verdict but that of its failure, and nothing of it is left but its mark."""
    streams = Watched(ATTEMPTS)
    streams.run({KEY: [piece(0, "poison " + TEXT)], OTHER: [piece(0, TEXT)]})
    length = len("poison " + TEXT)
    outcomes = streams.run({KEY: [piece(length, "", "END")], OTHER: [piece(len(TEXT), "", "END")]})
    outcome = outcomes[KEY]
    assert outcome.ended
    assert isinstance(outcome.error, RuntimeError)
    assert outcome.head is not None
    assert outcome.head.tip == "poison " + TEXT
    assert not outcome.said
    assert streams.watch.failures[-1].recovery is Recovery.QUARANTINED
    assert final(streams.said[OTHER])
    assert set(streams.table) == {stream_keys.ended_key(KEY), stream_keys.ended_key(OTHER)}


def test_failure_in_a_shared_call_is_its_streams_alone() -> None:
    """A call of many streams that fails is taken again one by one; others lose nothing."""
    streams = Watched(0)
    encode = streams.model.steps.encode
    poison = {streams.model.reading.tokenizer.encode(" poison").ids[-1]}

    def fails(waiting: Any, wanted: Any = None) -> Any:
        if any(poison & set(ids.tolist()) for _, ids in waiting):
            raise RuntimeError("a kernel failed")
        return encode(waiting, wanted)

    streams.model.steps.encode = fails  # type: ignore[method-assign]
    bad, good = "the poison is here " + TEXT, TEXT
    outcomes = streams.run({KEY: [piece(0, bad)], OTHER: [piece(0, good)]})
    assert outcomes[KEY].error is not None
    assert outcomes[OTHER].error is None
    assert {one.stream for one in streams.watch.failures} == {KEY.name}
    undisturbed = Watched(0)
    undisturbed.run({OTHER: [piece(0, good)]})
    assert (
        streams.table[stream_keys.head_key(OTHER)]
        == (undisturbed.table[stream_keys.head_key(OTHER)])
    )


def test_memory_is_counted_and_kept_to() -> None:
    """Streams used longest ago go first, and come back from the table."""
    streams = Streams()
    keys = [StreamKey("acme", f"chat-{number}") for number in range(6)]
    long = TEXT * 8
    for key in keys:
        streams.run({key: [piece(0, long)]})
    held = streams.driver.nbytes
    assert len(streams.driver) == len(keys)
    streams.driver.make_room(held // 2)
    assert streams.driver.nbytes <= held // 2
    assert 0 < len(streams.driver) < len(keys)
    for key in keys:
        streams.run({key: [piece(len(long), "", "END")]})
    verdicts = {str(final(streams.said[key])) for key in keys}
    assert len(verdicts) == 1
    assert len(streams.driver) == streams.driver.nbytes == 0


def test_bytes_counted_are_those_there_are() -> None:
    """Within a fifth of what Python and NumPy have allocated."""
    streams = Streams()
    streams.run({OTHER: [piece(0, TEXT)]})
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        counted = streams.driver.nbytes
        for number in range(8):
            streams.run({StreamKey("acme", f"more-{number}"): [piece(0, TEXT * (4 + 2 * number))]})
        held = sum(len(key) + len(value) for key, value in streams.table.items())
        grown = tracemalloc.get_traced_memory()[0] - before - held
    finally:
        tracemalloc.stop()
    assert streams.driver.nbytes - counted == pytest.approx(grown, rel=0.2)


def test_gaps_late_and_repeated_pieces_are_counted() -> None:
    """They are told in the verdict; spans stand at the positions of the pieces."""
    streams = Streams()
    card = "my card is 4111 1111 1111 1111 "
    streams.take(
        piece(0, "hello there. "),
        piece(100, card),  # 87 missing
        piece(50, "abc"),  # three of them, too late
        piece(100, card[:10]),  # again
        piece(100 + len(card), "", "END"),
    )
    said = streams.said[KEY][-1]
    assert (said.missing, said.late, said.repeated) == (84, 3, 10)
    [span] = [one for one in said.found.spans if one.type == "PAN"]
    at = 100 + card.index("4111")
    assert (span.start, span.end) == (at, at + 19)
    assert said.position == 100 + len(card)


def test_token_ids_say_what_their_text_says() -> None:
    """Pieces of tokens, code points cut in two by them included."""
    streams, plain = Streams(), Streams()
    text = TEXT + "Grüße, 合同 😀 done. "
    ids = streams.model.reading.tokenizer.encode(text).ids.tolist()
    for at in range(0, len(ids), 3):
        part = tuple(ids[at : at + 3])
        streams.take(Piece(Operation.APPEND, at, None, None, part, at * 20_000))
    streams.take(Piece(Operation.END, len(ids), None, None, None, len(ids) * 20_000))
    plain.take(piece(0, text, "END"))
    assert final(streams.said[KEY]) == final(plain.said[KEY])


def test_timed_out_stream_has_its_final_verdict() -> None:
    """The same as at an END."""
    streams, ending = Streams(), Streams()
    streams.take(piece(0, TEXT))
    streams.take(None)
    ending.take(*ended(TEXT))
    assert final(streams.said[KEY]) == final(ending.said[KEY])


def test_pieces_that_do_not_fit_change_nothing() -> None:
    """Token ids in a stream of text, edits of what never came: refused, and the stream goes on."""
    streams, plain = Streams(), Streams()
    streams.take(piece(0, TEXT))
    before = streams.table[stream_keys.head_key(KEY)]
    strange = Piece(Operation.APPEND, len(TEXT), None, None, (5, 6), 0)
    beyond = piece(10_000, "x", "REPLACE", 10_001)
    outcome = streams.take(strange, beyond)
    assert len(outcome.rejected) == 2
    after = Head.from_bytes(streams.table[stream_keys.head_key(KEY)])
    assert after.tip == Head.from_bytes(before).tip
    streams.take(piece(len(TEXT), "", "END"))
    plain.take(*ended(TEXT))
    assert final(streams.said[KEY]) == final(plain.said[KEY])


def test_spans_keep_their_names() -> None:
    """A number that grows is one span, told otherwise."""
    streams = Streams()
    streams.take(piece(0, "call me at +49 30 12345 "))
    streams.take(piece(24, "67 tomorrow, or write to john.smith@example.org please. "))
    streams.take(piece(80, "and that is all there is to say about it today, thanks. "))
    streams.take(piece(136, "", "END"))
    said = streams.said[KEY]
    names = {
        (one.type, name) for v in said for one, name in zip(v.found.spans, v.names, strict=True)
    }
    assert len({name for kind, name in names if kind == "EMAIL"}) == 1


def named(streams: Streams, kind: str) -> list[tuple[int, int]]:
    """Names and places of the spans of a type in the last verdict."""
    said = streams.said[KEY][-1]
    pairs = zip(said.names, said.found.spans, strict=True)
    return [(name, span.start) for name, span in pairs if span.type == kind]


def test_span_behind_an_edit_keeps_its_name() -> None:
    """Text that is put in before it moves it, also by more than it was away; so in token ids."""
    text, new = "my card is 4111 1111 1111 1111 and that is all. ", "Hello Anna, how are you? "
    encode = Streams().model.reading.tokenizer.encode
    for in_ids in (False, True):
        streams = Streams()

        def given(at: int, words: str, operation: str, ids: bool = in_ids) -> Piece:
            made = tuple(encode(words).ids.tolist()) if ids else None
            end = at if operation == "REPLACE" else None
            time_us = 0 if operation == "APPEND" else 2_000_000
            return Piece(Operation(operation), at, end, None if ids else words, made, time_us)

        streams.take(given(0, text, "APPEND"))
        [before] = named(streams, "PAN")
        assert not streams.take(given(0, new, "REPLACE")).rejected
        streams.take(None)
        assert named(streams, "PAN") == [(before[0], len(new) + text.index("4111"))]
