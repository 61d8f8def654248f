"""A stream's verdicts follow from its text: not from pieces, batches, evictions and restarts."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hierarchy.session import Operation, Piece
from state.stream_keys import StreamKey
from tests.unit.streams.hierarchy.under_test import KEY, Streams, final, model, partials, piece

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


pytestmark = pytest.mark.slow

PARTS = [
    "Hi Anna, please wire the money to DE89 3704 0044 0532 0130 00 by Friday. ",
    "My card is 4111 1111 1111 1111, call +49 30 1234567.\n",
    "The quarterly report was late again; we should talk about it.\n\n",
    "Dear Mr. Brown, the password is hunter2secret! ",
    "AKIAIOSFODNN7EXAMPLE is the key. ",
    "合同已经收到。第三条需要修改。",
    "see https://example.org/a?b=c, or write to john.smith@example.org ",
]
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=30).map("".join)


def in_pieces(whole: str, rng: Random) -> list[Piece]:
    """A text in pieces of one to some hundred code points, and its end."""
    found, at = [], 0
    while at < len(whole):
        size = rng.choice((1, 2, 5, 12, 40, 150, 600))
        found.append(piece(at, whole[at : at + size]))
        at += size
    return [*found, piece(len(whole), "", "END")]


def whole_of(text: str) -> tuple[object, ...]:
    """The final verdict of a text that comes in one piece."""
    streams = Streams()
    streams.take(piece(0, text, "END"))
    return final(streams.said[KEY])


@settings(deadline=None, max_examples=12)
@given(TEXTS, st.randoms(use_true_random=False))
def test_final_verdict_follows_from_the_text(text: str, rng: Random) -> None:
    """Pieces, units of work, evictions and restarts at random change nothing of it."""
    expected = whole_of(text)
    streams, left = Streams(), in_pieces(text, rng)
    while left:
        count = rng.randrange(1, 8)
        streams.take(*left[:count])
        del left[:count]
        if rng.random() < 0.3:
            streams.driver.forget(KEY)
        if rng.random() < 0.1:
            streams.restart()
    assert final(streams.said[KEY]) == expected
    assert len(streams.table) == 1, "nothing but the mark of its end is left of a stream"


@settings(deadline=None, max_examples=8)
@given(TEXTS, st.randoms(use_true_random=False))
def test_partial_verdicts_survive_evictions_and_restarts(text: str, rng: Random) -> None:
    """To the bit, names of spans included, in whatever units of work the pieces come."""
    pieces = in_pieces(text, rng)
    undisturbed = Streams()
    for one in pieces:
        undisturbed.take(one)
    disturbed = Streams()
    left = list(pieces)
    while left:
        count = rng.randrange(1, 4)
        disturbed.take(*left[:count])
        del left[:count]
        if rng.random() < 0.5:
            disturbed.restart()
    assert partials(disturbed.said[KEY]) == partials(undisturbed.said[KEY])


@settings(deadline=None, max_examples=6)
@given(st.lists(TEXTS, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_streams_do_not_see_each_other(texts: list[str], rng: Random) -> None:
    """Encoded together, each says what it says alone, to the bit."""
    keys = [StreamKey("acme", f"chat-{number}") for number in range(len(texts))]
    left = {key: in_pieces(text, rng) for key, text in zip(keys, texts, strict=True)}
    alone = {}
    for key, pieces in left.items():
        single = Streams()
        for one in pieces:
            single.run({key: [one]})
        alone[key] = single.said[key]
    together = Streams()
    while left:
        together.run({key: [pieces.pop(0)] for key, pieces in left.items() if rng.random() < 0.7})
        left = {key: pieces for key, pieces in left.items() if pieces}
    for key, said in alone.items():
        assert final(together.said[key]) == final(said)
        assert partials(together.said[key]) == partials(said)


@settings(deadline=None, max_examples=10)
@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_edited_text_is_judged_as_it_is(text: str, other: str, rng: Random) -> None:
    """After replacements anywhere, the final verdict is that of a text that was so all along."""
    streams, now = Streams(), ""
    for one in in_pieces(text, rng)[:-1]:
        streams.take(one._replace(position=len(now)))
        now += one.text or ""
        if rng.random() < 0.2:
            low = rng.randrange(len(now) + 1)
            high = rng.randrange(low, len(now) + 1)
            new = other[: rng.randrange(80)]
            last = rng.random() < 0.2
            edit = piece(low, new, "REPLACE", None if last else high)
            outcome = streams.take(edit._replace(time_us=one.time_us))
            assert not outcome.rejected
            now = now[:low] + new + ("" if last else now[high:])
        if rng.random() < 0.2:
            streams.restart()
    streams.take(piece(len(now), "", "END"))
    assert final(streams.said[KEY]) == whole_of(now)


def in_ids(at: int, ids: Sequence[int], operation: str = "APPEND", end: int | None = None) -> Piece:
    """A piece of token ids."""
    return Piece(Operation(operation), at, end, None, tuple(ids), (at + len(ids)) * 80_000)


def written(present: Sequence[int | None]) -> Streams:
    """A stream of ids, some of which are missing, that is written in one go and ends."""
    streams, at = Streams(), 0
    while at < len(present):
        run = list(takewhile(lambda one: one is not None, present[at:]))
        if run:
            streams.take(in_ids(at, [one for one in run if one is not None]))
        at += max(1, len(run))
    streams.take(Piece(Operation.END, len(present), None, None, None, len(present) * 80_000))
    return streams


@settings(deadline=None, max_examples=12)
@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_edited_token_ids_are_judged_as_they_are(text: str, other: str, rng: Random) -> None:
    """As for text; edits cut words, code points that are spelled in bytes, and gaps."""
    encode = model().reading.tokenizer.encode
    many = rng.choice((1, 8))  # segments are flushed, and edits go back to checkpoints
    ids = encode((text + "Grüße 😀🦀 𒀀𒁀 ") * many).ids.tolist()
    others = encode(other + "Grüße 😀🦀 𒀀𒁀 ").ids.tolist()
    streams, left = Streams(), list(ids)
    now: list[int | None] = []
    while left:
        if now and rng.random() < 0.1:
            gap = rng.randrange(1, 5)
            now += [None] * gap
            left = left[gap:] or left[-1:]
        size = rng.choice((1, 2, 5, 30, 150))
        streams.take(in_ids(len(now), left[:size]))
        now += left[:size]
        del left[:size]
        if rng.random() < 0.3:
            low = rng.randrange(len(now) + 1)
            high = rng.choice((len(now), rng.randrange(low, len(now) + 1)))
            start = rng.randrange(len(others))
            new = others[start : start + rng.randrange(20)]
            if (*now[:low], *new)[-1:] == (None,) and high == len(now):
                continue  # a gap at the end is none before something comes behind it
            edit = in_ids(low, new, "REPLACE", None if high == len(now) else high)
            assert not streams.take(edit).rejected
            now[low:high] = new
        if rng.random() < 0.2:
            streams.restart()
    streams.take(Piece(Operation.END, len(now), None, None, None, len(now) * 80_000))
    assert final(streams.said[KEY]) == final(written(now).said[KEY])
