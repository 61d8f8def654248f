"""Quotas beside labels, repetitions and notes: the same verdicts however the log is cut."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from state import cell_keys
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.keys import CellKeys
from streams.settings import QuotaLimits, QuotaSettings
from streams.shard import restore
from tests.property.streams import test_labels as labelled
from tests.property.streams.test_engine import CONFIG
from tests.property.streams.test_labels import ENCODE, UNSTABLE, VECTORS, any_log, run

if TYPE_CHECKING:
    from operators.fusion.cell import CellConfig
    from streams.kafka.reader import Record
    from streams.shard.engine import Engine
    from streams.shard.unit import UnitOfWork

LENGTH = 110
RATE = QuotaSettings(events_per_s=12, burst_s=0.4)
IDS = QuotaSettings(ids=20)
BOTH = QuotaSettings(ids=25, tenants={"acme": QuotaLimits(events_per_s=15, burst_s=0.3, ids=15)})
NONE = QuotaSettings()

some = st.sampled_from([RATE, IDS, BOTH, NONE])
schedules = st.lists(st.tuples(st.integers(0, LENGTH), some), min_size=1, max_size=4)
configs = st.sampled_from([CONFIG, UNSTABLE, VECTORS])
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> CellKeys:
    """Secrets made for this run."""
    folder = tmp_path_factory.mktemp("secrets") / "keys"
    return CellKeys(FileSecrets.initialise(folder), "test")


def log(seed: int, config: CellConfig) -> list[Record]:
    """Return a log of everything, with notes among it."""
    rng = np.random.default_rng(seed + 1)
    records = any_log(seed, config, count=LENGTH - 20)
    for number in range(20):
        note = labelled.observation(number, kind="NOTE", context={"entry": "{}"})
        note["tenant"] = ["acme", "globex"][number % 2]
        at = int(rng.integers(1, len(records)))
        records.insert(at, records[0]._replace(value=ENCODE(note)))
    return [record._replace(offset=at) for at, record in enumerate(records)]


def made(keys: CellKeys, config: CellConfig, schedule: Any) -> Engine:
    """Return an engine that judges by a schedule."""
    engine = labelled.make_engine(keys, config=config)
    entries = [[at, one.model_dump()] for at, one in sorted(schedule, key=lambda of: of[0])]
    engine.quotas.follow(json.dumps({"furthest": 0, "schedule": entries}).encode())
    return engine


def standing(engine: Engine) -> Any:
    """Return chains, weights, memories and buckets."""
    buckets = {
        name: None if at.bucket is None else at.bucket.tobytes()
        for name, at in engine.members.items()
    }
    return labelled.standing(engine), buckets


def over(units: list[UnitOfWork]) -> Counter[tuple[str, str]]:
    return sum((unit.over_quota for unit in units), start=Counter())


@given(
    seed=seeds,
    config=configs,
    schedule=schedules,
    cuts=st.lists(st.integers(0, LENGTH), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_the_cut_into_units_changes_no_verdict(
    keys: CellKeys, seed: int, config: CellConfig, schedule: Any, cuts: list[int]
) -> None:
    """Nor one byte of what the events teach; the bounds change where the schedule says so."""
    records = log(seed, config)
    whole, cut, single = (made(keys, config, schedule) for _ in range(3))
    one, many = run(whole, records, []), run(cut, records, cuts)
    each = run(single, records, list(range(len(records))))
    for role in ("predictions", "audit"):
        outputs = [[m for unit in units for m in unit.outputs[role]] for units in (one, many, each)]
        assert outputs[0] == outputs[1] == outputs[2]
    assert labelled.reasons(one) == labelled.reasons(many) == labelled.reasons(each)
    assert over(one) == over(many) == over(each)
    assert standing(whole) == standing(cut) == standing(single)


@given(
    seed=seeds,
    schedule=schedules,
    checkpoint=st.integers(1, 80),
    crash=st.integers(0, 60),
)
@settings(max_examples=40, deadline=None)
def test_a_restart_judges_on(
    keys: CellKeys,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    schedule: Any,
    checkpoint: int,
    crash: int,
) -> None:
    """From a checkpoint and a silent re-step, as if undisturbed."""
    records = log(seed, CONFIG)
    crash = min(checkpoint + crash, len(records))
    undisturbed, first = (made(keys, CONFIG, schedule) for _ in range(2))
    second = labelled.make_engine(keys, config=CONFIG)
    undisturbed.process(records)
    with ShardStore(tmp_path_factory.mktemp("store")) as store:
        unit = first.process(records[:checkpoint])
        first.add_checkpoint(unit)
        store.write(unit.state, changelog_offset=0)
        if crash > checkpoint:
            store.write(first.process(records[checkpoint:crash]).state, changelog_offset=1)
        restore.load_engine(second, store)
        if crash > checkpoint:
            second.process(records[checkpoint:crash], emit=False)
        second.compare_chains(
            (cell_keys.tenant_of(key), value)
            for key, value in store.items(cell_keys.chain_prefix())
        )
    assert standing(second) == standing(first)
    if crash < len(records):
        second.process(records[crash:])
    assert standing(second) == standing(undisturbed)


def test_these_logs_have_all_that_a_bound_can_refuse(keys: CellKeys) -> None:
    """Observations, labels and notes; a check of the two above."""
    refused: Counter[tuple[str, str]] = Counter()
    for seed in range(4):
        records = log(seed, CONFIG)
        unit = made(keys, CONFIG, [(0, BOTH)]).process(records)
        decode = Codec("event").decode
        for _, value, headers in unit.quarantine:
            kept = Codec("quarantine").decode(value)
            event = decode(records[int(dict(headers)["offset"])].value or b"")
            refused[event["kind"], kept["reason"]] += 1
    assert {
        ("OBSERVATION", "QUOTA_RATE"),
        ("NOTE", "QUOTA_RATE"),
        ("OBSERVATION", "QUOTA_IDS"),
        ("LABEL", "QUOTA_IDS"),
    } <= refused.keys()
    assert ("LABEL", "QUOTA_RATE") not in refused
