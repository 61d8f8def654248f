"""However events are cut into units, and wherever a shard restarts, the bytes are the same."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fusion.cell import CellConfig
from operators.sera.config import SeraConfig
from schemas.codec import Codec
from schemas.errors import StateError
from state import cell_keys
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.backtest import state_digest
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import PlainReader
from streams.shard import restore
from streams.shard.encode import MessageCodecs
from streams.shard.engine import Engine
from streams.shard.quarantine import QuarantineEncoder

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import QuotaSettings
    from streams.shard.unit import UnitOfWork

SHARD = 2
EVENTS = 60
CONFIG = CellConfig(sera=SeraConfig(d=3, r=8, prior=0.5, burn_in=10))
TENANTS = ("acme", "globex", "initech")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> CellKeys:
    """Secrets made for this run."""
    folder = tmp_path_factory.mktemp("secrets") / "keys"
    FileSecrets.initialise(folder)
    return CellKeys(FileSecrets(folder), "test")


def make_engine(
    keys: CellKeys, config: CellConfig = CONFIG, quotas: QuotaSettings | None = None
) -> Engine:
    """Build an engine as a worker does."""
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
        max_tenants=len(TENANTS),
        quotas=quotas,
    )


def make_records(seed: int, count: int = EVENTS) -> list[Record]:
    """Return a log of three tenants' events, some without label or vectors, some of no use."""
    rng = np.random.default_rng(seed)
    encode = Codec("event").encode
    records = []
    offset = 0
    for number in range(count):
        offset += 1 + int(rng.integers(3) == 0)  # transaction markers leave holes
        features = int(rng.integers(0, 6))
        event: dict[str, Any] = {
            "kind": "OBSERVATION",
            "tenant": TENANTS[rng.integers(len(TENANTS))],
            "id": f"id-{rng.integers(9)}",
            "event_id": str(number),
            "time_us": 1_000 * number,
            "label": [None, 0.0, 1.0, float("nan")][rng.choice(4, p=[0.2, 0.38, 0.38, 0.04])],
            "feature_ids": rng.integers(0, 50, features).astype("<u8").tobytes(),
            "feature_values": rng.normal(size=features).tobytes(),
            "key": rng.normal(size=3).tobytes() if rng.integers(2) else None,
            "context": {"channel": "web"} if rng.integers(3) == 0 else None,
        }
        if rng.integers(20) == 0:  # a made-up tenant with an event that cannot be used
            event |= {"tenant": f"nobody-{number}", "key": b"short"}
        value = b"poison" if rng.integers(20) == 0 else encode(event)
        records.append(Record(offset, 0, event["id"].encode(), value))
    return records


def run(
    engine: Engine, records: list[Record], cuts: list[int]
) -> tuple[dict[str, list[Any]], list[UnitOfWork]]:
    """Process records in units that end at the cuts; outputs by role, but for checkpoints."""
    outputs: dict[str, list[Any]] = {"predictions": [], "audit": [], "quarantine": []}
    units = []
    bounds = sorted({0, len(records), *(cut % len(records) for cut in cuts)})
    for start, stop in pairwise(bounds):
        unit = engine.process(records[start:stop])
        for role in ("predictions", "audit"):
            outputs[role] += unit.outputs[role]
        # A trace names lines of the program, not of the data.
        outputs["quarantine"] += [
            {**Codec("quarantine").decode(value), "trace": ""} for _, value, _ in unit.quarantine
        ]
        units.append(unit)
    return outputs, units


def standing(engine: Engine) -> dict[str, tuple[bytes, bytes]]:
    """Return where each tenant's chain and arrays stand."""
    return {
        name: (engine.chain(name).to_bytes(), state_digest(cell))
        for name, cell in engine.tenants.items()
    }


SEEDS = st.integers(0, 2**32)
CUTS = st.lists(st.integers(0, EVENTS), max_size=8)


@given(seed=SEEDS, cuts=CUTS)
@settings(max_examples=40, deadline=None)
def test_the_cut_into_units_changes_no_byte(keys: CellKeys, seed: int, cuts: list[int]) -> None:
    """Predictions, audit records, quarantine and state do not depend on group commit."""
    records = make_records(seed)
    whole, cut = make_engine(keys), make_engine(keys)
    assert run(whole, records, [])[0] == run(cut, records, cuts)[0]
    assert standing(whole) == standing(cut)


