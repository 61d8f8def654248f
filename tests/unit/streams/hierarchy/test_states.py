"""What is told of representations, attention and updates of streams that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.hierarchy.logs.redaction import SKETCH
from streams.hierarchy.logs.sampling import Sampler
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.observer import State, StateType, StreamObserver, Updated
from streams.hierarchy.settings import LogShares, StreamLogSettings
from tests.unit.streams.hierarchy.logs.happenings import Counted, lines
from tests.unit.streams.hierarchy.under_test import (
    KEY,
    Streams,
    final,
    model,
    partials,
    piece,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from operators.hierarchy.session import Piece
    from streams.hierarchy.observer import Taken

pytestmark = pytest.mark.slow

TEXT = (
    "Hi Anna, my card is 4111 1111 1111 1111. Please book the room for us! The invoice of last "
    "month is still open.\n\nThe match on Saturday was great. We should play again, call me: "
    "+49 30 1234567.\n\n"
)
LONG = TEXT * 14


class Told(StreamObserver):
    """Keeps what is told, and wants a share of the states."""

    def __init__(self, share: float) -> None:
        self._sampler = Sampler(share)
        self.states: list[State] = []
        self.updates: list[Updated] = []
        self.tokens = 0

    def wanted_states(self, stream: str, positions: range) -> Sequence[int]:
        """Those of the share."""
        return self._sampler.taken(stream, positions)

    def state(self, what: State) -> None:
        """A representation."""
        self.states.append(what)

    def updated(self, what: Updated) -> None:
        """Levels have been updated."""
        self.updates.append(what)

    def taken(self, what: Taken) -> None:
        """Tokens are in the buffer."""
        self.tokens += len(what.ids)


class Watched(Streams):
    """Streams whose observer wants a share of the states."""

    def __init__(self, share: float) -> None:
        self.told = Told(share)
        super().__init__()

    def observer(self) -> StreamObserver:
        """Who is told."""
        return self.told


def in_pieces(text: str, size: int) -> list[Piece]:
    """A text in pieces, and its end."""
    cut = [piece(at, text[at : at + size]) for at in range(0, len(text), size)]
    return [*cut, piece(len(text), "", "END")]


def read(share: float, size: int, restarts: int = 0) -> Watched:
    """A stream that has been read, with so many restarts in between."""
    streams = Watched(share)
    pieces = in_pieces(LONG, size)
    for number, one in enumerate(pieces):
        streams.take(one)
        if restarts and number % (len(pieces) // restarts) == 1:
            streams.restart()
    return streams


@pytest.mark.parametrize("size", [7, 150, 900])
def test_streams_say_the_same_while_they_are_watched(size: int) -> None:
    """To the bit, partial verdicts included: looking changes nothing."""
    plain, watched = read(0.0, size), read(0.3, size)
    assert final(watched.said[KEY]) == final(plain.said[KEY])
    assert partials(watched.said[KEY]) == partials(plain.said[KEY])
    assert not plain.told.states
    assert watched.told.states


def numbered(states: Sequence[State]) -> dict[tuple[str, int], State]:
    """States by type and position."""
    found = {(one.type.value, one.position): one for one in states}
    assert len(found) == len(states), "each is told once"
    return found


@pytest.mark.parametrize(("size", "restarts"), [(900, 0), (60, 5)])
def test_sampled_tokens_are_the_same_however_the_text_comes(size: int, restarts: int) -> None:
    """Representations and attention too; what is encoded again is not told again."""
    alone = numbered(read(0.2, len(LONG)).told.states)
    pieces = numbered(read(0.2, size, restarts).told.states)
    assert pieces.keys() == alone.keys()
    for name, one in pieces.items():
        assert np.array_equal(one.representation, alone[name].representation), name
        other = alone[name].attention
        assert (one.attention is None) is (other is None)
        if one.attention is not None and other is not None:
            assert np.array_equal(one.attention, other), name


def test_sampled_share_is_told_with_attention() -> None:
    """Weights of each token over its segment up to itself add up to one."""
    watched = read(0.2, 40)
    tokens = [one for one in watched.told.states if one.type is StateType.TOKEN]
    assert len(tokens) == pytest.approx(0.2 * watched.told.tokens, rel=0.25)
    longest = 0
    for one in tokens:
        assert one.attention is not None
        assert one.attention.min() >= 0
        assert one.attention.sum() == pytest.approx(1, abs=1e-3)
        assert one.representation.shape == (model().steps.shape.width,)
        longest = max(longest, len(one.attention))
    assert longest > 400, "of a whole segment"


def test_every_level_is_told_where_it_ends() -> None:
    """Sentences, paragraphs, the document at each flush; and how long each update took."""
    told = read(1.0, 100).told
    kinds = {one.type for one in told.states}
    assert kinds >= {StateType.SENTENCE, StateType.PARAGRAPH, StateType.DOCUMENT}
    above = [one for one in told.states if one.type is not StateType.TOKEN]
    assert all(one.attention is None for one in above)
    by_level: dict[StateType, list[State]] = {}
    for one in above:
        by_level.setdefault(one.type, []).append(one)
    for own in by_level.values():
        places = [one.position for one in own]
        assert places == sorted(places)
        assert len({one.representation.tobytes() for one in own}) == len(own)
    assert {one.type for one in told.updates} >= {StateType.SENTENCE, StateType.PARAGRAPH}
    assert all(0 < one.seconds < 60 for one in told.updates)
    assert {one.position for one in told.updates} <= {one.position for one in above}


class Logged(Streams):
    """Streams whose logs are written."""

    def __init__(self, logs: StreamLogs) -> None:
        self._logs = logs
        super().__init__()

    def observer(self) -> StreamObserver:
        """Who is told."""
        return self._logs


def test_logs_of_a_stream_hold_states_and_updates(tmp_path: Path) -> None:
    """Attention of tokens, sketches of all, and how long levels took: nothing to be read back."""
    settings = StreamLogSettings(shares=LogShares(model_state=1.0))
    counts = Counted()
    logs = StreamLogs(settings, tmp_path, counts)
    Logged(logs).take(*in_pieces(TEXT * 2, 40))
    logs.close()
    assert counts.dropped == {}
    states = lines(tmp_path, "model_state")
    assert {one["state_type"] for one in states} >= {"token", "sentence", "paragraph"}
    for one in states:
        assert len(one["representation"]) == SKETCH
        assert one["metadata"]["form"] == "sketch"
        of_token = one["state_type"] == "token"
        assert bool(one["attention_weights"]) is of_token
        if of_token:
            assert sum(one["attention_weights"]) == pytest.approx(1, abs=0.01)
    measured = lines(tmp_path, "performance")
    updates = [one for one in measured if one["metric_name"] == "hierarchical_update_latency"]
    assert {one["context"]["level"] for one in updates} >= {"sentence", "paragraph"}
    assert all(one["unit"] == "ms" and one["metric_value"] > 0 for one in updates)
