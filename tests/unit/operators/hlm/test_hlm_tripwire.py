from __future__ import annotations

import numpy as np

from operators.hlm.config import HlmConfig
from operators.hlm.layout import DUE, IDLE, NEVER
from operators.hlm.model import Hlm
from operators.hlm.reference import ReferenceHlm

SALT = 5
# Sub-tables of 8 slots with one emergency slot and no moves: some are full long before tau_high.
CONFIG = HlmConfig(
    capacity=64,
    subtable=8,
    stash=0,
    ring=0,
    relocations=0,
    tau_low=0.97,
    tau_high=0.98,
    rebuild_events=10,
    rebuild_keys_per_event=1000,
)


def until_alarm() -> tuple[Hlm, ReferenceHlm, list[int]]:
    """A model that was fed new ids one by one until one found no room, and that one."""
    hlm, reference = Hlm(CONFIG, SALT), ReferenceHlm(CONFIG.lr, CONFIG.l2, "identity")
    i = 0
    while hlm.alarms == 0:
        i += 1
        hlm.update([i, 1], [1.0, 1.0], 1.0)
        refused = hlm.take_refused()
        reference.update([i, 1], [1.0, 1.0], 1.0, refused.ids.tolist())
    assert refused.times == 1
    assert refused.ids.tolist() == [i]
    return hlm, reference, [i]


def assert_equal_to(hlm: Hlm, reference: ReferenceHlm) -> None:
    known, weights = hlm.items()
    assert dict(zip(known.tolist(), weights.tolist(), strict=True)) == reference.weights
    assert hlm.bias == reference.bias


def test_event_without_room_is_predicted_and_its_known_ids_learn() -> None:
    """The alarm is raised, the new id is reported as not learnt, all else is learnt."""
    hlm, reference, refused = until_alarm()

    assert hlm.inserts_frozen
    assert refused[0] not in hlm.items()[0]
    assert_equal_to(hlm, reference)
    assert hlm.predict([1, refused[0]], [1.0, 1.0]) == reference.predict([1], [1.0])


def test_rebuild_begins_at_once_with_a_larger_delta_and_inserts_thaw() -> None:
    """Before the next event there is room again, and the id that was refused can be learnt."""
    hlm, reference, refused = until_alarm()
    capacity = hlm.capacity

    hlm.update([refused[0]], [1.0], 1.0)
    reference.update([refused[0]], [1.0], 1.0)

    assert not hlm.inserts_frozen
    assert hlm.capacity >= 2 * capacity
    assert hlm.stage != IDLE
    assert hlm.take_refused().times == 0
    assert_equal_to(hlm, reference)


def test_alarm_during_a_rebuild_holds_inserts_until_it_is_published() -> None:
    """No room while a rebuild runs: new ids are refused, each reported, until it is over."""
    hlm, reference = Hlm(CONFIG, SALT), ReferenceHlm(CONFIG.lr, CONFIG.l2, "identity")
    hlm.request_rebuild()
    hlm.update([], [], 0.0)
    version = hlm.ack.ver_base
    i, refused = 0, 0
    while hlm.ack.ver_base == version:
        ids = list(range(100 * i, 100 * i + 6))
        i += 1
        hlm.update(ids, [1.0] * 6, 1.0)
        gone = hlm.take_refused()
        refused += gone.times
        reference.update(ids, [1.0] * 6, 1.0, gone.ids.tolist())
        assert_equal_to(hlm, reference)
    assert hlm.alarms == 1
    assert refused > 1
    assert not hlm.inserts_frozen


def test_alarm_survives_a_restart() -> None:
    """A model restored while inserts are frozen thaws as the other does."""
    hlm, _, refused = until_alarm()
    state = {name: array.copy() for name, array in hlm.to_state().items()}
    restored = Hlm.from_state(CONFIG, SALT, state)
    assert restored.inserts_frozen
    assert restored.alarms == 1

    for model in (hlm, restored):
        model.update([refused[0]], [1.0], 1.0)

    assert {n: a.tobytes() for n, a in hlm.to_state().items()} == {
        n: a.tobytes() for n, a in restored.to_state().items()
    }


def test_only_the_latest_refused_ids_are_named() -> None:
    """However many are refused, memory does not grow: all are counted, the last 1,024 named."""
    hlm, _, _ = until_alarm()
    ids = np.arange(10_000, 13_000, dtype=np.uint64)

    # An event that finds inserts frozen before it is attended to: put off the attention.

    hlm.arrays.meta[DUE] = NEVER
    hlm.update(ids, np.ones(3000), 1.0)

    refused = hlm.take_refused()
    assert refused.times == 3000
    assert refused.ids.tolist() == ids[-1024:].tolist()
