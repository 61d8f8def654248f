"""``weir bench hlm``: the linear learner against the floor and against River and Vowpal Wabbit.

All on one core but the rebuild's thread. What is compared runs in turn within each repeat.
"""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from operators.hlm.model import Hlm
from streams.bench import machine
from streams.bench.hlm_events import Events, known_ids, primed, zipf_events
from streams.bench.hlm_floor import event_times, floor_times, gather_scatter
from streams.bench.hlm_peers import Peers
from streams.bench.measured import MEDIANS, Measured, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCH = "hlm"
REPEATS = 5
IDS = (10_000, 1_000_000, 10_000_000)
FEATURES = (30, 100)
SAMPLE = 3_000_000
"""Features of one timed run."""

PEER_IDS = 10_000
PEER_EVENTS = 20_000
RIVER_EVENTS = 2_000
REBUILD_IDS = 1_000_000
REBUILD_SAMPLE = 200_000
"""Events that are learnt over and over while the rebuild runs."""


REBUILD_EVENTS = 2_000_000
"""Events from its beginning to its publication: at this speed the thread needs some 1.5 million."""

LONG_RUN = 10_000_000
"""Events over which cost must stay flat."""


def run_hlm(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: of each comparison.
        say: told what is going on.

    Raises:
        ConfigError: a peer is not installed.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    for ids in IDS:
        known = known_ids(ids)
        say(f"{ids:,} ids")
        hlm, compensated = primed(known), primed(known, compensated=True)
        for features in FEATURES:
            at = {"ids": ids, "features": features, "zipf": 1.0, "mode": "plain", **params}
            yield from _against_floor(known, hlm, compensated, repeats, at)
    yield from _against_peers(repeats, params, say)
    say(f"a rebuild of {REBUILD_IDS:,} ids")
    yield from _during_rebuild(repeats, params)
    say(f"{LONG_RUN:,} events")
    yield _flat(repeats, params)


def _against_floor(
    known: Any, hlm: Hlm, compensated: Hlm, repeats: int, params: dict[str, Any]
) -> Iterator[Measured]:
    events = zipf_events(known, SAMPLE // params["features"], params["features"])
    plain = np.zeros(len(known))
    _floor(plain, events)
    _step(hlm, events)
    _step(compensated, events)
    ours, floor, careful = [], [], []
    for _ in range(repeats):
        ours.append(_step(hlm, events))
        floor.append(_floor(plain, events))
        careful.append(_step(compensated, events))
    yield measured(BENCH, "ns_per_feature", "ns", ours, params, "gather_scatter", floor)
    params = {**params, "mode": "compensated"}
    yield measured(BENCH, "ns_per_feature", "ns", careful, params, "gather_scatter", floor)


def _step(hlm: Hlm, events: Events) -> float:
    """Nanoseconds a feature of the public call, its checks included."""
    began = time.perf_counter()
    hlm.step_batch(events.indptr, events.ids, events.values, events.labels)
    return (time.perf_counter() - began) * 1e9 / events.features


def _floor(plain: Any, events: Events) -> float:
    began = time.perf_counter()
    gather_scatter(plain, events.indptr, events.places, events.values, events.labels, 1e-3)
    return (time.perf_counter() - began) * 1e9 / events.features


def _against_peers(
    repeats: int, params: dict[str, Any], say: Callable[[str], None]
) -> Iterator[Measured]:
    known = known_ids(PEER_IDS)
    hlm = primed(known)
    for features in FEATURES:
        say(f"peers, {features} features")
        events = zipf_events(known, PEER_EVENTS, features)
        peers = Peers(events, RIVER_EVENTS)
        ours, river, vw = [], [], []
        peers.vowpal_wabbit()
        for _ in range(repeats):
            ours.append(1e9 / (_step(hlm, events) * features))
            vw.append(peers.vowpal_wabbit())
            river.append(peers.river())
        at = {"ids": PEER_IDS, "features": features, "zipf": 1.0, **params}
        yield measured(BENCH, "events_per_s", "events/s", ours, at, "vw", vw)
        yield measured(BENCH, "events_per_s", "events/s", ours, at, "river", river)


def _during_rebuild(repeats: int, params: dict[str, Any]) -> Iterator[Measured]:
    known = known_ids(REBUILD_IDS)
    before = primed(known)
    config = replace(before.config, rebuild_events=REBUILD_EVENTS)
    hlm = Hlm.from_state(config, REBUILD_IDS, before.to_state())
    events = zipf_events(known, REBUILD_SAMPLE, 30)
    event_times(hlm, events)
    plain = np.zeros(len(known))
    floor_times(plain, events, config.lr)
    runs = [
        (
            event_times(hlm, events),
            _times_while_rebuilding(hlm, events),
            floor_times(plain, events, config.lr),
        )
        for _ in range(repeats)
    ]
    floor_p50, floor_p99, _ = _quantiles([run[2] for run in runs])
    floor_spread = list(np.divide(floor_p99, floor_p50))
    for position, during in enumerate(("nothing", "rebuild")):
        times = [run[position] for run in runs]
        at = {"ids": REBUILD_IDS, "features": 30, "during": during, "waits": hlm.waits, **params}
        p50, p99, rare = _quantiles(times)
        yield measured(BENCH, "p50", "ns", p50, at, "gather_scatter", floor_p50)
        spread = list(np.divide(p99, p50))
        yield measured(BENCH, "p99_over_p50", MEDIANS, spread, at, "gather_scatter", floor_spread)
        yield measured(BENCH, "slowest_0.01_percent", "ns", rare, at)
        yield measured(BENCH, "slowest", "ns", [float(one.max()) for one in times], at)


def _quantiles(runs: list[Any]) -> list[list[float]]:
    """Median, 99th and 99.99th percentile of each run."""
    return [[float(np.percentile(run, share)) for run in runs] for share in (50, 99, 99.99)]


def _times_while_rebuilding(hlm: Hlm, events: Events) -> Any:
    """Times of the events from the beginning of a rebuild to its publication."""
    version = hlm.ack.ver_base
    hlm.request_rebuild()
    found = []
    while hlm.ack.ver_base == version:
        found.append(event_times(hlm, events))
    return np.concatenate(found)


def _flat(repeats: int, params: dict[str, Any]) -> Measured:
    """Cost of an event in the last tenth of a long run over that in the first."""
    known = known_ids(PEER_IDS)
    hlm = primed(known)
    events = zipf_events(known, 100_000, 30)
    _step(hlm, events)
    ratios = []
    for _ in range(repeats):
        costs = [_step(hlm, events) for _ in range(LONG_RUN // len(events.labels))]
        tenth = len(costs) // 10
        ratios.append(median(costs[-tenth:]) / median(costs[:tenth]))
    at = {"ids": PEER_IDS, "features": 30, "events": LONG_RUN, **params}
    return measured(BENCH, "last_over_first_tenth", "times", ratios, at)
