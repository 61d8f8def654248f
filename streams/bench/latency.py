"""Milliseconds from when an event is due to when its committed prediction has been read."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.bench.contenders import running
from streams.bench.errors import BenchFailed
from streams.bench.events import make_events
from streams.bench.lab import PARTITIONS
from streams.bench.throughput import check_once
from streams.kafka.clients import client_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.bench.contenders import Contender, Running
    from streams.bench.lab import Lab

RATE = 1_000  # events/s
PRIMER = 100 * PARTITIONS  # events that go through before the schedule begins: all is connected
WARM_UP = 2 * RATE
MEASURED = 8 * RATE
QUIET_S = 120
POLL_S = 0.5


class Latency(NamedTuple):
    """Percentiles of one run, in milliseconds."""

    p50_ms: float
    p99_ms: float


class Arrival(NamedTuple):
    """A prediction as it was read."""

    partition: int
    at_ns: int
    value: bytes


def run_latency(contender: Contender, lab: Lab, group: str) -> Latency:
    """Run a contender under a steady rate, and check what it did.

    Raises:
        BenchFailed: it ended, stood still, or did not predict each event exactly once.
    """
    prefix = f"{group}."
    lab.make_topics(prefix)
    lab.fill(f"{prefix}events", make_events(PRIMER, PARTITIONS))
    scheduled = WARM_UP + MEASURED
    with running(contender, lab, prefix, group, scheduled) as process:
        reader = _Reader(lab, f"{prefix}predictions", process)
        reader.until(PRIMER)
        sender = subprocess.Popen(  # noqa: S603 - a module of ours
            [sys.executable, "-m", "streams.bench.steady", str(PRIMER), str(scheduled), str(RATE)],
            env=lab.environment(prefix, group, 0),
            cwd=lab.folder,
            stdout=subprocess.PIPE,
        )
        try:
            reader.until(PRIMER + scheduled)
            said, _ = sender.communicate(timeout=QUIET_S)
        finally:
            sender.kill()
            sender.wait()
        if sender.returncode != 0:
            raise BenchFailed(f"the sender ended with exit code {sender.returncode}")
        reader.until_quiet()
        reader.close()
    for partition in range(PARTITIONS):
        values = [at.value for at in reader.arrivals if at.partition == partition]
        check_once(contender, partition, values, (PRIMER + scheduled) // PARTITIONS)
    return percentiles(reader.arrivals, int(said))


def percentiles(arrivals: Sequence[Arrival], start_ns: int) -> Latency:
    """Return the percentiles of what came after primer and warm-up.

    The n-th prediction of a partition is that of the partition's n-th event, which is event
    ``n * PARTITIONS + partition`` of all.

    Args:
        arrivals: all of them, those of each partition in order.
        start_ns: when the first event after the primer was due.
    """
    seen = [0] * PARTITIONS
    delays = []
    for arrival in arrivals:
        number = seen[arrival.partition] * PARTITIONS + arrival.partition - PRIMER
        seen[arrival.partition] += 1
        if number >= WARM_UP:
            delays.append(arrival.at_ns - start_ns - number * 1_000_000_000 // RATE)
    p50, p99 = np.percentile(delays, [50, 99]) / 1e6
    return Latency(float(p50), float(p99))


class _Reader:
    """Reads predictions as they are committed, and notes when."""

    def __init__(self, lab: Lab, topic: str, process: Running) -> None:
        self.arrivals: list[Arrival] = []
        self._process = process
        self._consumer = Consumer(
            client_config(
                lab.settings("").broker,
                group_id="bench-reader",  # required by the client, never joined
                isolation_level="read_committed",
                enable_auto_commit=False,
            )
        )
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])

    def until(self, count: int) -> None:
        """Read until so many have come."""
        quiet_since = time.monotonic()
        while len(self.arrivals) < count:
            if self._poll():
                quiet_since = time.monotonic()
                continue
            self._process.require_alive()
            if time.monotonic() - quiet_since > QUIET_S:
                raise self._process.failure(
                    f"stands at {len(self.arrivals)} of {count} predictions"
                )

    def until_quiet(self) -> None:
        """Read on until no more come."""
        while self._poll():
            pass

    def _poll(self) -> bool:
        message = self._consumer.poll(POLL_S)
        if message is None:
            return False
        now = time.monotonic_ns()
        if message.error() is not None:
            raise BenchFailed(f"predictions cannot be read: {message.error()}")
        self.arrivals.append(Arrival(message.partition() or 0, now, message.value() or b""))
        return True

    def close(self) -> None:
        self._consumer.close()
