"""``weir bench durable``: what it costs that nothing is lost, repeated or denied.

Each part of it is left out in turn, on the same events; the share of throughput that it costs is
what the worker without it does more. Rounds, not blocks, as in ``streams.bench.stream``. What is
off by default, encryption, is put in instead (``streams.bench.encryption``).
"""

from __future__ import annotations

import time
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from state.audit.bench import measure
from state.audit.chain import Chain
from state.audit.leaf import blank_rows
from streams.bench import machine
from streams.bench.contenders import WARM_UP_PART, WEIR, running, without
from streams.bench.encryption import run_encryption
from streams.bench.events import make_events
from streams.bench.lab import PARTITIONS, open_lab
from streams.bench.measured import Measured, measured
from streams.bench.restore import restore_rows
from streams.bench.throughput import TAIL, check_once, ends_of, values_of
from streams.kafka.topics import changelog_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.bench.contenders import Contender, Running
    from streams.bench.lab import Lab

BENCH = "durable"
EVENTS = 200_000
"""Some seconds' work for a worker."""

PARTS = {
    "exactly_once_cost": "exactly-once",
    "audit_cost": "audit",
    "signing_cost": "signing",
}
"""Figure → what the worker that it is measured against leaves out."""

VERIFIED = (10_000, 1_000_000)
"""Lengths of the audit logs that are verified: memory must not grow with them."""

APPENDED = 50_000
PREFIX = "bench."
POLL_S = 0.05
STALL_S = 180


class Run(NamedTuple):
    """One run of a worker.

    Attributes:
        events_per_s: steps that it committed, from the end of the warm-up on.
        changelog_bytes: of an event, on the changelog topic, all events counted.
    """

    events_per_s: float
    changelog_bytes: float


def run_durable(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: runs of each worker.
        say: told what is going on.

    Raises:
        BenchFailed: a worker failed or gave wrong output.
        BrokerUnavailable: no broker can be started here.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    yield from _costs(repeats, say, params)
    yield from _audit(repeats, say)
    yield from restore_rows(repeats, say)


def _costs(repeats: int, say: Callable[[str], None], params: dict[str, Any]) -> Iterator[Measured]:
    with open_lab() as lab:
        lab.make_topics(PREFIX)
        say("filling the topic")
        lab.fill(f"{PREFIX}events", make_events(EVENTS + TAIL, PARTITIONS))
        workers = {"": WEIR} | {what: without(what) for what in PARTS.values()}
        runs: dict[str, list[Run]] = {what: [] for what in workers}
        groups = count()
        say("warming up")
        _run(WEIR, lab, f"durable-{next(groups)}")
        for repeat in range(repeats):
            for what, worker in workers.items():
                say(f"repeat {repeat + 1} of {repeats}: {worker.name}")
                runs[what].append(_run(worker, lab, f"durable-{next(groups)}"))
        yield from run_encryption(lab, EVENTS, repeats, say, params)
    whole = [run.events_per_s for run in runs[""]]
    for metric, what in PARTS.items():
        less = [run.events_per_s for run in runs[what]]
        shares = [1 - ours / theirs for ours, theirs in zip(whole, less, strict=True)]
        rates = {"events_per_s": round(median(whole)), "without": round(median(less))}
        yield measured(BENCH, metric, "of throughput", shares, {**params, **rates})
    sizes = [run.changelog_bytes for run in runs[""]]
    yield measured(BENCH, "changelog_bytes_per_event", "bytes", sizes, params)


def _run(worker: Contender, lab: Lab, group: str) -> Run:
    """Let a worker go through the events, and check that it predicted each once.

    Raises:
        BenchFailed: it ended, stood still, or did not.
    """
    topic = f"{PREFIX}predictions"
    before = ends_of(lab, topic)
    with running(worker, lab, PREFIX, group, EVENTS) as process:
        begun, first = _await(process, EVENTS // WARM_UP_PART)
        ended, last = _await(process, EVENTS)
    steps = 0
    for partition, start in before.items():
        values = values_of(lab, topic, partition, start)
        check_once(worker, partition, values, len(values))
        steps += len(values)
    changelog = changelog_name(group)
    size = sum(len(value) for p in range(PARTITIONS) for value in values_of(lab, changelog, p, 0))
    return Run((last - first) / (ended - begun), size / steps)


def _await(process: Running, steps: int) -> tuple[float, float]:
    """Wait until a worker has committed so many steps; return when, and how many it has."""
    reached, since = -1.0, time.monotonic()
    while True:
        process.require_alive()
        try:
            done = process.metrics().get("weir_steps_total", 0.0)
        except OSError:  # it does not serve yet
            done = 0.0
        now = time.monotonic()
        if done >= steps:
            return now, done
        if done > reached:
            reached, since = done, now
        elif now - since > STALL_S:
            raise process.failure(f"stands at {done:.0f} of {steps} steps")
        time.sleep(POLL_S)


def _audit(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    for records in VERIFIED:
        say(f"verifying {records:,} records")
        for line in measure(records, repeats):
            yield Measured(**line)
    say("appending, beside pymerkle")
    ours, theirs = [], []
    for _ in range(repeats + 1):  # the first warms up
        ours.append(_append_rate(_chained))
        theirs.append(_append_rate(_pymerkle))
    yield measured(
        BENCH,
        "append_records_per_s",
        "records/s",
        ours[1:],
        {"records": APPENDED},
        "pymerkle",
        theirs[1:],
    )


def _append_rate(append: Callable[[list[bytes]], None]) -> float:
    leaves = Chain("bench").append(blank_rows(APPENDED))
    started = time.process_time()
    append(leaves)
    return APPENDED / (time.process_time() - started)


def _chained(_: list[bytes]) -> None:
    Chain("bench").append(blank_rows(APPENDED))


def _pymerkle(leaves: list[bytes]) -> None:
    import pymerkle  # noqa: PLC0415 - of the development requirements

    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