@given(seed=SEEDS, cuts=CUTS, checkpoint=st.integers(0, 8), crash=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_a_restart_after_any_unit_goes_on_as_if_undisturbed(
    keys: CellKeys,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    cuts: list[int],
    checkpoint: int,
    crash: int,
) -> None:
    """From the last checkpoint's arrays and a silent re-step, the rest gives the same."""
    records = make_records(seed)
    undisturbed = make_engine(keys)
    expected, units = run(undisturbed, records, cuts)
    checkpoint %= len(units)
    crash = min(checkpoint + crash, len(units))

    first = make_engine(keys)
    position = 0
    folder: Path = tmp_path_factory.mktemp("store")
    with ShardStore(folder) as store:
        for number, unit in enumerate(units[:crash]):
            step = first.process(records[position : position + unit.records])
            position += unit.records
            if number in (0, checkpoint):
                first.add_checkpoint(step)
            store.write(step.state, changelog_offset=number)

        second = make_engine(keys)
        reached, committed = restore.load_engine(second, store)
        assert committed == records[position - 1].offset + 1
        assert reached is not None
        replayed = [r for r in records[:position] if r.offset >= reached]
        if replayed:
            silent = second.process(replayed, emit=False)
            assert not silent.outputs
            assert not silent.quarantine
        second.compare_chains(
            (cell_keys.tenant_of(key), value)
            for key, value in store.items(cell_keys.chain_prefix())
        )
    assert standing(second) == standing(first)
    if records[position:]:
        rest, _ = run(second, records[position:], [])
        for role in ("predictions", "audit"):
            assert expected[role][len(expected[role]) - len(rest[role]) :] == rest[role]
    assert standing(second) == standing(undisturbed)


def test_another_program_is_noticed_at_the_restart(keys: CellKeys, tmp_path: Path) -> None:
    """A learner that gives other bytes for the same log is refused, with what to do."""
    records = make_records(7)
    first = make_engine(keys)
    with ShardStore(tmp_path / "store") as store:
        unit = first.process(records)
        store.write(unit.state, changelog_offset=0)
        other = make_engine(keys, CellConfig(sera=SeraConfig(d=3, r=8, gamma=0.9, prior=0.5)))
        other.process(records, emit=False)
        with pytest.raises(StateError, match="another audit chain"):
            other.compare_chains(
                (cell_keys.tenant_of(key), value)
                for key, value in store.items(cell_keys.chain_prefix())
            )


def test_tenants_share_nothing(keys: CellKeys) -> None:
    """A tenant's outputs are the same whether or not others use the shard."""
    records = make_records(11)
    decode = Codec("prediction").decode

    def of_acme(outputs: dict[str, list[Any]]) -> list[Any]:
        return [v for v in outputs["predictions"] if decode(v["value"])["tenant"] == "acme"]

    together, _ = run(make_engine(keys), records, [])
    read = Codec("event").decode_many([r.value for r in records])
    alone = [
        record
        for record, event in zip(records, read, strict=True)
        if isinstance(event, dict) and event["tenant"] == "acme"
    ]
    apart, _ = run(make_engine(keys), alone, [])
    assert of_acme(together) == of_acme(apart)
    assert of_acme(together)


def test_tenants_beyond_the_limit_are_quarantined(keys: CellKeys) -> None:
    """Memory is bounded: events of one tenant too many are kept aside with the reason."""
    encode, decode = Codec("event").encode, Codec("event").decode
    records = make_records(3)
    event = next(e for r in records if r.value and isinstance(e := _read(decode, r.value), dict))
    extra = encode(event | {"tenant": "one-too-many", "label": None})
    engine = make_engine(keys)
    unit = engine.process([*records, Record(10_000, 0, b"k", extra)])
    reasons = [Codec("quarantine").decode(v)["reason"] for _, v, _ in unit.quarantine]
    assert set(engine.tenants) == set(TENANTS)
    assert reasons[-1] == "UNKNOWN_TENANT"


def _read(decode: Any, value: bytes) -> Any:
    return None if value == b"poison" else decode(value)
