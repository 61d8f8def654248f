"""``weir bench fuse``: the whole fused step against River's nearest thing to it.

All on one core. What is compared runs in turn within each repeat, on the same events.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.batch import EventBatch
from operators.fusion.cell import Cell, CellConfig, FusionConfig, Seeds
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig
from schemas.errors import ConfigError
from streams.bench import machine
from streams.bench.batches import keyed_events
from streams.bench.measured import Measured, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCH = "fuse"
SIZES = ((16, 256, 1), (64, 1024, 1), (64, 1024, 64))
"""Lengths of keys, number of features, lengths of values."""

FEATURES = 30
IDS = 10_000
BATCH = 2_000
RIVER_EVENTS = 1_000
WARM_UP = 5_000
SINGLES = 5_000
TIMED_S = 0.5
SEEDS = Seeds(prf=3, prf_version=1, hash_salt=4, hash_version=1)


def run_fuse(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: of each figure.
        say: told what is being measured.

    Raises:
        ConfigError: River is not installed.
    """
    common: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    for d, r, dv in SIZES:
        say(f"d = {d}, r = {r}, dv = {dv}")
        params = {"d": d, "r": r, "dv": dv, "features": FEATURES, **common}
        events = make_events(d, dv, BATCH)
        cell = warmed(config_of(d, r, dv), events)
        times, spreads = [], []
        for _ in range(repeats):
            times.append(1e9 * seconds_per_event(cell, events))
            spreads.append(_p99_over_p50(cell, events))
        yield measured(BENCH, "ns_per_event", "ns", times, params)
        yield measured(BENCH, "p99_over_p50", "times", spreads, params)
    yield from _against_river(repeats, common, say)


def config_of(d: int, r: int, dv: int) -> CellConfig:
    """A cell whose parts have all joined, which costs most."""
    return CellConfig(
        hlm=HlmConfig(link="logistic"),
        sera=SeraConfig(d=d, r=r, d_v=dv, prior=0.5),
        fusion=FusionConfig(rollout="all"),
    )


def make_events(d: int, dv: int, n: int) -> EventBatch:
    """Events of 30 different ids of 10^4 by Zipf's law, a key each, and a label that both show."""
    rng = np.random.default_rng(11)
    # Without replacement: the largest of log weights and Gumbel noise.
    drawn = rng.gumbel(size=(n, IDS)) - np.log(np.arange(1, IDS + 1))
    ranks = np.argpartition(-drawn, FEATURES, axis=1)[:, :FEATURES].reshape(-1).astype(np.uint64)
    values = rng.normal(size=n * FEATURES) / np.sqrt(FEATURES)
    key = rng.normal(size=(n, d))
    key *= np.sqrt(0.5 * np.sqrt(d)) / np.linalg.norm(key, axis=1, keepdims=True)
    weights = rng.normal(size=IDS)
    score = (weights[ranks] * values).reshape(n, FEATURES).sum(axis=1) + np.sign(key[:, 0])
    label = (score + rng.normal(size=n) > 0.0).astype(np.float64)
    indptr = np.arange(n + 1, dtype=np.int64) * FEATURES
    events = keyed_events(indptr, ranks + np.uint64(1), values, key, label)
    return events._replace(
        value=np.repeat(label[:, np.newaxis], dv, axis=1), has_value=np.ones(n, np.uint8)
    )


