"""Labels that come late, and events that come twice: the same bytes however the log is cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fusion.cell import CellConfig, FusionConfig
from operators.sera.config import SeraConfig
from schemas.codec import Codec
from schemas.errors import ConfigError
from state import cell_keys
from state.audit.leaf import FORMAT, LATE_LABEL, RECORD_DTYPE, REPEAT
from state.objects import ObjectStore
from state.secrets import FileSecrets
from state.snapshots.reading import list_snapshots, load_snapshot
from state.snapshots.writing import write_snapshot
from state.store import ShardStore
from streams.backtest import run_backtest, state_digest
from streams.feed import FedEvent
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import PlainReader, file_codecs
from streams.settings import LabelSettings, QuotaSettings, load_settings
from streams.shard import restore
from streams.shard.encode import MessageCodecs
from streams.shard.engine import Engine
from streams.shard.quarantine import QuarantineEncoder
from tests.property.streams.test_engine import CONFIG, SHARD

if TYPE_CHECKING:
    from pathlib import Path

    from streams.shard.unit import UnitOfWork

ENCODE = Codec("event").encode
LABELS = LabelSettings(keep_observations=12, ttl_s=1, repeat_window=25)
STEP_US = 40_000

UNSTABLE = CellConfig(
    sera=SeraConfig(
        d=3, r=8, prior=0.5, burn_in=4, gamma=0.9, max_r=24, retune=True, tune_clip=True,
        alpha=0.9, c_yellow=0.02, c_red=0.03,
    ),
    fusion=FusionConfig(stage_events=2, red_limit=3, hold=2, recovery=0.5),
)  # fmt: skip
"""All that may change while a label is awaited does: stages, alarms, controls, a larger Sera."""

VECTORS = replace(
    UNSTABLE,
    sera=replace(UNSTABLE.sera, d_v=2, r_v=2, lowrank=True),
    fusion=replace(UNSTABLE.fusion, rollout="all"),
)
configs = st.sampled_from([CONFIG, UNSTABLE, VECTORS])


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets made for this run."""
    folder = tmp_path_factory.mktemp("secrets") / "keys"
    FileSecrets.initialise(folder)
    return folder


@pytest.fixture(scope="session")
def keys(secrets: Path) -> CellKeys:
    return CellKeys(FileSecrets(secrets), "test")


def make_engine(
    keys: CellKeys,
    labels: LabelSettings = LABELS,
    config: CellConfig = CONFIG,
    quotas: QuotaSettings | None = None,
) -> Engine:
    codecs = MessageCodecs(
        PlainReader(), Codec("audit_checkpoint"), QuarantineEncoder(Codec("quarantine"))
    )
    return Engine(
        SHARD,
        config,
        keys,
        codecs,
        application_id="test",
        source_topic="events",
        max_event_bytes=10_000,
        max_tenants=3,
        labels=labels,
        quotas=quotas,
    )


def observation(number: int, label: float | None = None, **fields: Any) -> dict[str, Any]:
    """An event whose content follows from its number."""
    rng = np.random.default_rng(number)
    return {
        "kind": "OBSERVATION",
        "tenant": "acme",
        "id": f"id-{number % 7}",
        "event_id": str(number),
        "time_us": 10**6 + STEP_US * number,
        "label": label,
        "feature_ids": rng.integers(0, 50, 3).astype("<u8").tobytes(),
        "feature_values": rng.normal(size=3).tobytes(),
        "key": rng.normal(size=3).tobytes() if number % 3 else None,
        "query": rng.normal(size=3).tobytes() if number % 5 == 1 else None,
        "context": {"channel": "web"} if number % 4 == 0 else None,
    } | fields


def late(number: int, label: float = 1.0, **fields: Any) -> dict[str, Any]:
    """The late label of an observation."""
    named = {name: observation(number)[name] for name in ("tenant", "id", "event_id", "time_us")}
    return {"kind": "LABEL", "label": label} | named | fields


def records_of(*events: dict[str, Any]) -> list[Record]:
    return [Record(at, 0, b"k", ENCODE(event)) for at, event in enumerate(events)]


