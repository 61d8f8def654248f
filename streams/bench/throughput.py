"""Events a second: how fast a contender commits events that wait in the topic."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from streams.bench import machine
from streams.bench.contenders import WARM_UP_PART, running
from streams.bench.errors import BenchFailed
from streams.bench.lab import PARTITIONS
from streams.kafka.clients import client_config, retried
from streams.kafka.reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.bench.contenders import Contender, Running
    from streams.bench.lab import Lab

POLL_S = 0.02
STALL_S = 180  # the first start on a machine compiles the kernels
SETTLE_S = 10

TAIL = 120_000
"""Events behind those that are measured: more than any contender fetches ahead."""

STAGES = ("decode", "kernel", "audit", "encode", "commit", "table")


@dataclass(frozen=True)
class Throughput:
    """One run.

    Attributes:
        events_per_s: from the end of the warm-up to the last commit.
        cpu_us: processor time an event of ``process`` and ``broker``, in µs; empty where the system
            does not tell.
        shares: share of the shards' time by stage; the rest is waiting for events: fetching, Faust,
            and turns on the event loop. Empty for contenders without metrics.
    """

    events_per_s: float
    cpu_us: Mapping[str, float]
    shares: Mapping[str, float]


class Reading(NamedTuple):
    """What was read off at one moment."""

    at: float
    committed: int
    cpu: Mapping[str, float]
    metrics: Mapping[str, float]


def run_throughput(
    contender: Contender, lab: Lab, prefix: str, group: str, events: int
) -> Throughput:
    """Run a contender until it has committed so many events, and check what it did.

    The topic must hold ``TAIL`` events more, so that what a contender has fetched ahead when the
    warm-up ends it has fetched ahead at the end, too.

    Raises:
        BenchFailed: it ended, stood still, or did not predict each event exactly once.
    """
    before = ends_of(lab, f"{prefix}predictions")
    offsets = CommittedOffsets(lab, f"{prefix}events", group)
    with running(contender, lab, prefix, group, events) as process:
        first = _await(events // WARM_UP_PART, offsets, process, lab)
        last = _await(events, offsets, process, lab)
    require_once(lab, contender, prefix, before, offsets)
    offsets.close()
    return summarised(first, last)


def summarised(first: Reading, last: Reading) -> Throughput:
    """Return what happened between two readings.

    Raises:
        BenchFailed: nothing did: all was over before the first.
    """
    events = last.committed - first.committed
    if events == 0:
        raise BenchFailed(
            f"all {last.committed} events were committed before the warm-up was seen to be over: "
            "take more (--events)"
        )
    seconds = last.at - first.at
    shares = {}
    if last.metrics:
        for stage in STAGES:
            name = f"weir_{stage}_seconds_sum"
            spent = last.metrics[name] - first.metrics.get(name, 0.0)
            shares[stage] = spent / (seconds * PARTITIONS)
        shares["rest"] = 1.0 - sum(shares.values())
    return Throughput(
        events_per_s=events / seconds,
        cpu_us={who: (last.cpu[who] - first.cpu[who]) / events * 1e6 for who in last.cpu},
        shares=shares,
    )


class CommittedOffsets:
    """Asks for the offsets that a group has committed."""

    def __init__(self, lab: Lab, topic: str, group: str) -> None:
        self._where = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        # With read_committed the broker would make us wait for as long as any transaction of the
        # group is open, and one always is. What it answers is what is committed, either way.
        self._consumer = Consumer(
            client_config(
                lab.settings("").broker, group_id=group, isolation_level="read_uncommitted"
            )
        )

    def read(self) -> dict[int, int]:
        """Return the offset by partition, 0 where none is committed."""
        found = retried(
            lambda: self._consumer.committed(self._where, timeout=10), "offsets", STALL_S
        )
        return {at.partition: max(0, at.offset) for at in found}

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()


def _await(count: int, offsets: CommittedOffsets, process: Running, lab: Lab) -> Reading:
    """Wait until so many events are committed, or a few more."""
    reached, since = -1, time.monotonic()
    while True:
        total = sum(offsets.read().values())
        now = time.monotonic()
        if total >= count:
            return _reading(now, total, process, lab)
        if total > reached:
            reached, since = total, now
        elif now - since > STALL_S:
            raise process.failure(f"stands at {total} of {count} events")
        process.require_alive()
        time.sleep(POLL_S)


def _reading(now: float, total: int, process: Running, lab: Lab) -> Reading:
    pids = {"process": process.process.pid, "broker": lab.broker_pid}
    used = {who: machine.cpu_seconds(pid) for who, pid in pids.items()}
    cpu = {who: seconds for who, seconds in used.items() if seconds is not None}
    metrics = process.metrics() if process.contender.serves_metrics else {}
    return Reading(now, total, cpu, metrics)


def ends_of(lab: Lab, topic: str) -> dict[int, int]:
    """Return the last stable offset of each partition."""
    reader = PartitionReader(lab.settings("").broker)
    try:
        return reader.stable_end(topic, list(range(PARTITIONS)))
    finally:
        reader.close()


def require_once(
    lab: Lab,
    contender: Contender,
    prefix: str,
    before: Mapping[int, int],
    offsets: CommittedOffsets,
) -> None:
    """Check that there is exactly one committed prediction for each committed event.

    Args:
        lab: where.
        contender: whose they are; it has ended.
        prefix: of the topics.
        before: partition → where the predictions of this run begin.
        offsets: what the run has committed.

    Raises:
        BenchFailed: there is not.
    """
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            for partition, committed in offsets.read().items():
                values = values_of(lab, f"{prefix}predictions", partition, before[partition])
                check_once(contender, partition, values, committed)
        except BenchFailed:
            # The broker answers a commit when its end is certain, and marks the partitions then.
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return


def values_of(lab: Lab, topic: str, partition: int, start: int) -> list[bytes]:
    """Return the committed values of a partition from an offset on."""
    reader = PartitionReader(lab.settings("").broker)
    try:
        end = reader.stable_end(topic, [partition])[partition]
        batches = reader.read(topic, partition, start, end)
        return [record.value or b"" for batch in batches for record in batch]
    finally:
        reader.close()


def check_once(
    contender: Contender, partition: int, values: Sequence[bytes], committed: int
) -> None:
    """Check the predictions of a partition; without event numbers they can only be counted.

    Raises:
        BenchFailed: one is missing, there twice, or of no event of the partition.
    """
    who = f"{contender.name}, partition {partition}"
    if len(values) != committed:
        raise BenchFailed(f"{who}: {len(values)} predictions for {committed} events")
    if contender.event_number is None:
        return
    wrong = set(map(contender.event_number, values)) ^ {
        partition + PARTITIONS * n for n in range(committed)
    }
    if wrong:
        raise BenchFailed(
            f"{who}: of {committed} events not each has one prediction; see events "
            f"{sorted(wrong)[:5]}"
        )
