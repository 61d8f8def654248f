"""The buffer against a plain model that keeps all tokens."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidConfig
from operators.hierarchy.boundaries import Boundary, Level
from operators.hierarchy.buffer import (
    BufferConfig,
    BufferState,
    Flush,
    Policy,
    Reason,
    Token,
    advance,
    finish,
)


class Stream(NamedTuple):
    """A text's tokens and sentences, and its length in code points."""

    tokens: list[Token]
    sentences: list[Boundary]
    length: int


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Tokens of up to four code points, some known late; sentences that end after some of them."""
    sizes = draw(st.lists(st.integers(0, 4), max_size=120))
    tokens, sentences = [], []
    place = known = certain = 0
    for number, size in enumerate(sizes):
        known = max(known, place + size + draw(st.integers(0, 3)))
        tokens.append(Token(number, place, place + size, known))
        place += size
        if draw(st.integers(0, 5)) == 0 and size:
            certain = max(certain, place + draw(st.integers(0, 6)))
            sentences.append(Boundary(Level.SENTENCE, 0, place, certain))
    return Stream(tokens, sentences, max(known, certain, place))


CONFIGS = st.builds(
    BufferConfig,
    policy=st.sampled_from(Policy),
    most=st.just(32),
    overlap=st.sampled_from([4, 8]),
    chunk=st.just(4),
    seek=st.sampled_from([4, 8]),
    period_us=st.just(10),
)


def fed(config: BufferConfig, stream: Stream, cuts: list[int], *, clock: int = 0) -> list[Flush]:
    """All flushes, the text coming in pieces; a piece's time is where it ends, times `clock`."""
    state, flushes, before = BufferState(), [], -1
    for place in [*sorted(cuts), stream.length]:
        state = BufferState.from_json(json.loads(json.dumps(state.to_json())))
        state, found = advance(
            config,
            state,
            [token for token in stream.tokens if before < token.known <= place],
            [one for one in stream.sentences if before < one.certain <= place],
            place * clock,
        )
        assert len(state.tokens) <= config.most
        assert state.first % config.chunk == 0
        flushes += found
        before = max(before, place)
    return [*flushes, finish(state)]


def modelled(config: BufferConfig, stream: Stream) -> list[tuple[Reason, int, int, int]]:
    """Flushes of FIXED and SENTENCE by their definition, over the whole list."""
    found, first, count = [], 0, 0
    for token in stream.tokens:
        if count - first == config.most:
            cut, reason = count, Reason.FULL
            if config.policy is Policy.SENTENCE:
                for one in stream.sentences:
                    inside = [t for t in stream.tokens[:count] if t.end <= one.end]
                    if one.certain <= token.known and len(inside) > count - config.seek:
                        cut, reason = len(inside), Reason.SENTENCE
            following = (cut - config.overlap) // config.chunk * config.chunk
            found.append((reason, first, cut, following))
            first = following
        count += 1
    return [*found, (Reason.END, first, count, count)]


@settings(deadline=None)
@given(CONFIGS, streams(), st.lists(st.integers(0, 400), max_size=8))
def test_flushes_are_those_of_the_model_however_the_text_comes(
    config: BufferConfig, stream: Stream, cuts: list[int]
) -> None:
    """In pieces and code point by code point, where time plays no part."""
    wanted = modelled(config, stream)
    for places in ([], [min(cut, stream.length) for cut in cuts], list(range(1, stream.length))):
        assert [flush[:4] for flush in fed(config, stream, places)] == wanted


@settings(deadline=None)
@given(CONFIGS, streams(), st.lists(st.integers(0, 400), max_size=30))
def test_segments_overlap_and_cover_every_token(
    config: BufferConfig, stream: Stream, cuts: list[int]
) -> None:
    """Each segment has the overlap before the last cut, and no token is left out or made up."""
    flushes = fed(config, stream, [min(cut, stream.length) for cut in cuts], clock=1)
    cut = 0
    for flush in flushes:
        assert list(flush.tokens) == stream.tokens[flush.first :][: len(flush.tokens)]
        assert flush.first <= max(0, cut - config.overlap) < flush.first + config.chunk
        assert cut <= flush.cut <= flush.first + len(flush.tokens)
        cut = flush.cut
    assert cut == len(stream.tokens)


def test_time_flushes_what_would_let_go_of_something() -> None:
    """Not before the period is over, and not while all of the segment would be kept."""
    config = BufferConfig(Policy.TIME, 32, 8, 4, 4, 10)
    tokens = [Token(n, n, n + 1, n + 1) for n in range(20)]
    state, flushes = advance(config, BufferState(), tokens[:11], [], 100)
    state, more = advance(config, state, tokens[11:12], [], 110)
    assert not flushes + more
    state, (flush,) = advance(config, state, tokens[12:14], [], 111)
    assert flush[:4] == (Reason.TIME, 0, 12, 4)
    assert state.since_us == 111
    assert advance(config, state, tokens[14:], [], 120)[1] == []


def test_sizes_that_let_go_of_nothing_are_refused() -> None:
    """A segment must be longer than what two of them share."""
    with pytest.raises(InvalidConfig, match="lets go of nothing"):
        BufferConfig(most=256)
