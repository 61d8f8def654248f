"""``weir bench stream``: the whole application, against a peer and against a floor.

Rounds, not blocks: in each repeat every contender runs once, so that a machine that slows down
slows all of them. An uncounted run comes first, which warms the broker up and leaves the outputs
that the floor sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Any

from streams.bench import contenders, machine, peers
from streams.bench.events import DIMENSION, FEATURES, make_events
from streams.bench.lab import PARTITIONS, open_lab
from streams.bench.latency import RATE, Latency, run_latency
from streams.bench.measured import Measured, measured
from streams.bench.throughput import TAIL, Throughput, run_throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streams.bench.contenders import Contender
    from streams.bench.lab import Lab

BENCH = "stream"
EVENTS = 400_000
"""Some seconds' work: in less, what was fetched ahead and the broker's own compiler decide."""

REPEATS = 5


class Part(StrEnum):
    """What can be measured by itself."""

    EVENTS = "events"
    NULL = "null"
    LATENCY = "latency"


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        events: events that a contender commits in a run; a fifth of them is warm-up.
        repeats: runs of each contender.
        parts: what to measure.
        say: told what is going on.
        plot: where a benchmark that draws one puts its picture.
    """

    events: int
    repeats: int
    parts: frozenset[Part]
    say: Callable[[str], None]
    plot: Path | None = None


# Part → the contenders that it compares, ours first.
PAIRS: dict[Part, tuple[Contender, Contender]] = {
    Part.EVENTS: (contenders.WEIR, contenders.QUIX_RIVER),
    Part.NULL: (contenders.WEIR_NULL, contenders.RAW_TRANSACTIONAL),
    Part.LATENCY: (contenders.WEIR, contenders.RAW_TRANSACTIONAL),
}


def run_stream(plan: Plan) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Raises:
        BenchFailed: a contender failed or gave wrong output.
        BrokerUnavailable: no broker can be started here.
        ConfigError: the peer cannot be installed.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    if Part.EVENTS in plan.parts:
        plan.say("making the peer's environment")
        peers.ensure()
    plan.say("starting a broker")
    with open_lab() as lab:
        lab.make_topics(contenders.SAMPLES_PREFIX)
        plan.say("filling the topic")
        size = lab.fill(
            f"{contenders.SAMPLES_PREFIX}events", make_events(plan.events + TAIL, PARTITIONS)
        )
        params |= {
            "features": FEATURES,
            "d": DIMENSION,
            "r": lab.settings("").learner.sera.r,
            "event_bytes": size,
            "partitions": PARTITIONS,
            "gather_ms": lab.settings("").stream.gather_ms,
        }
        plan.say("warming up")
        run_throughput(contenders.WEIR, lab, contenders.SAMPLES_PREFIX, "warm-up", plan.events)
        if plan.parts & {Part.EVENTS, Part.NULL}:
            yield from _throughput(plan, lab, {**params, "events": plan.events})
        if Part.LATENCY in plan.parts:
            yield from _latency(plan, lab, {**params, "rate": RATE})


def _throughput(plan: Plan, lab: Lab, params: dict[str, Any]) -> Iterator[Measured]:
    parts = [part for part in (Part.EVENTS, Part.NULL) if part in plan.parts]
    runs: dict[str, list[Throughput]] = {}
    groups = count(1)
    for repeat in range(plan.repeats):
        for contender in (one for part in parts for one in PAIRS[part]):
            plan.say(f"repeat {repeat + 1} of {plan.repeats}: {contender.name}")
            group = f"{contender.name}-{next(groups)}"
            runs.setdefault(contender.name, []).append(
                run_throughput(contender, lab, contenders.SAMPLES_PREFIX, group, plan.events)
            )
    for part in parts:
        ours, theirs = PAIRS[part]
        metric = "events_per_s" if part is Part.EVENTS else "null_events_per_s"
        mine, others = runs[ours.name], runs[theirs.name]
        yield measured(
            BENCH,
            metric,
            "events/s",
            [run.events_per_s for run in mine],
            params,
            theirs.name,
            [run.events_per_s for run in others],
        )
        yield from _breakdown(ours, theirs, mine, others, params)


def _breakdown(
    ours: Contender,
    theirs: Contender,
    mine: Sequence[Throughput],
    others: Sequence[Throughput],
    params: dict[str, Any],
) -> Iterator[Measured]:
    """Yield where the time goes."""
    for stage in mine[0].shares:
        yield measured(
            BENCH,
            "share",
            "of the shards' time",
            [run.shares[stage] for run in mine],
            {"stage": stage, "worker": ours.name, **params},
        )
    for who in mine[0].cpu_us:
        yield measured(
            BENCH,
            "cpu_per_event",
            "µs",
            [run.cpu_us[who] for run in mine],
            {"of": who, "worker": ours.name, **params},
            theirs.name,
            [run.cpu_us[who] for run in others],
        )


def _latency(plan: Plan, lab: Lab, params: dict[str, Any]) -> Iterator[Measured]:
    ours, theirs = PAIRS[Part.LATENCY]
    runs: dict[str, list[Latency]] = {}
    for repeat in range(plan.repeats):
        for contender in (ours, theirs):
            plan.say(f"latency, repeat {repeat + 1} of {plan.repeats}: {contender.name}")
            group = f"latency-{contender.name}-{repeat}"
            runs.setdefault(contender.name, []).append(run_latency(contender, lab, group))
    for percentile in ("p50_ms", "p99_ms"):
        yield measured(
            BENCH,
            f"latency_{percentile}",
            "ms",
            [getattr(run, percentile) for run in runs[ours.name]],
            params,
            theirs.name,
            [getattr(run, percentile) for run in runs[theirs.name]],
        )
