from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from operators.errors import InvalidInput, StateMismatch
from operators.hlm.config import HlmConfig
from operators.hlm.layout import (
    ACTIVE_CAPACITY,
    BASE_KEYS,
    BUILDING,
    IDLE,
    KNOWN,
    LOW_MARK,
    MIRRORING,
    RELOCATED,
    STAGE,
    VER_BASE,
)
from operators.hlm.model import Hlm

if TYPE_CHECKING:
    from collections.abc import Callable

Arrays = dict[str, npt.NDArray[Any]]
CONFIG = HlmConfig(
    capacity=64, stash=6, ring=6, l2=0.001, rebuild_events=10, rebuild_keys_per_event=50
)
SALT = 99


def learn(hlm: Hlm, seed: int, events: int = 100) -> bytes:
    """Predictions for ``events`` random events that the model learns."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 400, events * 5).astype(np.uint64)
    indptr = np.arange(0, events * 5 + 1, 5)
    return hlm.step_batch(
        indptr, ids, rng.standard_normal(len(ids)), rng.standard_normal(events)
    ).tobytes()


def copied(hlm: Hlm) -> Arrays:
    return {name: array.copy() for name, array in hlm.to_state().items()}


def as_bytes(state: Arrays) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.items()}


@pytest.fixture
def trained() -> Hlm:
    """A model that has a base, and a delta beside it."""
    hlm = Hlm(CONFIG, SALT)
    learn(hlm, seed=1)
    assert hlm.ack.ver_base > 0
    assert hlm.load > 0
    return hlm


def test_restored_model_goes_on_bit_for_bit(trained: Hlm) -> None:
    """A restored model gives the same predictions, table and counters as if it had run on."""
    restored = Hlm.from_state(CONFIG, SALT, copied(trained))

    assert learn(restored, seed=2) == learn(trained, seed=2)
    assert as_bytes(copied(restored)) == as_bytes(copied(trained))
    assert restored.ack == trained.ack


def test_restored_model_shares_no_memory_with_what_it_came_from(trained: Hlm) -> None:
    """A snapshot can be restored from twice: learning does not write into it."""
    saved = copied(trained)
    before = as_bytes(saved)

    learn(Hlm.from_state(CONFIG, SALT, saved), seed=2)

    assert as_bytes(saved) == before


def test_state_is_read_only(trained: Hlm) -> None:
    """Whoever holds the state cannot change the model through it."""
    for array in trained.to_state().values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_new_rates_are_taken_from_the_configuration(trained: Hlm) -> None:
    """Rates and thresholds are settings: a restored model learns with those it is given now."""
    restored = Hlm.from_state(replace(CONFIG, lr=0.5, l2=0.0), SALT, copied(trained))

    restored.update([12345], [1.0], 1.0 + restored.bias)

    ids, weights = restored.items()
    assert weights[ids == 12345][0] == pytest.approx(0.5)


@pytest.mark.parametrize(("tau_low", "mark"), [(0.3, 19), (0.7, 44), (0.6, 12)])
def test_mark_of_a_rebuild_is_kept_unless_its_load_is_set_anew(tau_low: float, mark: int) -> None:
    """Who embeds a model may lower the mark; another setting overrules what was in force."""
    config = HlmConfig(capacity=64)
    hlm = Hlm(config, SALT)
    hlm.arrays.meta[LOW_MARK] = 12
    restored = Hlm.from_state(replace(config, tau_low=tau_low), SALT, hlm.to_state())
    assert restored.arrays.meta[LOW_MARK] == mark


@pytest.mark.parametrize("name", ["choices", "bucket", "stash", "ring", "relocations", "subtable"])
def test_table_constants_cannot_change_under_a_state(trained: Hlm, name: str) -> None:
    """A state saved with other table constants is refused, and the message names the constant."""
    changed: dict[str, Any] = {name: {"bucket": 8, "subtable": 64}.get(name, 3)}
    other = replace(CONFIG, **changed)

    with pytest.raises(StateMismatch, match=name):
        Hlm.from_state(other, SALT, copied(trained))


def test_another_salt_is_refused(trained: Hlm) -> None:
    """Restoring with the wrong salt would forget ids silently; it is an error instead."""
    with pytest.raises(StateMismatch, match="salt"):
        Hlm.from_state(CONFIG, SALT + 1, copied(trained))


def _drop(state: Arrays) -> None:
    del state["params"]


def _cut(state: Arrays) -> None:
    state["base"] = state["base"][:-2]


def _retype(state: Arrays) -> None:
    state["base"] = state["base"].view(np.int64)


def _miscount(state: Arrays) -> None:
    state["meta"][KNOWN] += 1


def _resize(state: Arrays) -> None:
    state["meta"][ACTIVE_CAPACITY] += 1


def _forget(state: Arrays) -> None:
    keys = max(state["delta0"], state["delta1"], key=len)[::2]
    keys[np.flatnonzero(keys)[0]] = 0


def _mislead(state: Arrays) -> None:
    state["pilots"][0] ^= 1


def _lead_astray(state: Arrays) -> None:
    state["last"][:] = 1 << 30


def _swap(state: Arrays) -> None:
    state["base"][0], state["base"][2] = state["base"][2], state["base"][0]


def _claim(state: Arrays) -> None:
    state["meta"][BASE_KEYS] -= 1


def _stage(state: Arrays) -> None:
    state["meta"][STAGE] = 7


def _age(state: Arrays) -> None:
    state["meta"][VER_BASE] += 1


@pytest.mark.parametrize("damage", [
        _drop, _cut, _retype, _miscount, _resize, _forget,
        _mislead, _lead_astray, _swap, _claim, _stage, _age,
    ],
)  # fmt: skip
def test_damaged_state_is_refused(trained: Hlm, damage: Callable[[Arrays], None]) -> None:
    """A state that is incomplete, mistyped or contradicts itself is refused, not repaired."""
    state = copied(trained)
    damage(state)

    with pytest.raises(StateMismatch):
        Hlm.from_state(CONFIG, SALT, state)


def blocks_of(hlm: Hlm, name: str) -> npt.NDArray[np.int64]:
    nbytes = hlm.to_state()[name].nbytes
    return np.arange(-(-nbytes // hlm.block_bytes(name)))


def test_new_models_and_new_tables_are_dirty_throughout() -> None:
    """What no checkpoint has seen is reported whole: a new model, a new delta, a new base."""
    hlm = Hlm(CONFIG, SALT)
    dirty = hlm.take_dirty()
    assert set(dirty) == set(hlm.to_state())
    for name, blocks in dirty.items():
        np.testing.assert_array_equal(blocks, blocks_of(hlm, name))

    hlm.request_rebuild()
    hlm.update([5], [1.0], 1.0)
    dirty = hlm.take_dirty()
    np.testing.assert_array_equal(dirty["delta1"], blocks_of(hlm, "delta1"))
    assert not any(len(dirty[name]) for name in ("base", "pilots", "last", "delta0"))

    while hlm.stage != IDLE:
        hlm.update([5], [1.0], 1.0)
    dirty = hlm.take_dirty()
    for name in ("base", "pilots", "last"):
        np.testing.assert_array_equal(dirty[name], blocks_of(hlm, name))
    assert len(hlm.to_state()["delta0"]) == 0


def test_restored_model_is_clean(trained: Hlm) -> None:
    """A model restored from a checkpoint has nothing to add to it."""
    restored = Hlm.from_state(CONFIG, SALT, copied(trained))

    assert not any(len(blocks) for blocks in restored.take_dirty().values())


def test_checkpoint_costs_what_changed() -> None:
    """An event of one known id dirties one block of records, and the two small arrays."""
    hlm = Hlm(HlmConfig(capacity=1 << 14), SALT)
    hlm.update(np.arange(1000, dtype=np.uint64), np.ones(1000), 1.0)
    hlm.take_dirty()

    hlm.update([7], [1.0], 1.0)

    dirty = hlm.take_dirty()
    assert [len(dirty[name]) for name in ("delta0", "meta", "params")] == [1, 1, 1]
    assert not any(len(blocks) for blocks in hlm.take_dirty().values())


@pytest.mark.parametrize("stage", [IDLE, BUILDING, MIRRORING])
@pytest.mark.parametrize("stranger", [False, True])
def test_checkpoint_of_a_base_costs_what_changed(stage: int, stranger: bool) -> None:
    """An event of one id of the base dirties one block of it, with a new id beside it or not."""
    hlm = Hlm(replace(CONFIG, capacity=1 << 11))
    hlm.update(np.arange(1000, dtype=np.uint64), np.ones(1000), 1.0)
    for following in (BUILDING, IDLE, stage):
        if following != IDLE:
            hlm.request_rebuild()
        while hlm.stage != following:
            hlm.update([7], [1.0], 1.0)
    assert hlm.arrays.base.keys == 1000
    hlm.take_dirty()
    before = copied(hlm)["base"]

    hlm.update([7, 5000] if stranger else [7], [1.0, 1.0] if stranger else [1.0], 1.0)

    (changed,) = np.flatnonzero(before != hlm.to_state()["base"])
    assert hlm.take_dirty()["base"].tolist() == [changed * 8 // hlm.block_bytes("base")]


def test_moved_records_are_reported() -> None:
    """Filling a table moves records between buckets; changed blocks alone carry that along."""
    hlm = Hlm(HlmConfig(capacity=1 << 12, tau_low=0.79), SALT)
    stored = {name: bytearray(array.tobytes()) for name, array in hlm.to_state().items()}
    hlm.take_dirty()
    for first in range(1, 3100, 10):
        hlm.update(np.arange(first, first + 10, dtype=np.uint64), np.ones(10), 1.0)
        for name, blocks in hlm.take_dirty().items():
            size, content = hlm.block_bytes(name), hlm.to_state()[name].tobytes()
            for block in blocks.tolist():
                stored[name][block * size : (block + 1) * size] = content[block * size :][:size]

    assert hlm.rebuilds == 0
    assert hlm.to_state()["meta"][RELOCATED] > 100
    assert {name: bytes(content) for name, content in stored.items()} == as_bytes(copied(hlm))


def test_blocks_of_an_unknown_array_are_refused(trained: Hlm) -> None:
    """Asking for an array that an Hlm does not have is an error."""
    with pytest.raises(InvalidInput, match="'salt'"):
        trained.block_bytes("salt")
