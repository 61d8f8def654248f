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
from streams.shard.observations import Observations, Place, joined
from streams.shard.repeat_window import RepeatWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from operators.fusion.cell import Cell
    from operators.fusion.config import CellConfig
    from streams.settings import LabelSettings
    from streams.shard.columns import TenantColumns

    Rows = npt.NDArray[Any]

PREFIX: Final = "memory."
"""First part of the names of a memory's arrays."""

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
    """

    def __init__(self, cell: Cell, memory: Memory, columns: TenantColumns) -> None:
        self._cell = cell
        self._memory = memory
        self._columns = columns
        self._hashes = memory.window.hashes(columns.ids, columns.event_ids)
        self._index: list[npt.NDArray[np.int64]] = []
        self._kinds: list[npt.NDArray[np.float64]] = []
        self._rows: list[Rows] = []
        self._rejected: list[Rejected] = []

    def run(self) -> Stepped:
        """Step all of them. O(events), plus the cell's steps."""
        late = self._columns.late
        changes = np.flatnonzero(late[1:] != late[:-1]) + 1 if len(late) else late
        bounds = [0, *changes.tolist(), len(late)]
        for start, stop in pairwise(bounds):
            if start == stop:
                continue
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
            rows = self._cell.step_batch(batch, kept)
        else:
            rows = self._cell.step_batch(batch)
        good = rows["status"] == 0
        index = np.arange(start, stop)
        if not good.all():
            for row in np.flatnonzero(~good).tolist():
                self._memory.window.forget(self._hashes[start + row])
                reason = QUARANTINE_STATUS[int(rows["status"][row])]
                self._reject(start + row, BadMessage(reason, "refused by the learner"))
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
            reason = QUARANTINE_STATUS[int(status)]
            self._reject(row, BadMessage(reason, "refused by the learner"))
            return
        blank = np.zeros(1, STEP_DTYPE)
        blank["step"] = self._cell.steps
        self._put(np.array([row]), REPEAT, blank)

    def _labels(self, start: int, stop: int) -> None:
        """Teach the late labels of a run."""
        observations = self._memory.observations
        waiting, labels, times, index = [], [], [], []
        batch = self._columns.batch
        for row in range(start, stop):
            label = float(batch.label[row])
            error = self._fault(label)
            if error is None:
                found = observations.take(int(self._hashes[row]))
                if isinstance(found, Place):
                    waiting.append(found)
                    labels.append(label)
                    times.append(int(batch.time_us[row]))
                    index.append(row)
                    continue
                error = self._unmatched(row, labelled=found is True)
            self._reject(row, error)
        if not waiting:
            return
        rows = self._cell.learn_late(*joined(waiting, labels, times))
        if rows["status"].any():
            raise Bug("a late label was refused although its observation had been accepted")
        self._put(np.array(index), LATE_LABEL, rows)

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

    def _reject(self, row: int, error: BadMessage) -> None:
        self._rejected.append(Rejected(int(self._columns.positions[row]), error))