def any_log(seed: int, config: CellConfig = CONFIG, count: int = 90) -> list[Record]:
    """Observations, labels of old and of unknown ones, repetitions, things of no use."""
    rng = np.random.default_rng(seed)
    events: list[dict[str, Any]] = []
    number = 0
    while len(events) < count:
        kind = rng.choice(5, p=[0.5, 0.28, 0.12, 0.05, 0.05])
        tenant = {"tenant": ["acme", "globex"][rng.integers(2)]}
        if kind == 0 or not number:
            label = [None, 0.0, 1.0, float("nan")][rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])]
            fields: dict[str, Any] = dict(tenant)
            if config.sera.d_v > 1 and number % 3:
                fields["value"] = rng.normal(size=config.sera.d_v).tobytes()
            events.append(observation(number, label, **fields))
            number += 1
        elif kind == 1:
            events.append(late(int(rng.integers(max(0, number - 20), number))) | tenant)
        elif kind == 2:
            again = events[int(rng.integers(len(events)))]
            events.append(again)
        elif kind == 3:
            events.append(late(10_000 + number))
        else:
            events.append(late(int(rng.integers(number)), [2.0, float("inf")][rng.integers(2)]))
    return records_of(*events)


def run(engine: Engine, records: list[Record], cuts: list[int]) -> list[UnitOfWork]:
    bounds = sorted({0, len(records), *(cut % len(records) for cut in cuts)})
    return [engine.process(records[start:stop]) for start, stop in pairwise(bounds)]


def kinds(units: list[UnitOfWork]) -> list[float]:
    values = b"".join(m["value"] for unit in units for m in unit.outputs.get("audit", ()))
    return [float(k) for k in np.frombuffer(values, RECORD_DTYPE)["leaf"]["format"]]


def reasons(units: list[UnitOfWork]) -> list[str]:
    decode = Codec("quarantine").decode
    return [decode(value)["reason"] for unit in units for _, value, _ in unit.quarantine]


def standing(engine: Engine) -> dict[str, Any]:
    """Chains, weights and memories."""
    found = {}
    for name, cell in engine.tenants.items():
        memory = engine.members[name].memory.to_state()
        found[name] = (
            engine.chain(name).to_bytes(),
            state_digest(cell),
            {key: array.tobytes() for key, array in memory.items()},
        )
    return found


