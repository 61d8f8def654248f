"""Workers that come, go, die and are restarted: nothing is lost, repeated or learnt otherwise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.kafka.topics import admin
from tests.integration.streams.under_test import SHARDS, make_events

if TYPE_CHECKING:
    from tests.integration.streams.under_test import Stream, WorkerProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TENANTS = ("acme", "globex")
CHUNK = 1_200


def feed(stream: Stream) -> None:
    """Send some more events, and wait for none of them: what follows happens under load."""
    stream.produce(make_events(CHUNK, start=len(stream.sent), tenants=TENANTS))


def served(worker: WorkerProcess) -> set[str]:
    """Return the shards that a worker serves."""
    lines = worker.get("/metrics")[1].splitlines()
    return {
        line.split('shard="')[1].split('"')[0]
        for line in lines
        if line.startswith("weir_tx_in_flight{")
    }


def assignment(stream: Stream) -> dict[str, tuple[str, frozenset[tuple[str, int]]]]:
    """Return what the group's coordinator has: static name → member id and its partitions."""
    group = stream.settings.application_id
    client = admin(stream.settings.broker)  # it must outlive the call
    described = client.describe_consumer_groups([group])[group].result(30)
    return {
        member.group_instance_id: (
            member.member_id,
            frozenset((tp.topic, tp.partition) for tp in member.assignment.topic_partitions),
        )
        for member in described.members
    }


def test_three_workers_come_go_and_die_under_load(stream: Stream) -> None:
    """Joining, leaving, kill -9 and a restart of each in turn leave no trace in any byte."""
    stream.environment["WEIR_STREAM__MAX_UNIT_EVENTS"] = "20"
    feed(stream)
    first = stream.start("w0")
    stream.wait_ready(first)
    feed(stream)
    second, third = stream.start("w1"), stream.start("w2")
    stream.until(
        lambda: all(len(served(worker)) == 1 for worker in (first, second, third)),
        "one shard for each of three workers",
    )
    feed(stream)
    assert second.terminate() == 0, second.text()
    feed(stream)
    third.kill()
    feed(stream)
    second = stream.start("w1")
    stream.until(lambda: len(served(second)) > 0, "a shard for the worker that came back")
    for name in ("w0", "w1"):
        feed(stream)
        assert {"w0": first, "w1": second}[name].terminate() == 0
        stream.wait_ready(stream.start(name))
    stream.wait_committed()
    stream.assert_undisturbed()


def test_a_standby_takes_over_without_reading_the_changelog(stream: Stream) -> None:
    """The survivor has the dead worker's state already, and applies only what came last."""
    feed(stream)
    first = stream.start("w0")
    stream.wait_committed()
    second = stream.start("w1")
    stream.wait_ready(second)
    feed(stream)
    stream.wait_committed()
    stream.until(
        lambda: (
            served(first) | served(second) == {str(shard) for shard in range(SHARDS)}
            and first.metric("weir_standby_lag") == 0.0
            and second.metric("weir_standby_lag") == 0.0
            and len(standbys(first)) + len(standbys(second)) == SHARDS
        ),
        "a standby of each shard, caught up",
    )
    taken = served(second)
    assert standbys(first) == taken
    second.kill()
    before = len(first.text())
    stream.until(lambda: len(served(first)) == SHARDS, "all shards at the survivor")
    opened = [
        json.loads(line) for line in first.text()[before:].splitlines() if "shard serves" in line
    ]
    assert {(str(line["shard"]), line["changelog_records"]) for line in opened} == {
        (shard, 0) for shard in taken
    }
    feed(stream)
    stream.wait_committed()
    assert first.terminate() == 0
    stream.assert_undisturbed()


def standbys(worker: WorkerProcess) -> set[str]:
    """Return the shards of which a worker keeps a standby."""
    lines = worker.get("/metrics")[1].splitlines()
    return {
        line.split('shard="')[1].split('"')[0]
        for line in lines
        if line.startswith("weir_standby_lag{")
    }


def test_a_rolling_restart_of_static_members_moves_no_shard(stream: Stream) -> None:
    """Back within the session, each has its shards again, and the other never stopped."""
    stream.environment["WEIR_STREAM__SESSION_TIMEOUT_S"] = "45"
    feed(stream)
    folders = {"alpha": "w0", "beta": "w1"}
    workers = {}
    for name, folder in folders.items():
        workers[name] = stream.start(folder, options=("--member", name))
        stream.wait_ready(workers[name])
    stream.until(lambda: all(served(worker) for worker in workers.values()), "shards for both")
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        before, said = assignment(stream), len(workers[other].text())
        assert workers[name].terminate() == 0
        feed(stream)
        workers[name] = stream.start(folders[name], options=("--member", name))
        stream.wait_ready(workers[name])
        stream.wait_committed()
        after = assignment(stream)
        assert {who: parts for who, (_, parts) in after.items()} == {
            who: parts for who, (_, parts) in before.items()
        }
        assert after[name][0] != before[name][0], "the worker was not restarted"
        assert after[other][0] == before[other][0], "the other worker had to join anew"
        assert not {"Revoking", "shard serves"} & words(workers[other].text()[said:])
    stream.assert_undisturbed()


def words(text: str) -> set[str]:
    """Return the first two words of each message, and the first alone."""
    found = set()
    for line in text.splitlines():
        message = json.loads(line)["message"].split(" ")
        found |= {message[0], " ".join(message[:2])}
    return found
