"""A broker that dies and comes back costs time, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.kafka.topics import admin
from tests.integration.streams.under_test import make_events

if TYPE_CHECKING:
    from deploy.broker.handle import CrashableBroker
    from tests.integration.streams.under_test import Stream, WorkerProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow]

UNAVAILABLE = 69
BROKER_GONE = 75
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def serve_to_the_end(stream: Stream, worker: WorkerProcess) -> None:
    """Wait until all is committed, as a supervisor that restarts a worker which lost its broker."""
    ends = stream.ends()

    def done() -> bool:
        nonlocal worker
        if worker.process.poll() is not None:
            assert worker.process.returncode == UNAVAILABLE, worker.text()
            stream.workers.remove(worker)
            worker = stream.start()
        return stream.committed() == ends

    stream.until(done, f"committed offsets {ends}")


def test_a_broker_killed_under_load_loses_and_repeats_nothing(
    stream: Stream, broker: CrashableBroker
) -> None:
    """Killed -9 in the middle of the stream; the worker waits, or ends with 69 and is restarted."""
    stream.produce(make_events(400))
    # Small units, each with its gathering time: 4,000 events are a second's work or more, and the
    # broker dies in the instant that the last of them is acknowledged.
    worker = stream.start(WEIR_STREAM__MAX_UNIT_EVENTS="20")
    stream.wait_committed()
    stream.produce(make_events(4_000, start=400))
    broker.kill()
    assert worker.metric("weir_events_total") < len(stream.sent), "the broker outlived its load"
    broker.restart()
    stream.produce(make_events(1_000, start=4_400))
    serve_to_the_end(stream, worker)
    stream.assert_undisturbed()


def test_a_worker_says_that_it_waits_for_a_broker(stream: Stream, broker: CrashableBroker) -> None:
    """While the broker is away an idle worker says so once, waits, and goes on by itself."""
    stream.produce(make_events(600))
    worker = stream.start()
    stream.wait_committed()
    broker.kill()
    try:
        stream.until(
            lambda: "the broker does not answer; shards wait" in worker.text(), "word about it"
        )
    finally:
        broker.restart()
    stream.until(lambda: "the broker answers again" in worker.text(), "word of its return")
    stream.produce(make_events(600, start=600))
    serve_to_the_end(stream, worker)
    stream.assert_undisturbed()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a unit in flight"])
def test_a_broker_that_stays_away_ends_the_worker(
    stream: Stream, broker: CrashableBroker, busy: bool
) -> None:
    """It waits without spinning for as long as the setting says, and then ends with a code."""
    stream.environment |= {"WEIR_STREAM__BROKER_PATIENCE_S": "15"}
    stream.produce(make_events(400))
    worker = stream.start(WEIR_STREAM__MAX_UNIT_EVENTS="20")
    stream.wait_committed()
    if busy:
        stream.produce(make_events(4_000, start=400))
    broker.kill()
    away = time.monotonic()
    try:
        stream.until(lambda: time.monotonic() - away > 3, "settling")
        begun, spent = time.monotonic(), processor_s(worker)
        stream.until(lambda: time.monotonic() - begun > 6, "some waiting")
        spent = processor_s(worker) - spent
        assert spent < 0.15 * (time.monotonic() - begun), f"{spent} s of processor time"
        assert worker.wait_ended() == BROKER_GONE, worker.text()
        assert 10 < time.monotonic() - away < 50
        assert "stream.broker_patience_s" in worker.text()
    finally:
        broker.restart()
    stream.start()
    stream.wait_committed()
    stream.assert_undisturbed()


def processor_s(worker: WorkerProcess) -> float:
    """Return the processor time that a worker has taken, all threads together."""
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def test_an_output_topic_that_is_deleted_ends_the_worker(stream: Stream) -> None:
    """What cannot be sent is not sent again for ever: the worker ends, and names the topic."""
    stream.produce(make_events(400))
    worker = stream.start()
    stream.wait_committed()
    client = admin(stream.settings.broker)
    client.delete_topics([stream.topic("audit")])[stream.topic("audit")].result()
    stream.produce(make_events(400, start=400))
    assert worker.wait_ended() == UNAVAILABLE, worker.text()
    assert stream.topic("audit") in worker.text(), worker.text()