def warmed(config: CellConfig, events: EventBatch) -> Cell:
    """A cell whose ids are known and whose kernels are compiled."""
    cell = Cell(config, SEEDS)
    for _ in range(-(-WARM_UP // events.events)):
        cell.step_batch(events)
    return cell


def seconds_per_event(cell: Cell, events: EventBatch) -> float:
    """Time of an event in batches, over at least ``TIMED_S``."""
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < TIMED_S:
        cell.step_batch(events)
        done += events.events
    return spent / done


def _p99_over_p50(cell: Cell, events: EventBatch) -> float:
    """Spread of the time of single events, each a batch of its own."""
    singles = [one_of(events, t) for t in range(min(events.events, 500))]
    spent = np.empty(SINGLES)
    for i in range(SINGLES):
        began = time.perf_counter_ns()
        cell.step_batch(singles[i % len(singles)])
        spent[i] = time.perf_counter_ns() - began
    p50, p99 = np.percentile(spent, (50, 99))
    return float(p99 / p50)


def one_of(events: EventBatch, t: int) -> EventBatch:
    """Event ``t`` as a batch of its own."""
    return part_of(events, slice(t, t + 1))


def part_of(events: EventBatch, rows: slice) -> EventBatch:
    """Events ``rows.start .. rows.stop - 1`` as a batch of their own, without contexts."""
    features = slice(int(events.indptr[rows.start]), int(events.indptr[rows.stop]))
    columns = {name: column[rows] for name, column in events._asdict().items()}
    columns |= {
        "indptr": events.indptr[rows.start : rows.stop + 1] - features.start,
        "ids": events.ids[features],
        "values": events.values[features],
        "ctx_indptr": np.zeros(rows.stop - rows.start + 1, np.int64),
        "ctx_ids": events.ctx_ids[:0],
    }
    return EventBatch(**columns)


class RiverPipeline:
    """River's logistic regression and nearest-neighbour regressor, and the mean of the two.

    Args:
        window: keys that neighbours are looked for among, one by one; ``None`` for River's default,
            an approximate search among the last thousand.
    """

    def __init__(self, window: int | None) -> None:
        try:
            from river import linear_model, neighbors, optim  # noqa: PLC0415 - a peer
        except ImportError as error:
            raise ConfigError(
                "weir bench fuse compares with River: install the development requirements "
                "(make install)"
            ) from error
        self._linear: Any = linear_model.LogisticRegression(optim.SGD(0.05))
        engine = neighbors.LazySearch(window_size=window) if window else None
        self._neighbours: Any = neighbors.KNNRegressor(n_neighbors=5, engine=engine)

    def step(self, row: RiverRow) -> float:
        """Predict and learn one event."""
        p: float = self._linear.predict_proba_one(row.features).get(True, 0.5)
        q: float | None = self._neighbours.predict_one(row.key)
        self._linear.learn_one(row.features, bool(row.label))
        self._neighbours.learn_one(row.key, row.label)
        return 0.5 * (p + (q or 0.0))


class RiverRow(NamedTuple):
    """An event as River takes it."""

    features: dict[int, float]
    key: dict[int, float]
    label: float


def river_rows(events: EventBatch, n: int) -> list[RiverRow]:
    """The first ``n`` events."""
    rows = []
    for t in range(n):
        one = one_of(events, t)
        features = dict(zip(one.ids.tolist(), one.values.tolist(), strict=True))
        key = dict(enumerate(one.key[0].tolist()))
        rows.append(RiverRow(features, key, float(one.label[0])))
    return rows


def _against_river(
    repeats: int, common: dict[str, Any], say: Callable[[str], None]
) -> Iterator[Measured]:
    d, r, dv = SIZES[0]
    events = make_events(d, dv, BATCH)
    config = config_of(d, r, dv)
    cell = warmed(config, events)
    rows = river_rows(events, RIVER_EVENTS)
    params = {"d": d, "r": r, "dv": dv, "features": FEATURES, **common}
    peers = {"river_pipeline": None, "river_pipeline_same_window": config.sera.window}
    for name, window in peers.items():
        say(name)
        ours, river = [], []
        for _ in range(repeats):
            ours.append(1.0 / seconds_per_event(cell, events))
            peer = RiverPipeline(window)
            began = time.perf_counter()
            for row in rows:
                peer.step(row)
            river.append(len(rows) / (time.perf_counter() - began))
        yield measured(BENCH, "events_per_s", "events/s", ours, params, name, river)