@given(
    seed=st.integers(0, 2**32),
    config=configs,
    cuts=st.lists(st.integers(0, 90), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_the_cut_into_units_changes_no_byte(
    keys: CellKeys, seed: int, config: CellConfig, cuts: list[int]
) -> None:
    """Labels and repetitions mean the same wherever a batch ends."""
    records = any_log(seed, config)
    whole, cut, single = (make_engine(keys, config=config) for _ in range(3))
    one, many = run(whole, records, []), run(cut, records, cuts)
    each = run(single, records, list(range(len(records))))
    for role in ("predictions", "audit"):
        outputs = [[m for unit in units for m in unit.outputs[role]] for units in (one, many, each)]
        assert outputs[0] == outputs[1] == outputs[2]
    assert reasons(one) == reasons(many) == reasons(each)
    assert standing(whole) == standing(cut) == standing(single)
    dropped = [
        sum((u.dropped for u in units), start=type(one[0].dropped)()) for units in (one, many)
    ]
    assert dropped[0] == dropped[1]


@given(
    seed=st.integers(0, 2**32),
    config=configs,
    checkpoint=st.integers(1, 80),
    crash=st.integers(0, 60),
)
@settings(max_examples=40, deadline=None)
def test_a_restart_remembers_what_waits_for_a_label(
    keys: CellKeys,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    config: CellConfig,
    checkpoint: int,
    crash: int,
) -> None:
    """From a checkpoint and a silent re-step, memory and weights go on as if undisturbed."""
    records = any_log(seed, config)
    crash = min(checkpoint + crash, len(records))
    undisturbed, first, second = (make_engine(keys, config=config) for _ in range(3))
    run(undisturbed, records, [])
    with ShardStore(tmp_path_factory.mktemp("store")) as store:
        for start, stop in ((0, checkpoint // 2), (checkpoint // 2, checkpoint)):
            if start < stop:
                unit = first.process(records[start:stop])
                first.add_checkpoint(unit)
                store.write(unit.state, changelog_offset=start)
        if crash > checkpoint:
            store.write(first.process(records[checkpoint:crash]).state, changelog_offset=100)
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


@pytest.mark.parametrize("config", [CONFIG, UNSTABLE, VECTORS])
def test_a_snapshot_holds_what_waits_for_a_label(
    keys: CellKeys, tmp_path: Path, config: CellConfig
) -> None:
    """A replay from a snapshot gives the records that the log gave, labels and repetitions too."""
    records = any_log(7, config)
    original, again = (make_engine(keys, config=config) for _ in range(2))
    objects = ObjectStore(str(tmp_path / "objects"))
    with ShardStore(tmp_path / "table") as store:
        unit = original.process(records[:50])
        original.add_checkpoint(unit)
        store.write(unit.state, changelog_offset=0)
        with store.view() as view:
            write_snapshot(objects, view, original.about(created_us=1))
    assert any(len(at.memory.observations) for at in original.members.values())
    rest = original.process(records[50:])
    [found] = list_snapshots(objects, "test", SHARD)
    _, loaded = load_snapshot(objects, found)
    restore.load_records(again, loaded, "a snapshot")
    replayed = again.process(records[50:])
    assert LATE_LABEL in kinds([rest])
    assert REPEAT in kinds([rest])
    assert replayed.outputs == rest.outputs
    assert replayed.quarantine == rest.quarantine
    assert standing(again) == standing(original)


def test_a_backtest_gives_the_bytes_of_the_stream_and_judges_late_labels(
    secrets: Path, tmp_path: Path
) -> None:
    """The same audit root and weights, and scores of all predictions whose label has come."""
    chosen = load_settings(
        application_id="test",
        topics={"partitions": 1},
        secrets={"directory": secrets},
        learner=UNSTABLE,
        labels=LABELS,
    )
    records = any_log(3, UNSTABLE)
    fed = [FedEvent(b"k", record.value or b"") for record in records]
    report = run_backtest(chosen, fed, tmp_path / "out", unit_events=17)
    engine = Engine(
        0,
        UNSTABLE,
        CellKeys(FileSecrets(secrets), "test"),
        file_codecs(),
        application_id="test",
        source_topic=chosen.topics.name("events"),
        max_event_bytes=chosen.stream.max_event_bytes,
        max_tenants=chosen.stream.max_tenants,
        labels=LABELS,
    )
    unit = engine.process(records)
    for cell in report.cells:
        assert cell.chain_head == engine.chain(cell.tenant).head
        assert cell.state_digest == state_digest(engine.tenants[cell.tenant])
    values = b"".join(message["value"] for message in unit.outputs["audit"])
    leaves = np.frombuffer(values, RECORD_DTYPE)["leaf"]
    labelled = (leaves["format"] != REPEAT) & ~np.isnan(leaves["label"])
    late_ones = leaves["format"] == LATE_LABEL
    assert late_ones.any()
    assert (labelled & ~late_ones).any()
    assert report.scores.labels == labelled.sum()
    errors = leaves["error"][labelled]
    assert report.scores.scores["fused"].rmse == pytest.approx(np.sqrt((errors**2).mean()))


def test_a_late_label_teaches_what_was_kept(keys: CellKeys) -> None:
    """The audit has a step for it, with the prediction that was made and the error of it."""
    engine = make_engine(keys)
    engine.process(records_of(*(observation(n, float(n % 2)) for n in range(30, 50))))
    before = state_digest(engine.tenants["acme"])
    seen = engine.process(records_of(observation(50)))
    predicted = Codec("prediction").decode(seen.outputs["predictions"][0]["value"])
    unit = engine.process(records_of(late(50)))
    assert kinds([unit]) == [LATE_LABEL]
    assert unit.outputs["predictions"] == []
    leaf = np.frombuffer(unit.outputs["audit"][0]["value"], RECORD_DTYPE)["leaf"][0]
    assert (leaf["y_hat"], leaf["gate"]) == (predicted["y_hat"], predicted["gate"])
    assert leaf["error"] == 1.0 - predicted["y_hat"]
    assert leaf["label"] == 1.0
    assert leaf["step"] == 22.0
    assert state_digest(engine.tenants["acme"]) != before
    assert unit.late_labels == 1


def test_a_label_at_once_and_one_right_after_teach_hlm_the_same(keys: CellKeys) -> None:
    """With nothing between, a late label moves the linear weights as it would have at once."""
    at_once, later = make_engine(keys), make_engine(keys)
    past = [observation(n, float(n % 2)) for n in range(30, 50)]
    for engine in (at_once, later):
        engine.process(records_of(*past))
    at_once.process(records_of(observation(50, 1.0)))
    later.process(records_of(observation(50)))
    later.process(records_of(late(50)))
    found = [engine.tenants["acme"].hlm.items() for engine in (at_once, later)]
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_unmatched_and_repeated_labels_are_told_apart(keys: CellKeys) -> None:
    """A label without an observation waits in quarantine; a second one is no second lesson."""
    engine = make_engine(keys)
    unit = engine.process(
        records_of(observation(0), observation(1, 1.0), late(0), late(0), late(1), late(9))
    )
    assert kinds([unit]) == [FORMAT, FORMAT, LATE_LABEL]
    assert reasons([unit]) == [
        "LATE_LABEL_REPEATED",
        "LATE_LABEL_REPEATED",
        "LATE_LABEL_UNMATCHED",
    ]
    assert unit.quarantined["LATE_LABEL_REPEATED"] == 2


def test_a_label_that_cannot_be_used_leaves_its_observation_waiting(keys: CellKeys) -> None:
    """A bad label is refused; the right one still finds the observation."""
    engine = make_engine(keys)
    unit = engine.process(
        records_of(observation(0), late(0, float("nan")), late(0, 3.0), late(0, 1e200), late(0))
    )
    assert reasons([unit]) == ["NON_FINITE_LABEL", "LABEL_OUT_OF_RANGE", "TOO_LARGE"]
    assert kinds([unit]) == [FORMAT, LATE_LABEL]


def test_oldest_observations_go_first_and_are_counted(keys: CellKeys) -> None:
    """By number and by age in event time; what had its label is no loss."""
    engine = make_engine(keys)
    unit = engine.process(
        records_of(*(observation(n) for n in range(12)), late(3), observation(12), observation(13))
    )
    assert unit.dropped == {"size": 2}
    gone = engine.process(records_of(late(0), late(1), late(2)))
    assert reasons([gone]) == ["LATE_LABEL_REPEATED"] * 2
    assert kinds([gone]) == [LATE_LABEL]
    old = engine.process(records_of(observation(60), late(13)))
    assert old.dropped["ttl"] == 10  # 4 to 13: 2 and 3 had their labels
    assert reasons([old]) == ["LATE_LABEL_REPEATED"]


def test_an_event_that_comes_again_is_not_learnt_twice(keys: CellKeys) -> None:
    """It leaves a mark in the audit, and nothing else."""
    once, twice = make_engine(keys), make_engine(keys)
    first = [observation(n, 1.0) for n in range(3)]
    once.process(records_of(*first))
    unit = twice.process(records_of(first[0], first[1], first[0], first[0], first[2]))
    assert kinds([unit]) == [FORMAT, FORMAT, REPEAT, REPEAT, FORMAT]
    assert unit.repeats == 2
    assert len(unit.outputs["predictions"]) == 3
    assert state_digest(once.tenants["acme"]) == state_digest(twice.tenants["acme"])
    again = twice.process(records_of(*(observation(n, 1.0) for n in range(40, 70)), first[0]))
    assert kinds([again])[-1] == FORMAT  # the window has gone on


def test_an_event_that_was_refused_may_come_again(keys: CellKeys) -> None:
    """What was not learnt is no repetition once it is mended, in the same batch or later."""
    engine = make_engine(keys)
    bad = observation(0, float("nan"))
    unit = engine.process(records_of(bad, observation(0, 1.0), observation(0, 1.0)))
    assert reasons([unit]) == ["NON_FINITE_LABEL"]
    assert kinds([unit]) == [FORMAT, REPEAT]


def test_a_broken_event_under_a_known_name_is_refused_for_what_it_is(keys: CellKeys) -> None:
    """A retry has the same bytes; what came with others, and is of no use, is not hidden."""
    engine = make_engine(keys)
    unit = engine.process(records_of(observation(0, 1.0), observation(0, float("nan"))))
    assert kinds([unit]) == [FORMAT]
    assert reasons([unit]) == ["NON_FINITE_LABEL"]


def test_names_that_only_run_together_are_different(keys: CellKeys) -> None:
    """Entity and event id are told apart, and tenants share no names."""
    engine = make_engine(keys)
    unit = engine.process(
        records_of(
            observation(0, 1.0, id="ab", event_id="c"),
            observation(0, 1.0, id="a", event_id="bc"),
            observation(0, 1.0, id="a", event_id="bc", tenant="globex"),
        )
    )
    assert sorted(kinds([unit])) == [FORMAT] * 3


def test_other_settings_are_refused(keys: CellKeys, tmp_path: Path) -> None:
    """How much is kept is part of what the log gives: it is not changed under a state."""
    engine = make_engine(keys)
    unit = engine.process(records_of(observation(0)))
    engine.add_checkpoint(unit)
    with ShardStore(tmp_path / "store") as store:
        store.write(unit.state, changelog_offset=0)
        other = make_engine(keys, LABELS.model_copy(update={"ttl_s": 5}))
        with pytest.raises(ConfigError, match=r"labels\.ttl_s was 1 and is 5"):
            restore.load_engine(other, store)


def test_nothing_is_kept_where_nothing_is_wanted(keys: CellKeys) -> None:
    """Both memories can be turned off."""
    engine = make_engine(keys, LabelSettings(keep_observations=0, repeat_window=0))
    unit = engine.process(records_of(observation(0), observation(0), late(0)))
    assert kinds([unit]) == [FORMAT, FORMAT]
    assert reasons([unit]) == ["LATE_LABEL_UNMATCHED"]
    assert engine.members["acme"].memory.to_state() == {}
