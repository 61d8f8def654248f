"""Hlm: a linear model that gives every id it has seen a weight of its own."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from operators.errors import InvalidInput
from operators.hlm.answers import Explanation, HlmAck, Refused, Sample, score_of
from operators.hlm.changes import Changes
from operators.hlm.config import HlmConfig, check_rates
from operators.hlm.inputs import as_errors, as_features, as_labels, as_rows
from operators.hlm.kernels import SCRATCH_HEADER, UNKNOWN, locate_event
from operators.hlm.kernels_batch import LANES, step_events
from operators.hlm.kernels_rule import weights_at
from operators.hlm.layout import (
    ACTIVE_CAPACITY,
    ACTIVE_KNOWN,
    ALARM,
    BIAS,
    DUE,
    EMERGENCY_USED,
    IDLE,
    INSERT_MAX,
    INSERTS_FROZEN,
    KNOWN,
    LOOKUP_MAX,
    NOT_LEARNT,
    REBUILDS,
    REFUSED_KEPT,
    RING_OCCUPANCY,
    STAGE,
    STASH_OCCUPANCY,
    VER_BASE,
    VER_DELTA,
    HlmArrays,
)
from operators.hlm.lifecycle import Lifecycle
from operators.hlm.salts import SaltKey
from operators.hlm.sizing import Estimate, estimate
from operators.hlm.state import BLOCKS, State, initial, restore, saved


class Hlm:
    """The exact hashed linear learner.

    One thread at a time; kernels run without the GIL. Rebuilds have threads of their own, which
    decide nothing: see operators/hlm/rebuild.py. Every call is a function of the configuration, the
    salt key, the state and its arguments.

    Args:
        config: settings.
        salt: what the salts of the tables follow from; no part of the state. A number stands for a
            ``SaltKey`` of version 0. Salts place records and change no result.

    Attributes:
        config: settings.

    Raises:
        InvalidInput: the salt is out of range.
    """

    def __init__(
        self, config: HlmConfig, salt: int | SaltKey = 0, state: State | None = None
    ) -> None:
        key = salt if isinstance(salt, SaltKey) else SaltKey(salt)
        self.config = config
        self._changes = Changes()
        arrays = initial(config, key) if state is None else restore(config, key, state)
        if state is not None:
            # First of all: a rebuild that is taken up again may set anew when it is due.
            self._changes.forget(arrays)
        self._life = Lifecycle(config, key, arrays)
        self._reported = int(arrays.meta[NOT_LEARNT])

    @property
    def arrays(self) -> HlmArrays:
        """The live arrays, for kernels that embed this model; others after each ``attend``."""
        return self._life.arrays

    @property
    def bias(self) -> float:
        """Bias of the model."""
        return float(self.arrays.params[BIAS])

    @property
    def known(self) -> int:
        """Ids that have a weight."""
        return self._count(KNOWN)

    @property
    def capacity(self) -> int:
        """Bucket slots of the delta that takes new ids (C)."""
        return self._count(ACTIVE_CAPACITY)

    @property
    def load(self) -> float:
        """Ids in that delta for each bucket slot; never above ``tau_high``."""
        return self._count(ACTIVE_KNOWN) / self.capacity

    @property
    def rebuilds(self) -> int:
        """Rebuilds begun so far."""
        return self._count(REBUILDS)

    @property
    def stage(self) -> int:
        """Stage of the rebuild: ``layout.IDLE``, ``BUILDING`` or ``MIRRORING``."""
        return self._count(STAGE)

    @property
    def waits(self) -> int:
        """Steps of rebuilds that had to wait for the thread, in this process; above 0 is an alarm.

        It depends on the machine, and is no part of the state.
        """
        return self._life.waits

    @property
    def alarms(self) -> int:
        """Times that an insert found stash, ring and emergency slot taken."""
        return self._count(ALARM)

    @property
    def not_learnt(self) -> int:
        """New ids that were not learnt, all in all; ``take_refused`` names the last of them."""
        return self._count(NOT_LEARNT)

    @property
    def inserts_frozen(self) -> bool:
        """Whether new ids are being refused."""
        return self._count(INSERTS_FROZEN) != 0

    @property
    def stash_occupancy(self) -> int:
        """Records in the stashes of all sub-tables."""
        return self._count(STASH_OCCUPANCY)

    @property
    def ring_occupancy(self) -> int:
        """Records in the overflow rings of all sub-tables."""
        return self._count(RING_OCCUPANCY)

    @property
    def emergency_used(self) -> int:
        """Times that an emergency slot has been taken."""
        return self._count(EMERGENCY_USED)

    @property
    def sizing(self) -> Estimate:
        """What the stream has shown of its novelty, and the slack of the delta."""
        return estimate(self.config, self.arrays.meta)

    @property
    def ack(self) -> HlmAck:
        """Versions and largest costs as they stand."""
        return HlmAck(
            ver_base=self._count(VER_BASE),
            ver_delta=self._count(VER_DELTA),
            c_lookup_p100=self._count(LOOKUP_MAX),
            c_insert_p100=self._count(INSERT_MAX),
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
        return self.pin().predict(ids, values)

    def pin(self) -> Sample:
        """The present generation, for as long as a sample needs it: ``with hlm.pin() as sample``.

        What is published meanwhile does not change what the sample reads, and the pinned
        generation's memory is freed when no sample has it any more. Ids that are learnt after a
        publication do not show in a sample pinned before.
        """
        return Sample(self.arrays)

    def knows(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Whether each id has a weight; changes nothing.

        Args:
            ids: uint64[n].
        """
        scratch = np.empty(SCRATCH_HEADER + len(ids), np.int64)
        locate_event(self.arrays, scratch, ids, 0, len(ids))
        known: npt.NDArray[np.bool_] = scratch[SCRATCH_HEADER:] >= 0
        return known

    def explain(self, ids: npt.ArrayLike, values: npt.ArrayLike) -> Explanation:
        """What each feature adds to the raw score of an event; arguments as for ``predict``."""
        checked_ids, checked_values = as_features(ids, values)
        score, places = score_of(self.arrays, checked_ids, checked_values)
        contributions = np.empty(len(places), np.float64)
        weights_at(self.arrays, places, contributions)
        if self.arrays.rules.single:
            single = contributions.astype(np.float32) * checked_values.astype(np.float32)
            contributions = single.astype(np.float64)
        else:
            contributions *= checked_values
        contributions[places < 0] = 0.0
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
            OutOfCapacity: the event has more new ids than a delta may take; nothing has changed.
        """
        return self._learn(ids, values, as_labels([y]), lr, l2, given=0)

    def learn_error(
        self,
        ids: npt.ArrayLike,
        values: npt.ArrayLike,
        e: float,
        lr: float | None = None,
        l2: float | None = None,
    ) -> HlmAck:
        """Learn one event from an error of the caller's, as of a fused prediction.

        Arguments and errors as for ``update``, with the error ``e`` in place of the label.
        """
        return self._learn(ids, values, as_errors([e]), lr, l2, given=1)

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
            OutOfCapacity: an event has more new ids than a delta may take; those before are learnt.
        """
        checked_ids, checked_values = as_features(ids, values)
        rows = as_rows(indptr, len(checked_ids))
        labels = as_labels(y)
        if len(rows) != len(labels) + 1:
            raise InvalidInput(f"indptr has {len(rows)} elements for {len(labels)} labels")
        lr, l2 = self.config.lr, self.config.l2
        return self._step(rows, checked_ids, checked_values, labels, lr=lr, l2=l2, given=0)

    def attend(self, unknown: int) -> None:
        """Take the steps of a rebuild that are due, and make room for ``unknown`` more ids.

        For whoever embeds ``arrays``: called at an event's boundary when ``attention_due`` says so,
        or when ``reserve_event`` finds no room, with its ``scratch[UNKNOWN]``.

        Raises:
            OutOfCapacity: no delta has that much room; nothing has changed.
        """
        self._life.attend(unknown)

    def request_rebuild(self) -> None:
        """Begin a rebuild before the next event, whatever the load; nothing if one is running."""
        if self.stage == IDLE:
            self.arrays.meta[DUE] = 0

    def take_refused(self) -> Refused:
        """Ids that were not learnt since the last call."""
        total = self._count(NOT_LEARNT)
        count = total - self._reported
        self._reported = total
        kept = np.arange(total - min(count, REFUSED_KEPT), total) % REFUSED_KEPT
        return Refused(count, self.arrays.refused[kept])

    def items(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
        """All known ids, rising, and their weights."""
        width = 1 << self.arrays.rules.word_bits
        base = self.arrays.base
        ids, weights = [base.records[::width]], [base.weights[1::width]]
        for delta in (self.arrays.frozen, self.arrays.active):
            keys = delta.records[::width]
            taken = np.flatnonzero(keys)
            found = keys[taken]
            found[taken == len(keys) - 1] = 0
            ids.append(found)
            weights.append(delta.weights[1::width][taken])
        all_ids = np.concatenate(ids)
        order = np.argsort(all_ids)
        return all_ids[order], np.concatenate(weights)[order]

    def to_state(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as flat arrays: read-only views, to be copied before the next update."""
        return saved(self.arrays)

    @classmethod
    def from_state(cls, config: HlmConfig, salt: int | SaltKey, state: State) -> Self:
        """The model that ``to_state`` was asked of; it goes on bit for bit, counters included.

        Nothing of it is dirty. See operators/hlm/state.py for what must agree.

        Raises:
            StateMismatch: the state does not fit the configuration or the salt, or is damaged.
        """
        return cls(config, salt, state)

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Blocks of each state array that changed since the last call, and forget them.

        Every block of a new model counts as changed, and every block of a base just published or a
        delta just begun. Block i of an array is its bytes from ``i * block_bytes(name)`` on. Time
        is linear in the number of blocks.
        """
        return self._changes.take(self.arrays)

    def block_bytes(self, name: str) -> int:
        """Bytes of one block of the named state array.

        Raises:
            InvalidInput: there is no such array.
        """
        if name not in BLOCKS:
            raise InvalidInput(f"an Hlm has no state array {name!r}")
        return BLOCKS[name]

    def _count(self, word: int) -> int:
        return int(self.arrays.meta[word])

    def _learn(
        self,
        ids: npt.ArrayLike,
        values: npt.ArrayLike,
        target: npt.NDArray[np.float64],
        lr: float | None,
        l2: float | None,
        *,
        given: int,
    ) -> HlmAck:
        rate = self.config.lr if lr is None else lr
        decay = self.config.l2 if l2 is None else l2
        check_rates(rate, decay)
        checked_ids, checked_values = as_features(ids, values)
        rows = np.array([0, len(checked_ids)], np.int64)
        self._step(rows, checked_ids, checked_values, target, lr=rate, l2=decay, given=given)
        return self.ack

    def _step(
        self,
        rows: npt.NDArray[np.int64],
        ids: npt.NDArray[np.uint64],
        values: npt.NDArray[np.float64],
        labels: npt.NDArray[np.float64],
        *,
        lr: float,
        l2: float,
        given: int,
    ) -> npt.NDArray[np.float64]:
        """Step checked events, attending to rebuilds between them."""
        longest = int(np.diff(rows).max(initial=0))
        scratch = np.empty(LANES * (SCRATCH_HEADER + longest), np.int64)
        predictions = np.empty(len(labels), np.float64)
        done = 0
        while True:
            done = step_events(
                self.arrays, scratch, rows, ids, values, labels, given, done, lr, l2, predictions
            )
            if done == len(labels):
                return predictions
            self.attend(int(scratch[UNKNOWN]))
