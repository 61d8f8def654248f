"""The events of one tenant in a batch, in the order of the log: observations, labels, repetitions.

Observations go to the cell in runs. A run ends before a late label, and before an event whose name
has been before: whether that is a repetition depends on whether the first one was refused, which is
known once it has been stepped.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.fusion.kernel_kept import kept_width
from operators.fusion.kernel_status import MAX_INPUT
from operators.fusion.outputs import QUARANTINE_STATUS, STEP_DTYPE
from schemas.errors import BadMessage, Bug
from schemas.reasons import Reason
from state.audit.leaf import FORMAT, LATE_LABEL, REPEAT
from streams.shard.columns import Rejected
from streams.shard.id_bound import QUOTA_IDS, bounded
from streams.shard.observations import Observations, Place, joined
from streams.shard.repeat_window import RepeatWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from operators.batch import EventBatch
    from operators.fusion.cell import Cell
    from operators.fusion.config import CellConfig
    from streams.settings import LabelSettings
    from streams.shard.columns import TenantColumns

    Rows = npt.NDArray[Any]

PREFIX: Final = "memory."
"""First part of the names of a memory's arrays."""

REFUSALS: Final = {
    **{status: (reason, "refused by the learner") for status, reason in QUARANTINE_STATUS.items()},
    QUOTA_IDS: (Reason.QUOTA_IDS, "brings more ids than quotas.ids of the tenant in this shard"),
}
"""Status of a refused row → reason code and detail."""

_MICROSECOND: Final = 1_000_000


