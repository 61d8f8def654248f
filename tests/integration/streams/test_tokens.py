"""Streams of text on a real broker: each has one final verdict, whatever happens to the worker."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from streams.feed import FedEvent
from streams.kafka.topics import prepare_topics
from tests.integration.streams.token_streams import (
    finals,
    interleaved,
    of_partition,
    undisturbed,
    verdicts,
)

if TYPE_CHECKING:
    from typing import Any

    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LONG_PATIENCE_S = 900


@pytest.fixture
def tokens(stream: Stream) -> Stream:
    """A stream whose workers read tokens."""
    enabled = stream.settings.hierarchy.model_copy(update={"enabled": True})
    stream.settings = stream.settings.model_copy(update={"hierarchy": enabled})
    stream.environment["WEIR_HIERARCHY__ENABLED"] = "true"
    prepare_topics(stream.settings)
    return stream


def wait_for_finals(tokens: Stream, count: int, patience_s: float = LONG_PATIENCE_S) -> None:
    """Wait until so many streams have had a final verdict."""
    tokens.until(
        lambda: sum(bool(finals(found)) for found in verdicts(tokens).values()) >= count,
        f"final verdicts of {count} streams",
        patience_s,
    )


def assert_undisturbed(tokens: Stream, streams: int) -> None:
    """Each stream has one final verdict: that of a run which nothing happens to."""
    found = verdicts(tokens)
    expected: dict[str, Any] = {}
    for partition in range(tokens.shards):
        expected |= undisturbed(tokens.settings, partition, of_partition(tokens, partition))
    assert len(expected) == streams
    assert {stream: finals(own) for stream, own in found.items()} == expected
    for own in found.values():
        assert [record["sequence"] for record in own] == list(range(len(own)))
        assert own[-1]["status"] == "FINAL"


def killed(tokens: Stream, streams: int, words: int, kills: int) -> None:
    """Kill the worker -9 while it reads streams, and look at what came of them."""
    tokens.produce(interleaved(streams, words), role="tokens")
    rng = Random(kills)
    for kill in range(kills):
        worker = tokens.start(options=("--member", "w0"))
        goal = streams * (kill + rng.random()) / (kills + 1)
        wait_for_finals(tokens, int(goal))
        worker.kill()
    last = tokens.start(options=("--member", "w0"))
    wait_for_finals(tokens, streams)
    assert last.terminate() == 0
    assert_undisturbed(tokens, streams)


def test_killed_worker_leaves_no_trace_in_final_verdicts(tokens: Stream) -> None:
    """Killed -9 twice: no stream is left out, none has two final verdicts or another one."""
    killed(tokens, streams=24, words=40, kills=2)


@pytest.mark.long
def test_ten_kills_leave_no_trace_in_two_hundred_streams(tokens: Stream) -> None:
    """The same at length."""
    killed(tokens, streams=200, words=150, kills=10)


def test_what_cannot_be_used_is_quarantined(tokens: Stream) -> None:
    """Streams go on without it."""
    sent = interleaved(3, 30)
    broken = FedEvent(sent[0].key, b"no token")
    tokens.produce([*sent[:10], broken, *sent[10:]], role="tokens")
    worker = tokens.start(options=("--member", "w0"))
    wait_for_finals(tokens, 3)
    assert worker.terminate() == 0
    assert_undisturbed(tokens, 3)
    quarantined = [record for part in tokens.records("quarantine") for record in part]
    assert len(quarantined) == 1
