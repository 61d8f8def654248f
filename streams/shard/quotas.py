"""Quotas of tenants: events a second of event time, and ids that a linear model may hold.

What is judged follows from the log and the state alone, so that a re-step, a replay and a rewind
judge alike, however events are cut into batches:

* the rate by a token bucket that event time fills (``operators.rates``), part of the cell's state.
  It is judged first: what is beyond it is not looked at any further. An observation counts, whether
  it is new, of any use, or comes again, and so does a note, for each of them costs a look and a
  record. A late label does not: each needs an observation that passed, and they come in bulk;
* ids where events are stepped (``streams.shard.id_bound``), by the count of ids that the model
  holds;
* the bounds themselves by the schedule: which settings were in force from which source offset on.
  It is part of the shard's state, and grows when a worker starts with other settings. A shard that
  was set back keeps it: settings that are new then count from behind the furthest offset ever
  reached.

An event that is beyond a bound goes to quarantine, whole, and is remembered nowhere: it is no
repetition when it is sent again. Its tenant's other events go on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.rates import new_bucket, spend
from schemas.errors import BadMessage, StateError
from schemas.reasons import Reason
from streams.settings import QuotaLimits, QuotaSettings
from streams.shard.columns import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.kafka.fetch import SourceRecord
    from streams.shard.columns import TenantColumns
    from streams.shard.tenant import Tenant

    Ints = np.ndarray[Any, np.dtype[np.int64]]

QUOTAS: Final = frozenset({Reason.QUOTA_RATE, Reason.QUOTA_IDS})
"""Reasons that mean that an event was beyond a bound."""

_UNBOUNDED: Final = np.iinfo(np.int64).max
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

    def within_rate(
        self, tenant: str, at: Tenant, columns: TenantColumns, records: Sequence[SourceRecord]
    ) -> tuple[TenantColumns, list[Rejected]]:
        """Spend from a tenant's bucket, and part the events of a batch that are beyond its rate.

        Args:
            tenant: whose.
            at: its bucket.
            columns: its events, with its notes.
            records: of the whole batch; they have the offsets.

        Returns:
            The events that pass, and those that do not.

        Complexity: O(events); nothing where there never was a quota.
        """
        if not self._schedule:
            return columns, []
        granted = np.ones(len(columns.positions), np.uint8)
        for limits, rows in self._segments(tenant, columns.positions, records):
            counting = rows[~columns.late[rows]]
            if limits.events_per_s is not None and len(counting):
                times = columns.batch.time_us[counting]
                granted[counting] = _granted(limits, limits.events_per_s, at, times)
        if granted.all():
            return columns, []
        over = columns.positions[granted == 0].tolist()
        return columns.select(np.flatnonzero(granted)), [
            Rejected(
                position,
                BadMessage(
                    Reason.QUOTA_RATE, "beyond quotas.events_per_s of the tenant in this shard"
                ),
            )
            for position in over
        ]

    def most_ids(
        self, tenant: str, columns: TenantColumns, records: Sequence[SourceRecord]
    ) -> Ints | None:
        """Return how many ids the model may hold when each event is stepped.

        Arguments as for ``within_rate``.

        Returns:
            int64[n]; None: as many as it likes.
        """
        if not any(_limits(entry.settings, tenant).ids for entry in self._schedule):
            return None
        most = np.full(len(columns.positions), _UNBOUNDED)
        for limits, rows in self._segments(tenant, columns.positions, records):
            if limits.ids is not None:
                most[rows] = limits.ids
        return most

    def _segments(
        self, tenant: str, positions: Ints, records: Sequence[SourceRecord]
    ) -> Iterator[tuple[QuotaLimits, Ints]]:
        """Cut rows where other settings come into force."""
        offsets = np.fromiter((records[at].offset for at in positions.tolist()), np.int64)
        starts = [entry.start for entry in self._schedule]
        entries = np.searchsorted(starts, offsets, side="right") - 1
        for number in np.unique(entries).tolist():
            if number >= 0:
                limits = _limits(self._schedule[number].settings, tenant)
                yield limits, np.flatnonzero(entries == number)


def _limits(settings: QuotaSettings, tenant: str) -> QuotaLimits:
    return settings.tenants.get(tenant, settings)


def _granted(limits: QuotaLimits, rate: float, at: Tenant, time_us: Ints) -> Any:
    burst = max(1.0, rate * limits.burst_s)
    if at.bucket is None:
        at.bucket = new_bucket(int(time_us[0]), burst)
    granted = np.empty(len(time_us), np.uint8)
    spend(time_us, rate / _MICROSECOND, burst, at.bucket, granted)
    return granted
