from __future__ import annotations

import copy
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from operators.hlm.config import HlmConfig
from operators.hlm.layout import BUILDING, IDLE, MIRRORING
from operators.hlm.model import Hlm
from operators.hlm.reference import ReferenceHlm, reference_for

Event = list[tuple[int, float]]
Arrays = dict[str, npt.NDArray[Any]]

# Few enough ids to repeat within an event and between events, and enough to fill small tables.
ids = st.one_of(
    st.sampled_from([0, 1, (1 << 64) - 1, 1 << 63]),
    st.integers(0, 60),
    st.integers(0, (1 << 64) - 1),
)
numbers = st.one_of(st.floats(-8.0, 8.0), st.sampled_from([0.0, -0.0, 1e-300, 5e-324]))
features = st.lists(st.tuples(ids, numbers), max_size=12)
configs = st.builds(
    HlmConfig,
    capacity=st.sampled_from([8, 16, 64, 1 << 13]),
    choices=st.integers(2, 3),
    bucket=st.just(4),
    stash=st.integers(0, 2),
    ring=st.integers(0, 2),
    relocations=st.integers(0, 3),
    subtable=st.sampled_from([8, 1 << 12]),
    tau_low=st.sampled_from([0.3, 0.9]),
    tau_high=st.sampled_from([0.95, 0.99]),
    rebuild_events=st.integers(2, 9),
    rebuild_keys_per_event=st.just(50),
    stable=st.booleans(),
    lr=st.sampled_from([0.01, 0.05]),
    l2=st.sampled_from([0.0, 0.001]),
    link=st.sampled_from(["identity", "logistic"]),
    rate=st.sampled_from(["constant", "constant", "adagrad"]),
)


def bits(x: float) -> bytes:
    return struct.pack("<d", x)


def columns(event: Event) -> tuple[list[int], list[float]]:
    return [i for i, _ in event], [x for _, x in event]


