"""Quotas of tenants: events a second of event time, and ids that a linear model may hold.

What is judged follows from the log and the state alone, so that a re-step, a replay and a rewind
judge alike, however events are cut into batches:

* the rate by a token bucket that event time fills (``operators.rates``), part of the cell's state;
* ids by the count of ids that the model holds: an event with a label passes if they and its ids
  that are unknown are within the bound. An event without a label brings nothing in, and passes;
* the bounds themselves by the schedule: which settings were in force from which source offset on.
  It is part of the shard's state, and grows when a worker starts with other settings. A shard that
  was set back keeps it: settings that are new then count from behind the furthest offset ever
  reached.

An event that is beyond a bound goes to quarantine, whole; its tenant's other events go on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.fusion.layout import (
    CONTEXT,
    CONTEXT_MASK,
    FEATURE_READOUT,
    GATE_INPUTS,
    META_INPUTS,
)
from operators.fusion.outputs import QUARANTINE_STATUS, STEP_DTYPE
from operators.rates import new_bucket, spend
from schemas.errors import StateError
from schemas.reasons import Reason
from streams.settings import QuotaLimits, QuotaSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from operators.batch import EventBatch
    from operators.fusion.cell import Cell
    from streams.kafka.fetch import SourceRecord
    from streams.shard.columns import TenantColumns
    from streams.shard.tenant import Tenant

    Rows = np.ndarray[Any, np.dtype[Any]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

QUOTA_RATE: Final = 254
"""Status of a row: the event came too soon."""
QUOTA_IDS: Final = 255
"""Status of a row: the event would bring too many ids."""

REFUSALS: Final = {
    **{status: (reason, "refused by the learner") for status, reason in QUARANTINE_STATUS.items()},
    QUOTA_RATE: (Reason.QUOTA_RATE, "beyond quotas.events_per_s of the tenant in this shard"),
    QUOTA_IDS: (Reason.QUOTA_IDS, "brings more ids than quotas.ids of the tenant in this shard"),
}
"""Status of a refused row → reason code and detail."""

QUOTAS: Final = frozenset({Reason.QUOTA_RATE, Reason.QUOTA_IDS})
_MICROSECOND: Final = 1_000_000


class _Entry(NamedTuple):
    """Settings that are in force from a source offset on."""

    start: int
    settings: QuotaSettings


class Quotas:
    """The quotas of a shard, and the schedule of their changes.

    Args:
        settings: those to be in force.
    """

    def __init__(self, settings: QuotaSettings) -> None:
        self._settings = settings
        self._schedule: list[_Entry] = []
        self._furthest = 0

    # -- the schedule -----------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """The settings are others than the schedule ends with."""
        return self._latest != self._settings

    @property
    def _latest(self) -> QuotaSettings:
        return self._schedule[-1].settings if self._schedule else QuotaSettings()

    def change(self, offset: int) -> None:
        """Let the settings count from an offset on, or from behind the furthest ever reached."""
        if self.changed:
            self._schedule.append(_Entry(max(offset, self._furthest), self._settings))

    def set_back_from(self, offset: int) -> None:
        """Note how far the shard had come when it was set back."""
        self._furthest = max(self._furthest, offset)

    def to_bytes(self) -> bytes | None:
        """Write the schedule as canonical JSON; None if there is nothing to be known."""
        if not self._schedule and not self._furthest:
            return None
        plain = {
            "furthest": self._furthest,
            "schedule": [[at, settings.model_dump()] for at, settings in self._schedule],
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()

    def restore(self, record: bytes | None) -> None:
        """Take a schedule; None: there never were quotas.

        Raises:
            StateError: the record is damaged.
        """
        plain: dict[str, Any] = {"furthest": 0, "schedule": []}
        try:
            if record is not None:
                plain = json.loads(record)
            self._furthest = int(plain["furthest"])
            self._schedule = [
                _Entry(at, QuotaSettings(**settings)) for at, settings in plain["schedule"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                "the shard's record of its quotas is damaged: delete the state folder, it will be "
                "restored from the changelog"
            ) from error

    def follow(self, record: bytes | None) -> None:
        """Judge as another did: by its schedule alone, without settings of one's own.

        Raises:
            StateError: the record is damaged.
        """
        self.restore(record)
        self._settings = self._latest

    # -- judging ----------------------------------------------------------------------------------

    def step(
        self, tenant: str, at: Tenant, columns: TenantColumns, records: Sequence[SourceRecord]
    ) -> Rows:
        """Step the events of a batch that are within the tenant's bounds.

        Args:
            tenant: whose.
            at: its cell and bucket.
            columns: its events.
            records: of the whole batch; they have the offsets.

        Returns:
            STEP_DTYPE[n]; the status of a row that is beyond a bound says which.
        """
        if not self._schedule:
            return at.cell.step_batch(columns.batch)
        parts = [
            self._step(_limits(settings, tenant), at, columns.batch.select(rows))
            for settings, rows in self._segments(columns.positions, records)
        ]
        return np.concatenate(parts)

    def _segments(
        self, positions: Ints, records: Sequence[SourceRecord]
    ) -> Iterator[tuple[QuotaSettings, Ints]]:
        """Cut rows where other settings come into force."""
        offsets = np.fromiter((records[at].offset for at in positions.tolist()), np.int64)
        starts = [entry.start for entry in self._schedule]
        entries = np.searchsorted(starts, offsets, side="right") - 1
        for number in np.unique(entries).tolist():
            settings = self._schedule[number].settings if number >= 0 else QuotaSettings()
            yield settings, np.flatnonzero(entries == number)

    @staticmethod
    def _step(limits: QuotaLimits, at: Tenant, batch: EventBatch) -> Rows:
        rows = np.zeros(batch.events, STEP_DTYPE)
        left = np.arange(batch.events)
        if limits.events_per_s is not None:
            granted = _granted(limits, limits.events_per_s, at, batch)
            rows["status"][granted == 0] = QUOTA_RATE
            left = np.flatnonzero(granted)
        if len(left):
            part = batch if len(left) == batch.events else batch.select(left)
            ids = limits.ids
            rows[left] = at.cell.step_batch(part) if ids is None else _bounded(ids, at.cell, part)
        return rows


def _limits(settings: QuotaSettings, tenant: str) -> QuotaLimits:
    return settings.tenants.get(tenant, settings)


def _granted(limits: QuotaLimits, rate: float, at: Tenant, batch: EventBatch) -> Any:
    burst = max(1.0, rate * limits.burst_s)
    if at.bucket is None:
        at.bucket = new_bucket(int(batch.time_us[0]), burst)
    granted = np.empty(batch.events, np.uint8)
    spend(np.ascontiguousarray(batch.time_us), rate / _MICROSECOND, burst, at.bucket, granted)
    return granted


def _bounded(limit: int, cell: Cell, batch: EventBatch) -> Rows:
    """Step events, but for those that would bring the model beyond ``limit`` ids.

    Exactly the loop that asks before each event. Away from the bound it is one batch; near it,
    batches end where the bound could be reached; at it, one pass tells which events are barred.
    """
    rows = np.zeros(batch.events, STEP_DTYPE)
    own = GATE_INPUTS + META_INPUTS + FEATURE_READOUT + cell.config.sera.d_v
    room = limit - cell.hlm.known
    if len(batch.ids) + len(batch.ctx_ids) + own <= room:
        return cell.step_batch(batch)
    # How many ids each event brings, at most: what others before it bring, it does not.
    bringing = _new_ids(cell, batch)
    done = 0
    while done < batch.events and room > 0:
        sure = np.searchsorted(np.cumsum(bringing[done:]), max(0, room - own), side="right")
        part = np.arange(done, done + max(1, int(sure)))
        events = batch.select(part)
        if not sure and int(_new_ids(cell, events)[0]) > room:
            rows["status"][done] = QUOTA_IDS
        else:
            rows[part] = cell.step_batch(events)
            room = limit - cell.hlm.known
        done += len(part)
    if done < batch.events:
        # No id gets in any more, so that what is unknown stays so.
        rest = np.arange(done, batch.events)
        barred = _new_ids(cell, batch.select(rest)) > 0
        rows["status"][rest[barred]] = QUOTA_IDS
        passing = rest[~barred]
        if len(passing):
            rows[passing] = cell.step_batch(batch.select(passing))
    return rows


def _new_ids(cell: Cell, batch: EventBatch) -> Ints:
    """Count the distinct ids of each event that the model does not hold; 0 without a label."""
    ids = np.concatenate([batch.ids, CONTEXT | (batch.ctx_ids & CONTEXT_MASK)])
    events = np.arange(batch.events)
    owners = np.concatenate(
        [np.repeat(events, np.diff(batch.indptr)), np.repeat(events, np.diff(batch.ctx_indptr))]
    )
    unknown = ~cell.hlm.knows(ids)
    pairs = np.unique(np.stack([owners[unknown].astype(np.uint64), ids[unknown]]), axis=1)
    counts = np.bincount(pairs[0].astype(np.int64), minlength=batch.events)
    counts[batch.has_label == 0] = 0
    return counts
