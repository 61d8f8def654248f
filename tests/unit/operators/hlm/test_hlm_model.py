from __future__ import annotations

import struct
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from operators.hlm.config import HlmConfig
from operators.hlm.layout import CACHE_LINE_BYTES
from operators.hlm.model import Hlm
from operators.hlm.reference import ReferenceHlm

LARGEST_ID = (1 << 64) - 1
SALT = 0x5EED_5A17_0123_4567


def bits(x: float) -> bytes:
    return struct.pack("<d", x)


def state_bytes(hlm: Hlm) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in hlm.to_state().items()}


def stream(
    seed: int, events: int, features: int, distinct: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Rows, ids (some repeated in an event, 0 and the largest included), values and labels."""
    rng = np.random.default_rng(seed)
    names = rng.integers(0, 1 << 64, distinct, np.uint64)
    names[:2] = 0, LARGEST_ID
    indptr = np.arange(0, events * features + 1, features)
    ids = names[rng.integers(0, distinct, events * features)]
    return indptr, ids, rng.standard_normal(len(ids)), rng.standard_normal(events)


def assert_equal_to(hlm: Hlm, reference: ReferenceHlm) -> None:
    ids, weights = hlm.items()
    assert ids.tolist() == sorted(reference.weights)
    assert [bits(w) for w in weights] == [bits(reference.weights[i]) for i in ids.tolist()]
    assert bits(hlm.bias) == bits(reference.bias)


@pytest.mark.parametrize("link", ["identity", "logistic"])
@pytest.mark.parametrize("l2", [0.0, 0.001])
@pytest.mark.parametrize("shape", [(2, 4), (3, 4), (2, 8), (4, 16)])
def test_learns_bit_for_bit_like_a_dictionary(link: Any, l2: float, shape: tuple[int, int]) -> None:
    """Predictions, weights and bias are those of the plain learner, through several rebuilds."""
    config = HlmConfig(
        capacity=64,
        choices=shape[0],
        bucket=shape[1],
        rebuild_events=20,
        rebuild_keys_per_event=20,
        lr=0.02,
        l2=l2,
        link=link,
    )
    hlm = Hlm(config, SALT)
    reference = ReferenceHlm(config.lr, config.l2, config.link)
    indptr, ids, values, y = stream(seed=1, events=200, features=9, distinct=700)

    predictions = hlm.step_batch(indptr, ids, values, y)

    for t, p in enumerate(predictions):
        rows = slice(indptr[t], indptr[t + 1])
        event = ids[rows].tolist(), values[rows].tolist()
        assert bits(p) == bits(reference.predict(*event))
        reference.update(*event, y[t])
    assert_equal_to(hlm, reference)
    assert hlm.ack.ver_base >= 2


def test_weights_that_share_a_slot_would_be_noticed() -> None:
    """The control: with ids folded into 8 bits, as hashing learners do, predictions differ."""
    indptr, ids, values, y = stream(seed=2, events=100, features=5, distinct=400)
    exact = Hlm(HlmConfig(), SALT).step_batch(indptr, ids, values, y)
    folded = Hlm(HlmConfig(), SALT).step_batch(indptr, ids & np.uint64(255), values, y)

    assert not np.array_equal(exact, folded)


def test_batch_is_the_loop_to_the_last_counter() -> None:
    """A batch leaves the same bytes as its events one by one, with rebuilds in its middle."""
    config = HlmConfig(
        capacity=16, rebuild_events=10, rebuild_keys_per_event=9, relocations=2, l2=0.001
    )
    indptr, ids, values, y = stream(seed=3, events=300, features=4, distinct=500)
    at_once, one_by_one = Hlm(config, SALT), Hlm(config, SALT)

    predictions = at_once.step_batch(indptr, ids, values, y)
    singly = []
    for t in range(len(y)):
        rows = slice(indptr[t], indptr[t + 1])
        singly.append(one_by_one.predict(ids[rows], values[rows]))
        ack = one_by_one.update(ids[rows], values[rows], y[t])

    assert predictions.tobytes() == np.array(singly).tobytes()
    assert state_bytes(at_once) == state_bytes(one_by_one)
    assert at_once.ack == ack
    assert at_once.rebuilds == at_once.ack.ver_delta > 3


def test_salt_places_ids_and_changes_no_result() -> None:
    """Another salt gives another table, and the same predictions and weights."""
    indptr, ids, values, y = stream(seed=4, events=60, features=6, distinct=200)
    one, other = Hlm(HlmConfig(), SALT), Hlm(HlmConfig(), SALT + 1)

    predictions = [m.step_batch(indptr, ids, values, y).tobytes() for m in (one, other)]

    assert predictions[0] == predictions[1]
    assert one.items()[1].tobytes() == other.items()[1].tobytes()
    assert state_bytes(one)["delta0"] != state_bytes(other)["delta0"]


def test_salt_is_shown_nowhere() -> None:
    """Neither printing a model and its arrays nor its state gives a salt or its key away."""
    hlm = Hlm(HlmConfig(capacity=16, rebuild_events=2), SALT)
    hlm.update(range(12), np.ones(12), 1.0)
    hlm.update([99], [1.0], 1.0)
    arrays = hlm.arrays
    secrets = [SALT, *(int(part.salt) for part in (arrays.base, arrays.frozen, arrays.active))]
    assert len(set(secrets)) == 4

    shown = repr(hlm) + repr(arrays) + str(arrays) + f"{arrays}" + repr(arrays.base)

    for secret in secrets:
        assert str(secret) not in shown
        assert f"{secret:x}" not in shown
        assert all(struct.pack("<Q", secret) not in saved for saved in state_bytes(hlm).values())


def test_id_zero_and_largest_id_are_ordinary_ids() -> None:
    """0 and 2^64-1 are unknown at first, learnt apart, and kept through rebuild and restore."""
    hlm = Hlm(HlmConfig(capacity=16, lr=0.5), SALT)
    assert hlm.predict([0, LARGEST_ID], [1.0, 1.0]) == 0.0

    hlm.update([LARGEST_ID], [1.0], 1.0)
    assert hlm.known == 1
    hlm.update([0], [1.0], 2.0)
    hlm.attend(100)
    hlm = Hlm.from_state(hlm.config, SALT, hlm.to_state())

    ids, weights = hlm.items()
    assert ids.tolist() == [0, LARGEST_ID]
    assert weights.tolist() == [0.75, 0.5]
    assert hlm.predict([0], [1.0]) == hlm.bias + 0.75


def test_event_without_features_moves_only_the_bias() -> None:
    """An empty event is predicted with the bias and teaches nothing else."""
    hlm = Hlm(HlmConfig(lr=0.5), SALT)

    hlm.update([], [], 1.0)

    assert (hlm.bias, hlm.known, hlm.predict([], [])) == (0.5, 0, 0.5)


def test_repeated_id_is_learnt_once_for_each_time() -> None:
    """An id that an event names twice is predicted and decayed twice, in turn."""
    hlm = Hlm(HlmConfig(lr=0.25, l2=0.5), SALT)
    hlm.update([5, 5], [1.0, 2.0], 8.0)
    assert hlm.items()[1].tolist() == [(1 - 0.125) * 2.0 + 4.0]

    assert hlm.predict([5, 5], [1.0, 2.0]) == 2.0 + 5.75 * 3


def test_zero_value_makes_an_id_known_and_decays_it() -> None:
    """A feature of value 0 adds nothing to a prediction; learning it is only forgetting."""
    hlm = Hlm(HlmConfig(lr=0.5, l2=0.5), SALT)
    hlm.update([5], [0.0], 1.0)
    assert hlm.items()[1].tolist() == [0.0]
    hlm.update([5], [1.0], 1.0)
    weight = hlm.items()[1][0]

    hlm.update([5], [0.0], 1.0)

    assert hlm.items()[1].tolist() == [0.75 * weight]


def test_rates_of_one_event_can_be_given() -> None:
    """A controller can learn an event at its own rate without touching the configured one."""
    hlm = Hlm(HlmConfig(lr=0.5), SALT)

    hlm.update([1], [1.0], 1.0, lr=0.125, l2=0.0)

    assert hlm.items()[1].tolist() == [0.125]
    assert hlm.config.lr == 0.5


def test_prediction_changes_nothing() -> None:
    """Asking for predictions and explanations leaves state and dirty blocks as they were."""
    hlm = Hlm(HlmConfig(capacity=16), SALT)
    hlm.update([1, 2, 3], [1.0, 1.0, 1.0], 1.0)
    hlm.take_dirty()
    before = state_bytes(hlm)

    hlm.predict([1, 2, 9], [1.0, 1.0, 1.0])
    hlm.explain([1, 2, 9], [1.0, 1.0, 1.0])

    assert state_bytes(hlm) == before
    assert not any(len(blocks) for blocks in hlm.take_dirty().values())


@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_explanation_adds_up_to_the_score(link: Any) -> None:
    """Bias and contributions, added in order, are the raw score bit for bit; unknown ids give 0."""
    indptr, ids, values, y = stream(seed=5, events=100, features=20, distinct=300)
    hlm = Hlm(HlmConfig(link=link), SALT)
    hlm.step_batch(indptr, ids, values, y)
    event = np.append(ids[:20], np.uint64(77)), np.append(values[:20], 1.0)

    explanation = hlm.explain(*event)

    total = explanation.bias
    for contribution in explanation.contributions:
        total += contribution
    assert bits(total) == bits(explanation.score)
    assert explanation.contributions[20] == 0.0
    if link == "identity":
        assert explanation.score == hlm.predict(*event)


@pytest.mark.parametrize(
    "keys",
    [
        np.arange(20_000, dtype=np.uint64),
        np.arange(20_000, dtype=np.uint64) << np.uint64(32),
        np.arange(20_000, dtype=np.uint64) << np.uint64(48) | np.uint64(0xFFFF),
        np.uint64(LARGEST_ID) - np.arange(20_000, dtype=np.uint64) * np.uint64(4096),
    ],
    ids=["sequential", "high half", "equal low bits", "strided from the top"],
)
def test_patterned_ids_keep_within_the_promised_costs(keys: npt.NDArray[np.uint64]) -> None:
    """Ids with a pattern fill the table like random ones: within bounds, no emergency slot."""
    hlm = Hlm(HlmConfig(), SALT)
    ids = np.unique(keys)

    hlm.step_batch(np.arange(len(ids) + 1), ids, np.ones(len(ids)), np.zeros(len(ids)))

    assert hlm.known == len(ids)
    assert hlm.emergency_used == 0
    assert 0 < hlm.ack.c_lookup_p100 <= hlm.config.lookup_bound
    assert 0 < hlm.ack.c_insert_p100 <= hlm.config.insert_bound


@pytest.mark.parametrize("capacity", [1 << 12, 1 << 15])
def test_load_of_tau_high_needs_no_emergency_slot(capacity: int) -> None:
    """Filled to tau_high = 0.8 with the default constants, no table falls back on its last slot."""
    for salt in range(10):
        rng = np.random.default_rng(salt)
        hlm = Hlm(HlmConfig(capacity=capacity, tau_low=0.79999), salt)
        ids = rng.integers(1, 1 << 64, int(0.8 * capacity), np.uint64)

        hlm.step_batch(np.arange(len(ids) + 1), ids, np.zeros(len(ids)), np.zeros(len(ids)))

        assert hlm.rebuilds == 0
        assert hlm.load > 0.7997
        assert hlm.emergency_used == 0


def test_event_larger_than_the_table_is_learnt_at_once() -> None:
    """An event of 1,000 new ids meets a delta of 16 slots: another one takes them all."""
    hlm = Hlm(HlmConfig(capacity=16), SALT)

    hlm.update(np.arange(1000, dtype=np.uint64), np.ones(1000), 1.0)

    assert (hlm.known, hlm.rebuilds, hlm.capacity) == (1000, 1, 2048)
    assert hlm.load <= hlm.config.tau_low


def test_rebuilds_keep_what_was_counted() -> None:
    """The largest costs ever met and the use of emergency slots are never forgotten."""
    config = HlmConfig(
        capacity=64,
        stash=1,
        ring=0,
        relocations=1,
        tau_low=0.9,
        tau_high=0.95,
        rebuild_events=4,
        rebuild_keys_per_event=100,
    )
    hlm = Hlm(config, SALT)
    seen: Counter[str] = Counter()
    for i in range(1, 1000):
        ack = hlm.update([i], [1.0], 0.0)
        now = {
            "lookup": ack.c_lookup_p100,
            "insert": ack.c_insert_p100,
            "emergency": hlm.emergency_used,
            "base": ack.ver_base,
            "delta": ack.ver_delta,
        }
        assert all(now[name] >= seen[name] for name in now)
        seen = Counter(now)
    assert seen["base"] >= 3
    assert seen["emergency"] > 0


def test_buckets_are_whole_cache_lines() -> None:
    """Tables start at a cache line, whatever their size: no record is in two lines."""
    for capacity in (8, 64, 4096):
        hlm = Hlm(HlmConfig(capacity=capacity, rebuild_events=2), SALT)
        for i in range(16):
            hlm.update([i], [1.0], 1.0)
        hlm.request_rebuild()
        while hlm.ack.ver_base == 0:
            hlm.update([0], [1.0], 1.0)
        for part in (hlm.arrays.base, hlm.arrays.active):
            assert part.records.ctypes.data % CACHE_LINE_BYTES == 0
            assert np.shares_memory(part.records, part.weights)
