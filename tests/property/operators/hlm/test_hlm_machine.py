from __future__ import annotations

import copy
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm
from operators.hlm.reference import ReferenceHlm

Event = list[tuple[int, float]]
Arrays = dict[str, npt.NDArray[Any]]

LARGEST_TO_GROW = 1 << 12  # growing past this costs time and shows nothing new

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
    tau_low=st.sampled_from([0.5, 0.9]),
    tau_high=st.sampled_from([0.95, 0.99]),
    lr=st.sampled_from([0.01, 0.05]),
    l2=st.sampled_from([0.0, 0.001]),
    link=st.sampled_from(["identity", "logistic"]),
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
        self.config, self.salt = config, salt
        self.hlm = Hlm(config, salt)
        self.reference = ReferenceHlm(config.lr, config.l2, config.link)
        self.store: dict[str, bytearray] = {}
        self.snapshots: list[tuple[Arrays, ReferenceHlm]] = []

    def _state(self) -> Arrays:
        return {name: array.copy() for name, array in self.hlm.to_state().items()}

    @rule(event=features)
    def predict(self, event: Event) -> None:
        """A prediction is the dictionary's."""
        assert bits(self.hlm.predict(*columns(event))) == bits(
            self.reference.predict(*columns(event))
        )

    @rule(event=features, y=numbers)
    def update(self, event: Event, y: float) -> None:
        """An event is learnt as the dictionary learns it."""
        self.hlm.update(*columns(event), y)
        self.reference.update(*columns(event), y)

    @rule(events=st.lists(st.tuples(features, numbers), max_size=8))
    def step_batch(self, events: list[tuple[Event, float]]) -> None:
        """A batch predicts and learns as the dictionary does one by one."""
        flat = [pair for event, _ in events for pair in event]
        indptr = np.cumsum([0, *(len(event) for event, _ in events)])
        predictions = self.hlm.step_batch(indptr, *columns(flat), [y for _, y in events])
        for p, (event, y) in zip(predictions, events, strict=True):
            assert bits(p) == bits(self.reference.predict(*columns(event)))
            self.reference.update(*columns(event), y)

    @precondition(lambda self: self.hlm.capacity <= LARGEST_TO_GROW)
    @rule(unknown=st.integers(0, 100))
    def grow(self, unknown: int) -> None:
        """Growth can come between any two events."""
        self.hlm.grow(unknown)

    @rule()
    def snapshot(self) -> None:
        """A snapshot is kept for later."""
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

    @invariant()
    def costs_keep_within_their_bounds(self) -> None:
        """Observed costs never pass the configured bounds, nor the load its threshold."""
        assert self.hlm.ack.c_lookup_p100 <= self.config.lookup_bound
        assert self.hlm.ack.c_insert_p100 <= self.config.insert_bound
        assert self.hlm.load <= self.config.tau_high


HlmMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHlmMachine = HlmMachine.TestCase