class Memory:
    """What a tenant's cell remembers of events, beside what it learnt from them.

    Args:
        settings: how much.
        config: of the cell; its vectors' lengths.
        key: 64 bits that nobody outside knows.
    """

    def __init__(self, settings: LabelSettings, config: CellConfig, key: int) -> None:
        self.window = RepeatWindow(settings.repeat_window, key)
        self.observations = Observations(
            settings.keep_observations,
            settings.ttl_s * _MICROSECOND,
            config.sera.d,
            config.sera.d_v,
            kept_width(config.sera.d_v),
        )
        self.logistic = config.logistic

    def to_state(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as named flat arrays, beside the cell's."""
        return {**self.window.to_state(), **self.observations.to_state()}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what ``to_state`` gave; an empty mapping is an empty memory.

        Raises:
            StateError: the arrays do not fit the settings.
        """
        self.window.load(arrays)
        self.observations.load(arrays)


class Stepped(NamedTuple):
    """What became of a tenant's events.

    Attributes:
        places: int64[n], row in the columns of each audit record, in order.
        kinds: float64[n], ``state.audit.leaf`` format of each.
        rows: STEP_DTYPE[n]; of a repetition only its step means anything.
        rejected: events that go to quarantine.
    """

    places: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.float64]
    rows: Rows
    rejected: list[Rejected]


class Stepping:
    """Steps one tenant's events of one batch.

    Args:
        cell: learns.
        memory: remembers.
        columns: the events.
        most_ids: int64[n], ids that the linear model may hold when each event is stepped; None: as
            many as it likes.
    """

    def __init__(
        self,
        cell: Cell,
        memory: Memory,
        columns: TenantColumns,
        most_ids: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._cell = cell
        self._memory = memory
        self._columns = columns
        self._most_ids = most_ids
        self._hashes = memory.window.hashes(columns.ids, columns.event_ids)
        self._index: list[npt.NDArray[np.int64]] = []
        self._kinds: list[npt.NDArray[np.float64]] = []
        self._rows: list[Rows] = []
        self._rejected: list[Rejected] = []

    def run(self) -> Stepped:
        """Step all of them. O(events), plus the cell's steps."""
        late = self._columns.late
        for start, stop in pairwise(self._bounds()):
            if late[start]:
                self._labels(start, stop)
            else:
                self._observations(start, stop)
        if not self._index:
            nothing = np.zeros(0, np.int64)
            return Stepped(nothing, np.zeros(0), np.zeros(0, STEP_DTYPE), self._rejected)
        return Stepped(
            np.concatenate(self._index),
            np.concatenate(self._kinds),
            np.concatenate(self._rows),
            self._rejected,
        )

    def _bounds(self) -> list[int]:
        """Return where stretches begin that are of one kind, under one bound, and the end."""
        late, most = self._columns.late, self._most_ids
        if not len(late):
            return []
        other = late[1:] != late[:-1]
        if most is not None:
            other |= most[1:] != most[:-1]
        return [0, *(np.flatnonzero(other) + 1).tolist(), len(late)]

    def _observations(self, start: int, stop: int) -> None:
        window = self._memory.window
        while start < stop:
            end = window.scan(self._hashes, start, stop)
            if end > start:
                self._run_of(start, end)
            elif end < stop:
                self._repetition(start)
                end += 1
            start = end

    def _run_of(self, start: int, stop: int) -> None:
        """Step a run of observations with names that were not before."""
        columns, observations = self._columns, self._memory.observations
        whole = stop - start == len(columns.late)
        batch = columns.batch if whole else columns.batch.select(np.arange(start, stop))
        unlabelled = batch.has_label == 0
        kept = None
        if observations.wanted and unlabelled.any():
            kept = np.zeros((batch.events, self._cell.kept_width))
        rows = self._bounded(start, self._cell.step_batch, batch, kept)
        good = rows["status"] == 0
        index = np.arange(start, stop)
        if not good.all():
            for row in np.flatnonzero(~good).tolist():
                self._memory.window.forget(self._hashes[start + row])
                self._refuse(start + row, rows["status"][row])
            index, rows = index[good], rows[good]
        if kept is not None:
            newest = np.maximum.accumulate(np.where(good, batch.time_us, 0))
            waits = np.flatnonzero(good & unlabelled)
            if len(waits):
                names = self._hashes[start:stop][waits]
                observations.add(names, newest[waits], batch.select(waits), kept[waits])
        if good.any():
            observations.see(int(batch.time_us[good].max()))
        self._put(index, FORMAT, rows)

    def _repetition(self, row: int) -> None:
        """Put down that an event came again; one that is of no use in itself is refused for that.

        What came again need not be the same bytes: a broken one is to be found in quarantine.
        """
        status = self._cell.predict_batch(self._columns.batch.select([row]))["status"][0]
        if status:
            self._refuse(row, status)
            return
        blank = np.zeros(1, STEP_DTYPE)
        blank["step"] = self._cell.steps
        self._put(np.array([row]), REPEAT, blank)

    def _labels(self, start: int, stop: int) -> None:
        """Teach the late labels of a run.

        Whether a second label of one observation is a repetition depends on whether the first was
        learnt, so it waits until that has been seen.
        """
        pending: dict[int, tuple[int, Place]] = {}
        for row in range(start, stop):
            error = self._fault(float(self._columns.batch.label[row]))
            if error is None:
                name = int(self._hashes[row])
                if name in pending:
                    self._teach(pending)
                    pending = {}
                found = self._memory.observations.take(name)
                if isinstance(found, Place):
                    pending[name] = row, found
                    continue
                error = self._unmatched(row, labelled=found is True)
            self._reject(row, error)
        if pending:
            self._teach(pending)

    def _teach(self, pending: Mapping[int, tuple[int, Place]]) -> None:
        """Teach labels, given as name → row and place of the observation."""
        index = np.array([row for row, _ in pending.values()])
        labels, times = self._columns.batch.label[index], self._columns.batch.time_us[index]
        batch, kept = joined([place for _, place in pending.values()], labels, times)
        rows = self._bounded(int(index[0]), self._cell.learn_late, batch, kept)
        taught = rows["status"] == 0
        if not taught.all():
            for (name, (row, place)), status in zip(pending.items(), rows["status"], strict=True):
                if status not in {0, QUOTA_IDS}:
                    raise Bug("a late label was refused although its observation was accepted")
                if status:
                    self._memory.observations.put_back(name, place)
                    self._refuse(row, status)
        self._put(index[taught], LATE_LABEL, rows[taught])

    def _bounded(
        self,
        start: int,
        act: Callable[[EventBatch, Any], Rows],
        batch: EventBatch,
        kept: npt.NDArray[np.float64] | None,
    ) -> Rows:
        """Step or teach events, within the bound of ids in force at row ``start``."""
        if self._most_ids is None:
            return act(batch, kept)

        def act_on(rows: npt.NDArray[np.int64]) -> Rows:
            if len(rows) == batch.events:
                return act(batch, kept)
            if kept is None:
                return act(batch.select(rows), None)
            part = kept[rows]
            done = act(batch.select(rows), part)
            kept[rows] = part
            return done

        return bounded(int(self._most_ids[start]), self._cell, batch, act_on)

    def _fault(self, label: float) -> BadMessage | None:
        """Say what is wrong with a label by itself."""
        if not math.isfinite(label):
            return BadMessage(Reason.NON_FINITE_LABEL, f"the late label is {label}")
        if abs(label) > MAX_INPUT:
            return BadMessage(Reason.TOO_LARGE, f"the late label is {label}")
        if self._memory.logistic and not 0.0 <= label <= 1.0:
            return BadMessage(Reason.LABEL_OUT_OF_RANGE, f"the late label is {label}, not 0 to 1")
        return None

    def _unmatched(self, row: int, *, labelled: bool) -> BadMessage:
        """Say why a label has no observation to be learnt with."""
        if labelled or self._hashes[row] in self._memory.window:
            return BadMessage(
                Reason.LATE_LABEL_REPEATED,
                "the observation has its label, or was let go of: labels.keep_observations and "
                "labels.ttl_s say how many are kept, and for how long",
            )
        return BadMessage(
            Reason.LATE_LABEL_UNMATCHED,
            "no observation of this id and event_id is known (any more); send it again from the "
            "quarantine once the observation has come, or raise labels.keep_observations",
        )

    def _put(self, index: npt.NDArray[np.int64], kind: float, rows: Rows) -> None:
        self._index.append(index)
        self._kinds.append(np.full(len(index), kind))
        self._rows.append(rows)

    def _refuse(self, row: int, status: int) -> None:
        self._reject(row, BadMessage(*REFUSALS[int(status)]))

    def _reject(self, row: int, error: BadMessage) -> None:
        self._rejected.append(Rejected(int(self._columns.positions[row]), error))
