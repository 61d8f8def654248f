"""False alarms of the margin over many long streams on which nothing changes.

Run with ``-s`` for the table in docs/sera.md.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from river import datasets

from operators.batch import EventBatch
from operators.fusion.cell import Cell, CellConfig
from operators.fusion.outputs import Action
from operators.hlm.config import HlmConfig
from operators.seeds import Seeds
from operators.sera.config import SeraConfig
from tests.unit.operators.sera.clopper_pearson import lower_bound
from tests.unit.operators.sera.null_streams import (
    SMALL,
    Floats,
    forget,
    keys_of,
    learn,
    new,
    noise,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

STREAMS = 2_000
STEPS = 10_000
ALPHAS = (0.05, 0.005)
LATE_STEPS = 2_000
BLOCK = 100


def level(alpha: float) -> float:
    """Value of log E_mix that is an alarm of the first epoch: the first alarm is always of it."""
    return math.log(math.pi**2 / 6 / alpha)


def report(what: str, counts: dict[float, int], streams: int) -> None:
    """Print a row of the table, and hold it to the promise."""
    cells = []
    for alpha, count in counts.items():
        bound = lower_bound(count, streams)
        cells.append(f"{count / streams:.4f} (at least {bound:.4f})")
        assert bound <= alpha, f"{what}: {count} of {streams} at alpha = {alpha}"
    print(f"| {what} | {streams:,} | {' | '.join(cells)} |")  # noqa: T201 - the table of the docs


@pytest.mark.parametrize("kind", ["normal", "t3", "lognormal"])
def test_false_alarms_of_a_learning_sera_are_as_rare_as_promised(kind: str) -> None:
    """Of streams on which nothing changes no more than alpha raise an alarm, whatever the noise."""
    rng = np.random.default_rng(11)
    arrays, sera = new()
    counts = dict.fromkeys(ALPHAS, 0)
    for _ in range(STREAMS):
        keys = keys_of(rng, STEPS)
        forget(arrays, sera)
        # An alarm at a higher alpha is a lower level in the same epoch: one run tells of both.
        highest = learn(arrays, sera, keys, target(keys) + noise(kind, rng, (STEPS,)), math.inf)
        for alpha in ALPHAS:
            counts[alpha] += highest > level(alpha)
    assert SMALL.alpha == min(ALPHAS)
    report(f"Sera, {kind} noise", counts, STREAMS)


def dense(features: Floats, labels: Floats, d: int) -> EventBatch:
    """Events with all features each and no vectors of their own."""
    n, k = features.shape
    none, empty = np.zeros(n, np.uint8), np.zeros((n, d))
    return EventBatch(
        indptr=np.arange(0, n * k + 1, k, dtype=np.int64),
        ids=np.tile(np.arange(1, k + 1, dtype=np.uint64), n),
        values=np.ascontiguousarray(features).reshape(-1),
        time_us=np.arange(n, dtype=np.int64),
        label=labels,
        has_label=np.ones(n, np.uint8),
        key=empty,
        has_key=none,
        query=empty,
        has_query=none,
        value=np.zeros((n, 1)),
        has_value=none,
        ctx_indptr=np.zeros(n + 1, np.int64),
        ctx_ids=np.zeros(0, np.uint64),
    )


def highest_evidence(
    number: int, features: Floats, labels: Floats, **sera: Any
) -> tuple[float, int]:
    """Largest log E_mix of a whole fused learner up to its first alarm at the lowest alpha.

    And how many Seras took over up to then.
    """
    config = CellConfig(
        hlm=HlmConfig(link="logistic", lr=0.05),
        sera=SeraConfig(d=4, r=16, prior=0.5, alpha=min(ALPHAS), **sera),
    )
    seeds = Seeds(prf=number, prf_version=1, hash_salt=number, hash_version=1)
    rows = Cell(config, seeds).step_batch(dense(features, labels, 4))
    actions = rows["actions"].astype(int)
    (alarms,) = np.nonzero(actions & Action.MARGIN_ALARM)
    first = slice(alarms[0] + 1 if alarms.size else None)
    handovers = int(np.count_nonzero(actions[first] & Action.SERA_SUCCEEDED))
    return float(rows["log_e"][first].max()), handovers


def synthetic() -> Iterator[tuple[Floats, Floats]]:
    rng = np.random.default_rng(12)
    while True:
        x = rng.normal(size=(STEPS, 3))
        chance = 1.0 / (1.0 + np.exp(-2.0 * x[:, 0] + x[:, 1] * x[:, 2]))
        yield x, (rng.random(STEPS) < chance).astype(np.float64)


def permuted(data: Any) -> Iterator[tuple[Floats, Floats]]:
    """A real data set in random orders: its events are exchangeable by construction."""
    rng = np.random.default_rng(13)
    rows = [(list(x.values()), y) for x, y in data]
    x = np.array([row for row, _ in rows], np.float64)
    y = np.array([label for _, label in rows], np.float64)
    while True:
        order = rng.permutation(len(y))
        yield x[order], y[order]


def test_false_alarms_stay_as_rare_where_larger_seras_take_over() -> None:
    """Handovers, which the data bring about, with their burn-ins give a bettor no edge."""
    counts, handovers = dict.fromkeys(ALPHAS, 0), 0
    for number, (features, labels) in enumerate(itertools.islice(synthetic(), STREAMS)):
        highest, seen = highest_evidence(
            number, features, labels, max_r=32, retune=True, c_yellow=0.02, c_red=0.04, burn_in=100
        )
        handovers += seen
        for alpha in ALPHAS:
            counts[alpha] += highest > level(alpha)
    assert handovers > STREAMS
    report(f"fused, synthetic, {handovers / STREAMS:.1f} handovers a stream", counts, STREAMS)


@pytest.mark.parametrize("name", ["synthetic", "Phishing", "Bananas"])
def test_false_alarms_of_the_fused_learner_are_as_rare_as_promised(name: str) -> None:
    """The whole learner, from cold, on stationary data: alarms are false as rarely as promised."""
    made = synthetic() if name == "synthetic" else permuted(getattr(datasets, name)())
    counts = dict.fromkeys(ALPHAS, 0)
    for number, (features, labels) in enumerate(itertools.islice(made, STREAMS)):
        highest, _ = highest_evidence(number, features, labels)
        for alpha in ALPHAS:
            counts[alpha] += highest > level(alpha)
    report(f"fused, {name}", counts, STREAMS)


def test_false_alarms_stay_as_rare_where_labels_come_late() -> None:
    """Values are ingested with the events, labels come 100 events later: no bettor has an edge."""
    rng = np.random.default_rng(14)
    counts = dict.fromkeys(ALPHAS, 0)
    for number in range(STREAMS):
        x = rng.normal(size=(LATE_STEPS, 4))
        y = np.sin(2.0 * x[:, 0]) + 0.3 * rng.normal(size=LATE_STEPS)
        highest = highest_late_evidence(number, x, y)
        for alpha in ALPHAS:
            counts[alpha] += highest > level(alpha)
    report(f"fused, synthetic, labels {BLOCK} events late", counts, STREAMS)


def highest_late_evidence(number: int, keys: Floats, labels: Floats) -> float:
    """Largest log E_mix up to the first alarm where each block of labels comes after the next."""
    config = CellConfig(
        hlm=HlmConfig(link="identity"),
        sera=SeraConfig(d=4, r=256, norm_radius=16.0, clip=20.0, burn_in=20, alpha=min(ALPHAS)),
    )
    cell = Cell(config, Seeds(prf=number, prf_version=1, hash_salt=number, hash_version=1))
    there, none = np.ones(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    highest, waiting = 0.0, None
    for start in range(0, len(labels), BLOCK):
        y = labels[start : start + BLOCK]
        x = keys[start : start + BLOCK]
        block = dense(x, y, 4)._replace(
            key=x, has_key=there, value=y[:, None].copy(), has_value=there, has_label=none
        )
        kept = np.zeros((BLOCK, cell.kept_width))
        cell.step_batch(block, kept)
        if waiting is not None:
            rows = cell.learn_late(*waiting)
            (alarms,) = np.nonzero(rows["margin"] < 0.0)
            highest = max(highest, *rows["log_e"][: alarms[0] + 1 if alarms.size else None])
            if alarms.size:
                break
        waiting = block._replace(has_label=there), kept
    return highest