class HlmMachine(RuleBasedStateMachine):
    """Whatever is done to a model in whatever order, it stays bit-equal to a dictionary."""

    @initialize(config=configs, salt=st.integers(0, (1 << 64) - 1))
    def start(self, config: HlmConfig, salt: int) -> None:
        """A new model beside an empty dictionary."""
        if not config.stable:
            # Room for all: which ids are refused after an alarm depends on when the thread is done.
            config = replace(config, stash=8, ring=16)
        self.config, self.salt = config, salt
        self.hlm = Hlm(config, salt)
        self.reference = reference_for(
            lr=config.lr, l2=config.l2, link=config.link, rate=config.rate
        )
        self.store: dict[str, bytearray] = {}
        self.snapshots: list[tuple[Arrays, ReferenceHlm]] = []

    def _state(self, hlm: Hlm | None = None) -> Arrays:
        return {name: array.copy() for name, array in (hlm or self.hlm).to_state().items()}

    def _learn(self, hlm: Hlm, event: Event, y: float) -> list[int]:
        """Model and dictionary learn an event; the ids that the model says it did not learn."""
        hlm.update(*columns(event), y)
        refused: list[int] = hlm.take_refused().ids.tolist()
        self.reference.update(*columns(event), y, refused)
        return refused

    @rule(event=features)
    def predict(self, event: Event) -> None:
        """A prediction is the dictionary's."""
        expected = bits(self.reference.predict(*columns(event)))
        assert bits(self.hlm.predict(*columns(event))) == expected
        explained = self.hlm.explain(*columns(event))
        assert bits(explained.score) == bits(self.reference.score(*columns(event)))

    @rule(event=features, y=numbers)
    def update(self, event: Event, y: float) -> None:
        """An event is learnt as the dictionary learns it; ids are refused only after an alarm."""
        refused = self._learn(self.hlm, event, y)
        assert not refused or self.hlm.alarms > 0

    @rule(event=features, e=numbers)
    def learn_error(self, event: Event, e: float) -> None:
        """An error of the caller's is learnt as the dictionary learns it."""
        self.hlm.learn_error(*columns(event), e)
        refused = self.hlm.take_refused().ids.tolist()
        self.reference.learn(*columns(event), e, refused)

    @rule(events=st.lists(st.tuples(features, numbers), max_size=12))
    def step_batch(self, events: list[tuple[Event, float]]) -> None:
        """A batch does what a restored twin does one by one, and the dictionary."""
        twin = Hlm.from_state(self.config, self.salt, self._state())
        flat = [pair for event, _ in events for pair in event]
        indptr = np.cumsum([0, *(len(event) for event, _ in events)])
        predictions = self.hlm.step_batch(indptr, *columns(flat), [y for _, y in events])
        refused = []
        for p, (event, y) in zip(predictions, events, strict=True):
            assert bits(p) == bits(twin.predict(*columns(event)))
            assert bits(p) == bits(self.reference.predict(*columns(event)))
            refused += self._learn(twin, event, y)
        assert self.hlm.take_refused().ids.tolist() == refused
        if self.config.stable:
            states = [{n: a.tobytes() for n, a in self._state(m).items()} for m in (self.hlm, twin)]
            assert states[0] == states[1]
            assert self.hlm.ack == twin.ack

    @rule()
    def request_rebuild(self) -> None:
        """A rebuild can be asked for between any two events."""
        self.hlm.request_rebuild()

    @rule()
    def snapshot(self) -> None:
        """A snapshot is kept for later, in the middle of a rebuild or not."""
        self.snapshots.append((self._state(), copy.deepcopy(self.reference)))

    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        """The model goes back to a snapshot; its checkpoint store starts anew."""
        if self.snapshots:
            saved, reference = data.draw(st.sampled_from(self.snapshots))
            self.hlm = Hlm.from_state(self.config, self.salt, saved)
            self.reference = copy.deepcopy(reference)
            self.store = {name: bytearray(array.tobytes()) for name, array in saved.items()}

    @rule()
    def checkpoint_and_restart(self) -> None:
        """Changed blocks alone bring a store up to date, and the model goes on from the store."""
        state = self._state()
        for name, blocks in self.hlm.take_dirty().items():
            size, content = self.hlm.block_bytes(name), state[name].tobytes()
            stored = self.store.setdefault(name, bytearray())
            stored[:] = stored[: len(content)].ljust(len(content), b"\xff")
            for block in blocks.tolist():
                stored[block * size : (block + 1) * size] = content[block * size :][:size]
        restored = {
            name: np.frombuffer(self.store[name], array.dtype) for name, array in state.items()
        }
        assert {n: a.tobytes() for n, a in restored.items()} == {
            n: a.tobytes() for n, a in state.items()
        }
        self.hlm = Hlm.from_state(self.config, self.salt, restored)

    @invariant()
    def weights_are_the_dictionarys(self) -> None:
        """No id is lost, invented or given another's weight."""
        known, weights = self.hlm.items()
        assert known.tolist() == sorted(self.reference.weights)
        assert [bits(w) for w in weights.tolist()] == [
            bits(self.reference.weights[i]) for i in known.tolist()
        ]
        assert bits(self.hlm.bias) == bits(self.reference.bias)
        assert self.hlm.known == len(known)

    @invariant()
    def costs_keep_within_their_bounds(self) -> None:
        """Observed costs never pass the configured bounds, nor the load its threshold."""
        assert self.hlm.ack.c_lookup_p100 <= self.config.lookup_bound
        assert self.hlm.ack.c_insert_p100 <= self.config.insert_bound
        assert self.hlm.load <= self.config.tau_high
        assert self.hlm.inserts_frozen <= (self.hlm.alarms > 0)
        assert self.hlm.stage in (IDLE, BUILDING, MIRRORING)


HlmMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestHlmMachine = HlmMachine.TestCase
