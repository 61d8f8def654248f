"""Crashes at every stage of a commit leave no trace in outputs, weights and audit roots."""

from __future__ import annotations

import shutil

import pytest

from schemas.codec import Codec
from streams.feed import FedEvent
from tests.integration.streams.under_test import Stream, make_events

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TENANTS = ("acme", "globex")


def test_an_undisturbed_run_equals_the_offline_driver(stream: Stream) -> None:
    """What Kafka carries and what a file gives are the same bytes."""
    stream.produce(make_events(2_000, tenants=TENANTS))
    worker = stream.start()
    stream.wait_committed()
    assert worker.terminate() == 0
    stream.assert_undisturbed()


@pytest.mark.parametrize("stage", ["stepped", "open-transaction", "committed"])
def test_a_worker_killed_at_a_stage_of_a_commit_leaves_no_trace(stream: Stream, stage: str) -> None:
    """Killed -9 before, in or right after a transaction: nothing is repeated or lost."""
    stream.produce(make_events(3_000, tenants=TENANTS))
    crashed = stream.start(crash=stage)
    assert crashed.wait_ended() == -9
    stream.start()
    stream.wait_committed()
    stream.assert_undisturbed()


def test_a_wiped_table_is_restored_from_the_changelog(stream: Stream) -> None:
    """Without its RocksDB folder a worker goes on as if nothing had happened."""
    stream.produce(make_events(1_500))
    first = stream.start()
    stream.wait_committed()
    assert first.terminate() == 0
    shutil.rmtree(stream.folder / "w0" / "state")
    stream.produce(make_events(1_000, start=1_500))
    second = stream.start()
    stream.wait_committed()
    assert second.terminate() == 0
    stream.assert_undisturbed()


def test_two_workers_share_the_shards_and_take_over_from_each_other(stream: Stream) -> None:
    """A worker that joins, and one that is killed -9, move shards without loss or repetition."""
    stream.produce(make_events(1_500))
    first = stream.start("w0")
    stream.wait_committed()
    second = stream.start("w1")
    stream.wait_ready(second)
    stream.produce(make_events(1_500, start=1_500))
    stream.wait_committed()
    assert second.metric("weir_steps_total") > 0, "the second worker was given no shard"
    first.kill()
    stream.produce(make_events(1_000, start=3_000))
    stream.wait_committed()
    stream.assert_undisturbed()


def test_poison_is_quarantined_with_its_bytes_and_its_place(stream: Stream) -> None:
    """Bytes that are no event, and numbers that are none, go to quarantine; the rest is learnt."""
    good = make_events(300)
    encode = Codec("event").encode
    decode = Codec("event").decode
    nan = decode(good[7].value) | {"event_id": "nan", "label": float("nan")}
    poison = [
        FedEvent(good[0].key, b"garbage"),
        FedEvent(good[7].key, encode(nan)),
        FedEvent(good[9].key, good[9].value + b"x"),
    ]
    stream.produce([*good[:100], *poison, *good[100:]])
    worker = stream.start()
    stream.wait_committed()
    assert worker.terminate() == 0
    read = Codec("quarantine").decode
    found = [read(value) for part in stream.values("quarantine") for value in part]
    assert sorted(item["reason"] for item in found) == [
        "BAD_AVRO",
        "NON_FINITE_LABEL",
        "TRAILING_BYTES",
    ]
    assert {item["value"] for item in found} == {event.value for event in poison}
    for item in found:
        source = stream.records("events")[item["partition"]]
        assert source[item["offset"]].value == item["value"]
    stream.assert_undisturbed()
