"""Signals and stalls: what is in flight is committed or repeated, never lost and never doubled."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.integration.streams.stalling_worker import waiting_mark
from tests.integration.streams.under_test import make_events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.streams.under_test import Stream, WorkerProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow]

INTERRUPTED = 130
STALLED = 71


def start_and_stall(stream: Stream, gate: Path) -> WorkerProcess:
    """Start a worker and wait until one of its units waits in the middle."""
    worker = stream.start(stall=gate)
    stream.until(waiting_mark(gate).exists, "unit that waits")
    return worker


def behind(stream: Stream) -> dict[int, int]:
    """Return the committed offsets of the shards that have not come to the end."""
    found = enumerate(zip(stream.committed(), stream.ends(), strict=True))
    return {shard: reached for shard, (reached, end) in found if reached < end}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_the_unit_in_flight_commit(
    stream: Stream, tmp_path: Path, number: signal.Signals
) -> None:
    """Stopped in the middle of a batch, it commits that batch, takes no other, and exits 0."""
    gate = tmp_path / "gate"
    stream.produce(make_events(3_000))
    worker = start_and_stall(stream, gate)
    stream.until(lambda: len(behind(stream)) == 1, "one shard alone that waits")
    [(shard, before)] = behind(stream).items()
    worker.process.send_signal(number)
    stream.until(lambda: "stopping" in worker.text(), "word about the stop")
    gate.touch()
    assert worker.wait_ended() == 0
    learnt = stream.committed()[shard] - before
    assert 0 < learnt <= stream.settings.stream.max_unit_events
    stream.start()
    stream.wait_committed()
    stream.assert_undisturbed()


def test_a_second_interrupt_ends_at_once_and_loses_nothing(stream: Stream, tmp_path: Path) -> None:
    """Ctrl-C twice does not wait for a unit that hangs; a restart repeats that unit."""
    stream.produce(make_events(2_000))
    worker = start_and_stall(stream, tmp_path / "gate")
    worker.process.send_signal(signal.SIGINT)
    stream.until(lambda: "interrupt again to end at once" in worker.text(), "word about the stop")
    worker.process.send_signal(signal.SIGINT)
    assert worker.wait_ended() == INTERRUPTED
    assert "the unit in flight is aborted" in worker.text()
    stream.start()
    stream.wait_committed()
    stream.assert_undisturbed()


def test_a_stop_while_shards_are_restored_is_no_failure(stream: Stream) -> None:
    """A worker that is stopped before it serves goes as cleanly as any other."""
    stream.produce(make_events(1_500))
    first = stream.start("w0")
    stream.wait_committed()
    assert first.terminate() == 0
    second = stream.start("w1")
    stream.until(lambda: second.get("/readyz")[0] != 0, "HTTP server")
    assert second.terminate() == 0, second.text()
    stream.start("w1")
    stream.produce(make_events(500, start=1_500))
    stream.wait_committed()
    stream.assert_undisturbed()


def test_a_shard_that_stands_still_ends_the_worker_with_its_stacks(
    stream: Stream, tmp_path: Path
) -> None:
    """A stall is loud: stacks, the shard and its offset, exit code 71; a restart goes on."""
    stream.environment |= {
        "WEIR_STREAM__BROKER_PATIENCE_S": "5",
        "WEIR_STREAM__TRANSACTION_TIMEOUT_S": "6",
        "WEIR_STREAM__WATCHDOG_S": "7",
    }
    stream.produce(make_events(2_000))
    worker = start_and_stall(stream, tmp_path / "gate")
    assert worker.wait_ended() == STALLED
    said = worker.text()
    assert "without progress" in said
    assert "stream.watchdog_s" in said
    assert "wait_then_commit" in said, "the stacks show where it stands"
    stream.start()
    stream.wait_committed()
    stream.assert_undisturbed()
