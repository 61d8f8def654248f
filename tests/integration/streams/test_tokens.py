"""Streams of text on a real broker: each has one final verdict, whatever happens to the worker."""

from __future__ import annotations

import json
import time
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from schemas.codec import Codec
from state.audit.leaf import RECORD_DTYPE, VERDICT
from streams.audit_reader import leaf_of
from streams.cli.main import app
from streams.feed import FedEvent
from streams.kafka.topics import TOKENS_AUDIT_ROLE
from streams.verdicts import verdict_digest
from tests.integration.streams.token_streams import (
    finals,
    interleaved,
    is_idle_end,
    is_word,
    of_partition,
    of_silence,
    read_tokens,
    undisturbed,
    unended,
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
    read_tokens(stream)
    return stream


def wait_for_finals(tokens: Stream, count: int, patience_s: float = LONG_PATIENCE_S) -> None:
    """Wait until so many streams have had a final verdict."""
    tokens.until(
        lambda: sum(bool(finals(found)) for found in verdicts(tokens).values()) >= count,
        f"final verdicts of {count} streams",
        patience_s,
    )


def fields_that_differ(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    """Names of the fields in which one final verdict is not the other; all, if one is missing."""
    if len(ours) != 1 or len(theirs) != 1:
        return ["how many there are"]
    return [name for name in theirs[0] if ours[0][name] != theirs[0][name]]


def assert_undisturbed(tokens: Stream, streams: int) -> None:
    """Each stream has one final verdict: that of a run which nothing happens to."""
    found = verdicts(tokens)
    expected: dict[str, Any] = {}
    for partition in range(tokens.shards):
        expected |= undisturbed(tokens.settings, partition, of_partition(tokens, partition))
    assert len(expected) == streams
    assert found.keys() == expected.keys()
    differing = {name: fields_that_differ(finals(found[name]), expected[name]) for name in found}
    assert not {name: fields for name, fields in differing.items() if fields}
    for own in found.values():
        assert [record["sequence"] for record in own] == list(range(len(own)))
        assert own[-1]["status"] == "FINAL"


def assert_audited(tokens: Stream) -> None:
    """Each verdict is one step of its tenant's chain, in the topic's order; the trail verifies."""
    read, steps = Codec("verdict"), 0
    audited = tokens.values(TOKENS_AUDIT_ROLE)
    for values, records in zip(tokens.values("verdicts"), audited, strict=True):
        leaves = np.frombuffer(b"".join(map(leaf_of, records)), RECORD_DTYPE)["leaf"]
        digests = [verdict_digest(bytes(read.strip(value or b"")[0])) for value in values]
        assert leaves["format"].tolist() == [VERDICT] * len(digests)
        assert [row.tobytes() for row in leaves["event_digest"]] == digests
        steps += len(digests)
    result = CliRunner().invoke(app, ["verify", "--json"], env=tokens.environment)
    assert result.exit_code in {0, 5}, result.output  # nothing is there of events
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    of_tokens = [one for one in reports if "-tokens/acme/" in one["origin"]]
    assert {one["outcome"] for one in of_tokens} == {"OK"}
    assert sum(one["records"] for one in of_tokens) == steps > 0
    assert not any(one["failures"] for one in reports)


def test_worker_killed_at_any_stage_of_a_commit_leaves_no_trace(tokens: Stream) -> None:
    """Killed -9 before, in and after a transaction: one final verdict a stream, the right one."""
    tokens.environment["WEIR_STREAM__MAX_UNIT_EVENTS"] = "30"
    tokens.environment["WEIR_STREAM__STATIC_MEMBER"] = "w0"
    tokens.produce(interleaved(30, 40), role="tokens")
    for stage in ("stepped", "open-transaction", "committed"):
        assert tokens.start(crash=stage).wait_ended() == -9
    last = tokens.start()
    tokens.wait_ready(last)
    wait_for_finals(tokens, 30)
    assert last.terminate() == 0
    assert_undisturbed(tokens, 30)
    assert_audited(tokens)


@pytest.mark.long
def test_ten_kills_leave_no_trace_in_two_hundred_streams(tokens: Stream) -> None:
    """Killed -9 at random moments while pieces come and are read."""
    tokens.environment["WEIR_STREAM__MAX_UNIT_EVENTS"] = "30"
    tokens.environment["WEIR_STREAM__STATIC_MEMBER"] = "w0"
    sent, kills, rng = interleaved(200, 150), 10, Random(10)
    share = len(sent) // (kills + 1)
    for kill in range(kills):
        worker = tokens.start()
        tokens.wait_ready(worker)
        tokens.produce(sent[kill * share : (kill + 1) * share], role="tokens")
        time.sleep(rng.random())
        worker.kill()
    last = tokens.start()
    tokens.produce(sent[kills * share :], role="tokens")
    wait_for_finals(tokens, 200)
    assert last.terminate() == 0
    assert_undisturbed(tokens, 200)
    assert_audited(tokens)


def test_what_cannot_be_used_is_quarantined(tokens: Stream) -> None:
    """Streams go on without it."""
    sent = interleaved(3, 30)
    broken = FedEvent(sent[0].key, b"no token")
    tokens.produce([*sent[:10], broken, *sent[10:]], role="tokens")
    worker = tokens.start()
    tokens.wait_ready(worker)
    wait_for_finals(tokens, 3)
    assert worker.terminate() == 0
    assert_undisturbed(tokens, 3)
    quarantined = [record for part in tokens.records("quarantine") for record in part]
    assert len(quarantined) == 1


def test_streams_of_silent_shards_end_once(tokens: Stream) -> None:
    """Nobody ends them; also where the worker that saw the silence is killed as it says so."""
    stream, streams, idle_s = tokens, 9, 8
    stream.environment["WEIR_HIERARCHY__IDLE_SECONDS"] = str(idle_s)
    stream.environment["WEIR_STREAM__STATIC_MEMBER"] = "w0"
    first = stream.start()
    stream.wait_ready(first)
    stream.produce(unended(streams), role="tokens")
    stream.until(lambda: any(of_silence(stream)), "an END that the worker sends")
    first.kill()
    stream.start()
    wait_for_finals(stream, streams)
    # Not one END before there was silence, and none where there was nothing to end.
    for partition, ends in enumerate(of_silence(stream)):
        sent = of_partition(stream, partition)
        pieces = [one for one in sent if not (is_idle_end(one) or is_word(one))]
        newest = max((one.timestamp for one in pieces), default=0)
        assert bool(pieces) == bool(ends)
        assert all(one.timestamp - newest >= idle_s * 1_000 for one in ends)
    # Whatever is yet to come comes within two further silences, and changes nothing.
    said, since = verdicts(stream), time.monotonic()
    stream.until(lambda: time.monotonic() - since > 2 * idle_s, "the end of two silences")
    assert verdicts(stream) == said
    assert stream.workers[-1].terminate() == 0
    assert_undisturbed(stream, streams)
    assert sum(map(len, of_silence(stream))) <= 2 * streams, "nobody goes on sending"
