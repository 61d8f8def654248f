"""Streams that have ended wait for word that they were judged; the log gives their verdict."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from operators.hierarchy.buffer import BufferConfig
from schemas.codec import Codec
from state import stream_keys
from state.stream_keys import StreamKey
from streams.hierarchy.codecs import JUDGED
from streams.hierarchy.driver import ATTEMPTS
from tests.unit.streams.hierarchy.test_driver import Broken
from tests.unit.streams.hierarchy.test_engine import (
    IDLE_S,
    KEPT_S,
    TEXT,
    ShardOfTokens,
    finals,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = StreamKey("acme", "a")
LONG = TEXT * 120
"""Of several segments."""

pytestmark = pytest.mark.slow


def end(position: int, text: str | None, second: int, **more: Any) -> dict[str, Any]:
    """The end of the stream, with what it still has."""
    return token("a", position, text, second, operation="END", **more)


def waited_for(*pieces: dict[str, Any]) -> list[dict[str, Any]]:
    """What comes of pieces where the end is waited for."""
    return ShardOfTokens().take(*pieces)


@pytest.mark.parametrize("text", [TEXT, LONG])
@pytest.mark.parametrize("restarts", [False, True])
def test_verdict_is_given_where_the_word_stands(text: str, restarts: bool) -> None:
    """It is the one of a stream that is waited for; a second word says nothing."""
    pieces = [token("a", 0, text, 10), end(len(text), "My name is Anna. ", 11)]
    expected = waited_for(*pieces)[-1]
    shard = ShardOfTokens(defers=True)
    assert finals(shard.take(*pieces)) == []
    assert shard.engine.has_ended(KEY)
    assert shard.engine.seen(KEY) is None
    assert shard.judged() == [KEY]
    if restarts:
        shard.open()
        assert shard.judged() == [KEY], "who serves next tells again"
    assert shard.take(token("a", 0, TEXT, 12)) == []
    assert shard.late == 1
    said = shard.take(shard.word(KEY), token("b", 0, TEXT, 12))
    assert said[0] == expected
    assert shard.take(shard.word(KEY)) == []
    assert shard.late == 1
    assert stream_keys.head_key(KEY) not in shard.table
    assert not shard.engine.driver.closes(KEY)


def test_stream_of_one_end_survives_a_restart() -> None:
    """All its text came with its end, so that its record knows of nothing else."""
    [expected] = waited_for(end(0, LONG, 10))
    shard = ShardOfTokens(defers=True)
    shard.take(end(0, LONG, 10))
    shard.open()
    assert shard.take(shard.word(KEY)) == [expected]


def test_silence_is_waited_for_too() -> None:
    """A stream that times out is judged meanwhile, after a restart as well."""
    pieces = token("a", 0, TEXT, 10), token("b", 0, TEXT, 10 + IDLE_S)
    [expected] = [one for one in waited_for(*pieces) if one["status"] == "FINAL"]
    shard = ShardOfTokens(defers=True)
    assert finals(shard.take(*pieces)) == []
    assert shard.judged() == [KEY]
    shard.open()
    assert shard.judged() == [KEY]
    assert shard.take(shard.word(KEY)) == [expected]


def test_word_of_a_stream_that_goes_on_says_nothing() -> None:
    """Anybody may send it: neither an open stream ends by it, nor does one begin."""
    shard = ShardOfTokens(defers=True, stream={"max_tenants": 1})
    shard.take(token("a", 0, TEXT, 10))
    strange = shard.word(StreamKey("other", "x"))
    assert shard.take(shard.word(KEY), shard.word(StreamKey("acme", "x")), strange) == []
    assert set(shard.engine.open_streams()) == {KEY}
    assert set(shard.engine.tenants) == {"acme"}
    assert shard.unit.quarantined == {}
    # Of ids in a stream of text, and so no end.
    tokenizer = shard.engine._token_codecs._tokenizer  # noqa: SLF001 - what pieces of ids must name
    unfit = end(1, None, 11, token_ids=[5], tokenizer=tokenizer)
    assert shard.take(unfit, shard.word(KEY)) == []
    assert shard.unit.quarantined == {"BAD_FIELD": 1}
    assert set(shard.engine.open_streams()) == {KEY}
    assert shard.take(token("a", len(TEXT), None, 11)) == []
    assert finals(shard.take(shard.word(KEY))) == ["a"]


def test_without_waiting_word_is_left_out() -> None:
    """Where ends are waited for, a log that has words gives the same."""
    shard = ShardOfTokens()
    shard.take(token("a", 0, TEXT, 10))
    assert shard.take(shard.word(KEY)) == []
    assert finals(shard.take(token("a", len(TEXT), None, 11), shard.word(KEY))) == ["a"]


def broken(times: int) -> ShardOfTokens:
    """A shard whose scans fail so often."""
    made = Broken.load(BufferConfig())
    assert isinstance(made, Broken)
    made.times = times
    return ShardOfTokens(defers=True, made=made)


def test_failed_scan_is_done_again_and_given_up_at_last() -> None:
    """Twice it may fail; then the stream ends in ERROR and what it held goes to quarantine."""
    pieces = token("a", 0, "poison " + TEXT, 10), end(39, "The last words.", 11)
    expected = waited_for(*pieces)[-1]
    for times in range(1, ATTEMPTS):
        shard = broken(times)
        assert finals(shard.take(*pieces)) == []
        assert shard.judged() == [KEY]
        assert shard.take(shard.word(KEY)) == [expected]
    shard = broken(ATTEMPTS)
    shard.take(*pieces)
    assert shard.judged() == [KEY], "of a scan that failed there is word, too"
    [said] = shard.take(shard.word(KEY))
    assert (said["decision"], said["time_us"]) == ("ERROR", expected["time_us"])
    held = [Codec("token").decode(one["value"]) for one in shard.quarantined()]
    assert [one["text"] for one in held] == ["poison " + TEXT, "The last words."]
    assert [one["operation"] for one in held] == ["APPEND", "END"]
    assert not any((one["metadata"] or {}).get("source") == JUDGED for one in held)
    assert shard.take(shard.word(KEY)) == []


def test_stream_that_cannot_be_restored_ends_in_error() -> None:
    """Not in the verdict of a text that it never had."""
    shard = ShardOfTokens(defers=True)
    shard.take(token("a", 0, LONG, 10))
    shard.take(token("a", len(LONG), None, 11))
    missing = [key for key in shard.table if key.startswith(stream_keys.checkpoint_key(KEY, 1)[:1])]
    assert missing
    for key in missing:
        del shard.table[key]
    shard.open()
    assert shard.judged() == [KEY]
    [said] = shard.take(shard.word(KEY))
    assert said["decision"] == "ERROR"


def test_that_a_stream_has_ended_is_known_until_its_verdict() -> None:
    """However long that takes: its id begins no other stream meanwhile."""
    shard = ShardOfTokens(defers=True)
    shard.take(token("a", 0, TEXT, 10), token("a", len(TEXT), None, 11))
    for second in (11 + KEPT_S, 12 + KEPT_S):
        shard.take(token("b", 0, TEXT, second), token("a", 0, TEXT, second))
        assert stream_keys.ended_key(KEY) in shard.table
        assert shard.engine.seen(KEY) is None
        shard.open()
        assert KEY not in shard.engine.open_streams()
    assert shard.late == 2
    assert finals(shard.take(shard.word(KEY))) == ["a"]
    assert stream_keys.ended_key(KEY) not in shard.table


def held_up(shard: ShardOfTokens) -> Callable[[], None]:
    """Let nothing be scanned until this is called."""
    goes_on = Event()
    shard.executor.submit(goes_on.wait, 60)
    return goes_on.set


def test_streams_that_wait_are_let_go_of_for_want_of_memory() -> None:
    """Word of one that is not being scanned comes at once; it is read again, and says the same."""
    pieces = token("a", 0, LONG, 10), token("a", len(LONG), None, 11)
    expected = waited_for(*pieces)[-1]
    shard = ShardOfTokens(defers=True)
    go_on = held_up(shard)
    shard.take(*pieces)
    assert not shard.words
    assert shard.engine.driver.nbytes > 0
    shard.most_bytes = 0
    shard.take(token("b", 0, TEXT, 12))
    assert shard.words == [KEY]
    assert shard.take(shard.word(KEY))[-1] == expected
    go_on()
    shard.take(token("b", len(TEXT), TEXT, 13))
    assert shard.judged() == [KEY], "what was let go of is not scanned a second time"
    assert shard.engine.driver.evictions == 2


def test_early_word_waits_for_the_scan() -> None:
    """Word that is read again after a restart finds the stream in the middle of its scan."""
    pieces = token("a", 0, LONG, 10), token("a", len(LONG), None, 11)
    expected = waited_for(*pieces)[-1]
    shard = ShardOfTokens(defers=True)
    shard.take(pieces[0])
    go_on = held_up(shard)
    shard.take(pieces[1])
    shard.executor.submit(int).add_done_callback(lambda _: None)
    go_on()
    assert shard.take(shard.word(KEY)) == [expected]
