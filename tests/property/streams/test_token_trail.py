"""However a log of pieces is cut into units, evicted, sealed and restored, the same follows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from state.stream_keys import StreamKey
from tests.unit.streams.hierarchy.test_engine import IDLE_S, ShardOfTokens, token
from tests.unit.streams.hierarchy.test_sealed import Site
from tests.unit.streams.trails import audit_values

if TYPE_CHECKING:
    from random import Random

pytestmark = pytest.mark.slow

PARTS = [
    "My card is 4111 1111 1111 1111, call +49 30 1234567. ",
    "The quarterly report was late again; ",
    "write to john.smith@example.org. ",
    "AKIAIOSFODNN7EXAMPLE is the key.\n\n",
]
VERDICT = Codec("verdict")
TENANTS = ("acme", "globex")
STREAMS = [(tenant, name) for tenant in TENANTS for name in ("a", "b")]
ALONE: dict[str, Any] = {"hierarchy": {"batching": "single"}}
"""Beside other streams in one call the last bits of partial verdicts' scores may differ."""


@st.composite
def logs(draw: st.DrawFn) -> list[Any]:
    """Pieces of a few streams, some of which end, time out together, or cannot be read."""
    found: list[Any] = []
    at = dict.fromkeys(STREAMS, 0)
    second = 1
    for _ in range(draw(st.integers(4, 24))):
        kind = draw(st.sampled_from(["text"] * 12 + ["end", "broken", "silence"]))
        stream = draw(st.sampled_from(STREAMS))
        second += draw(st.sampled_from([0, 1, 1]))
        second += IDLE_S if kind == "silence" else 0
        if kind == "broken":
            found.append(b"no token")
            continue
        text = None if kind == "end" else draw(st.sampled_from(PARTS))
        found.append(token(stream[1], at[stream], text, second, tenant=stream[0]))
        at[stream] += len(text or "")
    return found


def outcome(shard: ShardOfTokens) -> tuple[Any, ...]:
    """All that must not depend on how a log is cut."""
    sent = [one for unit in shard.units for one in unit.outputs["verdicts"]]
    chains = {name: at.chain.to_bytes() for name, at in shard.engine.members.items()}
    return sent, [audit_values(shard.units, name) for name in TENANTS], chains


@settings(deadline=None, max_examples=12)
@given(logs(), st.randoms(use_true_random=False))
def test_cuts_evictions_restarts_and_encryption_change_no_byte(log: list[Any], rng: Random) -> None:
    """Verdicts, audit records and heads of chains are those of one undisturbed unit of work."""
    whole = ShardOfTokens(**ALONE)
    whole.take(*log)
    with TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for keys in (None, site.keys()):
            cut = disturbed(ShardOfTokens(keys, **ALONE), log, rng)
            assert outcome(cut) == outcome(whole)


@settings(deadline=None, max_examples=12)
@given(logs(), st.randoms(use_true_random=False))
def test_words_in_the_log_change_no_verdict_and_no_cut_matters(log: list[Any], rng: Random) -> None:
    """Words late, twice, and of nobody: each stream says what it says if it is waited for.

    And whatever the units in which the log with its words is read again: no byte changes.
    """
    waited = ShardOfTokens(**ALONE)
    waited.take(*log)
    first = ShardOfTokens(defers=True, **ALONE)
    spoken = with_words(first, log, rng)
    assert by_stream(first) == by_stream(waited)
    assert not first.judged()
    whole = ShardOfTokens(defers=True, **ALONE)
    whole.take(*spoken)
    assert outcome(first) == outcome(whole)
    with TemporaryDirectory() as folder:
        cut = disturbed(ShardOfTokens(Site(Path(folder)).keys(), defers=True, **ALONE), spoken, rng)
        assert outcome(cut) == outcome(whole)


def by_stream(shard: ShardOfTokens) -> dict[StreamKey, list[bytes]]:
    """Verdicts of each stream, in order."""
    found: dict[StreamKey, list[bytes]] = {}
    for unit in shard.units:
        for message in unit.outputs["verdicts"]:
            said = VERDICT.decode(message["value"])
            key = StreamKey(said["tenant"], said["target_id"])
            found.setdefault(key, []).append(message["value"])
    return found


def with_words(shard: ShardOfTokens, log: list[Any], rng: Random) -> list[Any]:
    """Let a shard read a log and word of what it judges; gives the log as it has become."""
    left, spoken = list(log), list[Any]()
    pending: list[StreamKey] = []
    while left or pending:
        count = rng.randrange(1, 6)
        unit = left[:count]
        del left[:count]
        for key in list(pending):
            if not unit or rng.random() < 0.4:
                pending.remove(key)
                unit += [shard.word(key)] * rng.choice((1, 1, 2))
        if rng.random() < 0.2:
            unit.insert(rng.randrange(len(unit) + 1), shard.word(StreamKey(*rng.choice(STREAMS))))
        shard.most_bytes = rng.choice((0, 10**9))
        shard.take(*unit)
        spoken += unit
        if rng.random() < 0.3:
            shard.open()
        pending += shard.judged()
    return spoken


def disturbed(cut: ShardOfTokens, log: list[Any], rng: Random) -> ShardOfTokens:
    """Let a shard read a log in units, with evictions and restarts, and return it."""
    left = list(log)
    while left:
        count = rng.randrange(1, 6)
        cut.most_bytes = rng.choice((0, 10**9))
        cut.take(*left[:count])
        del left[:count]
        if rng.random() < 0.3:
            cut.open()
    return cut
