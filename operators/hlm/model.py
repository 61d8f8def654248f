"""Hlm: a linear model that gives every id it has seen a weight of its own."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from operators.errors import InvalidInput
from operators.hlm.changes import Changes
from operators.hlm.config import HlmConfig, check_rates
from operators.hlm.growth import grow
from operators.hlm.inputs import as_features, as_labels, as_rows
from operators.hlm.kernels import (
    SCRATCH_HEADER,
    UNKNOWN,
    link_of,
    predict_event,
    step_events,
)
from operators.hlm.kernels_table import zero_slot
from operators.hlm.layout import (
    BIAS,
    BLOCK_BYTES,
    CAPACITY,
    EMERGENCY_USED,
    INSERT_MAX,
    KNOWN,
    LOOKUP_MAX,
    REBUILDS,
    REBUILT_AT,
    RING_OCCUPANCY,
    STASH_OCCUPANCY,
    VER_BASE,
    VER_DELTA,
    HlmArrays,
    allocate,
)
from operators.hlm.state import State, restore


class HlmAck(NamedTuple):
    """Answer to an update (seed, section 14).

    Attributes:
        ver_base: generation of the base; 0 as long as none has been published.
        ver_delta: generation of the delta; each growth makes a new one.
        c_lookup_p100: dearest lookup of any event so far, in records compared.
        c_insert_p100: dearest insert so far, in steps (see operators/hlm/kernels_table.py).
    """

    ver_base: int
    ver_delta: int
    c_lookup_p100: int
    c_insert_p100: int


class Explanation(NamedTuple):
    """Where a raw score comes from.

    ``bias`` plus each contribution in turn, from the first to the last, is ``score`` to the bit.

    Attributes:
        bias: bias of the model.
        contributions: float64[n], weight times value of each feature; 0 for unknown ids.
        score: raw score, before the link.
    """

    bias: float
    contributions: npt.NDArray[np.float64]
    score: float


class Hlm:
    """The exact hashed linear learner, in bounded probes per feature.

    Bit-equal to a learner that keeps its weights in a dictionary: no two ids ever share a weight.
    The learning rule, with its order of operations, stands in operators/hlm/kernels.py. One writer
    at a time; everything compiled runs without the GIL.

    Args:
        config: settings.
        salt: key of the hash, 0 .. 2^64-1, a secret: who knows it can make ids that collide in
            their buckets and force the table to grow. It is no part of the state.
        state: saved arrays to go on from, see ``from_state``.

    Raises:
        InvalidInput: the salt is out of range.
        StateMismatch: the state does not fit the configuration or the salt, or is damaged.
    """

    def __init__(self, config: HlmConfig, salt: int, state: State | None = None) -> None:
        if not 0 <= salt < 1 << 64:
            raise InvalidInput("the salt must be an integer of 64 bits")
        self.config = config
        self._changes = Changes()
        if state is None:
            self._arrays = allocate(config, config.capacity, salt)
        else:
            self._arrays = restore(config, salt, state)
            self._changes.forget(self._arrays)

    @property
    def arrays(self) -> HlmArrays:
        """The live arrays, for kernels that embed this model; replaced whenever it grows."""
        return self._arrays

    @property
    def bias(self) -> float:
        """Bias of the model."""
        return float(self._arrays.params[BIAS])

    @property
    def known(self) -> int:
        """Ids that have a weight."""
        return int(self._arrays.meta[KNOWN])

    @property
    def capacity(self) -> int:
        """Bucket slots."""
        return int(self._arrays.meta[CAPACITY])

    @property
    def load(self) -> float:
        """Known ids for each bucket slot; the table grows before it passes ``tau_high``."""
        return self.known / self.capacity

    @property
    def rebuilds(self) -> int:
        """Growths so far."""
        return int(self._arrays.meta[REBUILDS])

    @property
    def rebuilt_at(self) -> tuple[int, ...]:
        """For each growth, the number of events that came before it."""
        return tuple(self._arrays.meta[REBUILT_AT : REBUILT_AT + self.rebuilds].tolist())

    @property
    def stash_occupancy(self) -> int:
        """Records in the stashes of all sub-tables."""
        return int(self._arrays.meta[STASH_OCCUPANCY])

    @property
    def ring_occupancy(self) -> int:
        """Records in the overflow rings of all sub-tables."""
        return int(self._arrays.meta[RING_OCCUPANCY])

    @property
    def emergency_used(self) -> int:
        """Times that an emergency slot has been taken."""
        return int(self._arrays.meta[EMERGENCY_USED])

    @property
    def ack(self) -> HlmAck:
        """Versions and largest costs as they stand."""
        meta = self._arrays.meta
        return HlmAck(
            ver_base=int(meta[VER_BASE]),
            ver_delta=int(meta[VER_DELTA]),
            c_lookup_p100=int(meta[LOOKUP_MAX]),
            c_insert_p100=int(meta[INSERT_MAX]),
        )

    def predict(self, ids: npt.ArrayLike, values: npt.ArrayLike) -> float:
        """Prediction for one event; changes nothing, counters included.

        Args:
            ids: uint64[n], feature ids.
            values: float64[n], their values.

        Raises:
            InvalidInput: the arrays do not fit together.
            NonFiniteInput: a value is NaN or infinite.
        """
        checked_ids, checked_values = as_features(ids, values)
        score = self._score(checked_ids, checked_values)[0]
        return float(link_of(self._arrays, score))

    def explain(self, ids: npt.ArrayLike, values: npt.ArrayLike) -> Explanation:
        """What each feature adds to the raw score of an event; arguments as for ``predict``."""
        checked_ids, checked_values = as_features(ids, values)
        score, slots = self._score(checked_ids, checked_values)
        known = slots >= 0
        contributions = np.zeros(len(slots), np.float64)
        weights = self._arrays.weights[1::2]
        contributions[known] = weights[slots[known]] * checked_values[known]
        return Explanation(self.bias, contributions, score)

    def update(
        self,
        ids: npt.ArrayLike,
        values: npt.ArrayLike,
        y: float,
        lr: float | None = None,
        l2: float | None = None,
    ) -> HlmAck:
        """Learn one event: predict, then move the weights along the error.

        Args:
            ids: uint64[n], feature ids; unknown ones become known.
            values: float64[n], their values.
            y: label.
            lr: learning rate of this event, instead of the configured one.
            l2: L2 factor of this event, instead of the configured one.

        Raises:
            InvalidInput: the arrays do not fit together.
            NonFiniteInput: a value or the label is NaN or infinite; nothing has changed.
            InvalidConfig: a rate is out of range.
            OutOfCapacity: the ids do not fit into the largest table; no weight has changed.
        """
        rate = self.config.lr if lr is None else lr
        decay = self.config.l2 if l2 is None else l2
        check_rates(rate, decay)
        checked_ids, checked_values = as_features(ids, values)
        rows = np.array([0, len(checked_ids)], np.int64)
        self._step(rows, checked_ids, checked_values, as_labels([y]), lr=rate, l2=decay)
        return self.ack

    def step_batch(
        self, indptr: npt.ArrayLike, ids: npt.ArrayLike, values: npt.ArrayLike, y: npt.ArrayLike
    ) -> npt.NDArray[np.float64]:
        """Predict and learn events in turn: to the bit the loop of ``predict`` and ``update``.

        Args:
            indptr: int64[n+1], event i is features ``indptr[i] .. indptr[i+1]-1``.
            ids: uint64[nnz], feature ids.
            values: float64[nnz], their values.
            y: float64[n], labels.

        Returns:
            float64[n], what was predicted for each event before it was learnt.

        Raises:
            InvalidInput: the arrays do not fit together.
            NonFiniteInput: a value or a label is NaN or infinite; nothing of the batch is learnt.
            OutOfCapacity: the ids of an event do not fit; the events before it are learnt.
        """
        checked_ids, checked_values = as_features(ids, values)
        rows = as_rows(indptr, len(checked_ids))
        labels = as_labels(y)
        if len(rows) != len(labels) + 1:
            raise InvalidInput(f"indptr has {len(rows)} elements for {len(labels)} labels")
        return self._step(
            rows, checked_ids, checked_values, labels, lr=self.config.lr, l2=self.config.l2
        )

    def grow(self, unknown: int) -> None:
        """Move to a larger table with room for ``unknown`` more ids, at an event's boundary.

        For whoever embeds ``arrays``: called when ``reserve_event`` finds no room, with its
        ``scratch[UNKNOWN]``.

        Raises:
            OutOfCapacity: the table may not grow further; nothing has changed.
        """
        self._arrays = grow(self.config, self._arrays, unknown)
        self._changes = Changes()

    def items(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
        """All known ids, rising, and their weights."""
        keys = self._arrays.records[::2]
        weights = self._arrays.weights[1::2]
        taken = np.flatnonzero(keys)
        ids = keys[taken]
        ids[taken == zero_slot(self._arrays)] = 0
        order = np.argsort(ids)
        return ids[order], weights[taken][order]

    def to_state(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as flat arrays: read-only views, to be copied before the next update."""
        state: dict[str, npt.NDArray[np.generic]] = {
            "records": self._arrays.records.view(),
            "meta": self._arrays.meta.view(),
            "params": self._arrays.params.view(),
        }
        for array in state.values():
            array.flags.writeable = False
        return state

    @classmethod
    def from_state(cls, config: HlmConfig, salt: int, state: State) -> Self:
        """The model that ``to_state`` was asked of; it goes on bit for bit, counters included.

        Nothing of it is dirty. See operators/hlm/state.py for what must agree.

        Raises:
            StateMismatch: the state does not fit the configuration or the salt, or is damaged.
        """
        return cls(config, salt, state)

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Blocks of each state array that changed since the last call, and forget them.

        Every block of a new or just grown model counts as changed. Block i of an array is its
        bytes from ``i * block_bytes(name)`` on. Time is linear in the number of blocks.
        """
        return self._changes.take(self._arrays)

    def block_bytes(self, name: str) -> int:
        """Bytes of one block of the named state array.

        Raises:
            InvalidInput: there is no such array.
        """
        if name not in ("records", "meta", "params"):
            raise InvalidInput(f"an Hlm has no state array {name!r}")
        return BLOCK_BYTES

    def _score(
        self, ids: npt.NDArray[np.uint64], values: npt.NDArray[np.float64]
    ) -> tuple[float, npt.NDArray[np.int64]]:
        """Raw score of an event, and the slot of each feature (negative if unknown)."""
        scratch = np.empty(SCRATCH_HEADER + len(ids), np.int64)
        score = predict_event(self._arrays, scratch, ids, values, 0, len(ids))
        return float(score), scratch[SCRATCH_HEADER:]

    def _step(
        self,
        rows: npt.NDArray[np.int64],
        ids: npt.NDArray[np.uint64],
        values: npt.NDArray[np.float64],
        labels: npt.NDArray[np.float64],
        *,
        lr: float,
        l2: float,
    ) -> npt.NDArray[np.float64]:
        """Step checked events, growing between them as often as it takes."""
        longest = int(np.diff(rows).max(initial=0))
        scratch = np.empty(SCRATCH_HEADER + longest, np.int64)
        predictions = np.empty(len(labels), np.float64)
        done = 0
        while True:
            done = step_events(
                self._arrays, scratch, rows, ids, values, labels, done, lr, l2, predictions
            )
            if done == len(labels):
                return predictions
            self.grow(int(scratch[UNKNOWN]))
