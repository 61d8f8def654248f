"""Prometheus metrics of a worker.

Counters and histograms are updated once a unit of work, never once an event: a counter per event
would cost more than the learning. Gauges of cells, tables and lags are looked at once a second.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.hierarchy.metrics import StreamMetrics
from streams.shard.shard import Shard, ShardState

if TYPE_CHECKING:
    from operators.hierarchy.pace import PaceConfig
    from streams.shard.unit import UnitOfWork

# Seconds: from a kernel call of a small batch to a commit that waits for a leader election.
STAGE_BUCKETS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
END_TO_END_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300)
BATCH_BUCKETS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)

SHARD = ("shard",)
CELL = ("shard", "tenant")

# Gauges of a cell that its ``describe`` gives under the same name.
CELL_GAUGES = {
    "gate": "Share of the attention half in the fused prediction, at the last step.",
    "g_max": "Most that the gate may be: its clamp, in force for the next event.",
    "stage": "Stage of the fusion's roll-out: 0 meta-linear, 1 and the gate, 2 and attention as "
    "feature.",
    "margin": "log(1/alpha) minus the log of the e-process; below 0 is an alarm.",
    "rj_gap": "Half-split diagnostic of the attention readout, as the gap to the halves' mean.",
    "half_diff": "Half-split diagnostic of the attention readout, as half the halves' distance.",
    "lambda_star": "Weight of the prior in the attention readout, at the last step.",
    "sera_features": "Random features of the attention half.",
    "sera_residual_alarms": "Events at which rounding took more of the attention's sums than its "
    "limit.",
    "delta_load": "Share of the linear learner's slots in use.",
    "hlm_generation": "Rebuilds of the linear learner's base that were published.",
    "hlm_waits": "Steps of rebuilds that a shard had to wait for, in this process.",
    "hlm_alarms": "Times that an insert found every slot it may use taken.",
    "hlm_refused_ids": "New ids that were not learnt because inserts were frozen.",
}


class Metrics:
    """The metrics and their registry; the observer of every shard.

    Args:
        pace: budgets of the token stream; the seed's by default.

    Attributes:
        registry: of all of them.
        streams: those of the token stream; the observer of its streams.
    """

    def __init__(self, pace: PaceConfig | None = None) -> None:
        self.registry = CollectorRegistry()
        gauge, counter, histogram = self._gauge, self._counter, self._histogram
        self.lag = gauge("weir_shard_lag", "Committed events not yet processed.")
        self.committed_offset = gauge(
            "weir_shard_committed_offset", "Source offset that outputs and state have reached."
        )
        self.end_offset = gauge("weir_shard_end_offset", "End of the source partition.")
        self.restore_progress = gauge(
            "weir_shard_restore_progress", "Share of the changelog applied, 0 to 1."
        )
        self.standby_lag = gauge(
            "weir_standby_lag",
            "Offsets of the changelog that the standby table has to go; +Inf: it is not kept.",
        )
        self.rocksdb_bytes = gauge("weir_rocksdb_bytes", "Size of the shard's table on disk.")
        self.tx_in_flight = gauge("weir_tx_in_flight", "1 while a unit of work runs.")
        self.state = gauge(
            "weir_shard_state", "1 for the state that the shard is in.", ("shard", "state")
        )
        self.events = counter("weir_events_total", "Source records taken.")
        self.steps = counter("weir_steps_total", "Events learnt from or predicted.")
        self.quarantined = counter(
            "weir_quarantined_total", "Records sent to quarantine.", ("shard", "reason")
        )
        self.over_quota = counter(
            "weir_over_quota_total",
            "Records sent to quarantine because they were beyond a quota.",
            ("shard", "tenant", "reason"),
        )
        self.key_store_failures = Counter(
            "weir_key_store_failures_total",
            "Times that the key store did not answer.",
            registry=self.registry,
        )
        self.units = counter("weir_units_of_work_total", "Transactions committed.")
        self.checkpoints = counter("weir_checkpoints_total", "Checkpoints of the cells' state.")
        self.late_labels = counter(
            "weir_late_labels_total", "Labels learnt with the observation that was kept for them."
        )
        self.repeats = counter(
            "weir_repeated_events_total", "Events that came again and were not learnt twice."
        )
        self.dropped = counter(
            "weir_observations_dropped_total",
            "Observations let go of before their label came: too old (ttl) or too many (size).",
            ("shard", "cause"),
        )
        self.snapshots = counter(
            "weir_snapshots_total",
            "Snapshots of the shard's state: taken, or failed.",
            ("shard", "outcome"),
        )
        self.retries = counter(
            "weir_commit_retries_total", "Calls of commits that were repeated: the broker was slow."
        )
        self.batch = histogram("weir_batch_events", "Events in a unit of work.", BATCH_BUCKETS)
        self.stages = {
            stage: histogram(f"weir_{stage}_seconds", f"Time a unit of work spends: {what}.")
            for stage, what in (
                ("decode", "decoding events into columns"),
                ("kernel", "learning and predicting"),
                ("audit", "hashing and chaining audit records"),
                ("encode", "encoding outputs"),
                ("commit", "committing the Kafka transaction"),
                ("table", "writing the table"),
            )
        }
        self.end_to_end = histogram(
            "weir_end_to_end_seconds",
            "From the oldest record's Kafka timestamp to the commit of its outputs.",
            END_TO_END_BUCKETS,
        )
        self.cell = {
            name: gauge(f"weir_{name}", documentation, CELL)
            for name, documentation in CELL_GAUGES.items()
        }
        self.chain_height = gauge("weir_chain_height", "Records in the audit log.", CELL)
        self.alarms = counter("weir_alarms_total", "Times that the margin fell below 0.", CELL)
        self.requests = counter(
            "weir_http_requests_total", "HTTP requests answered.", ("route", "status")
        )
        self.request_seconds = histogram(
            "weir_http_request_seconds", "From an HTTP request to its answer.", labels=("route",)
        )
        self.streams = StreamMetrics(self.registry, pace)
        self._alarms: dict[tuple[str, str], int] = {}
        self._seen: set[tuple[str, str]] = set()

    def _gauge(self, name: str, documentation: str, labels: tuple[str, ...] = SHARD) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)

    def _counter(self, name: str, documentation: str, labels: tuple[str, ...] = SHARD) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def _histogram(
        self,
        name: str,
        documentation: str,
        buckets: tuple[float, ...] = STAGE_BUCKETS,
        labels: tuple[str, ...] = SHARD,
    ) -> Histogram:
        return Histogram(name, documentation, labels, buckets=buckets, registry=self.registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """An HTTP request has been answered."""
        self.requests.labels(route, status).inc()
        self.request_seconds.labels(route).observe(seconds)

    # -- Observer ---------------------------------------------------------------------------------

    def restoring(self, shard: int | str, share: float) -> None:
        """A share of the changelog has been applied."""
        self.restore_progress.labels(shard).set(share)

    def restored(self, shard: Shard, records: int, stepped: int, seconds: float) -> None:  # noqa: ARG002 - the log has them
        """The shard is ready."""
        self.restore_progress.labels(shard.label).set(1.0)
        for tenant, cell in shard.engine.tenants.items():
            # Alarms of the past were counted when they happened, perhaps by another worker.
            self._alarms[str(shard.label), tenant] = int(cell.describe()["alarms"])

    def snapshot(self, shard: int, *, taken: bool) -> None:
        """A snapshot was taken, or could not be."""
        self.snapshots.labels(shard, "taken" if taken else "failed").inc()

    def standby(self, shard: int | str, lag: float | None) -> None:
        """A standby has so many records to go; None: it is not this worker's any more."""
        if lag is not None:
            self.standby_lag.labels(shard).set(lag)
            return
        with contextlib.suppress(KeyError):
            self.standby_lag.remove(str(shard))

    def closed(self, shard: Shard) -> None:
        """The shard is another worker's now: what was last seen of it must not stand for ever."""
        number = str(shard.label)
        for metric in (
            self.lag,
            self.committed_offset,
            self.end_offset,
            self.restore_progress,
            self.rocksdb_bytes,
            self.tx_in_flight,
        ):
            with contextlib.suppress(KeyError):
                metric.remove(number)
        for state in ShardState:
            with contextlib.suppress(KeyError):
                self.state.remove(number, state.value)
        for key in [key for key in self._seen if key[0] == number]:
            self._forget(key)

    def _forget(self, cell: tuple[str, str]) -> None:
        """Drop the gauges of a cell that is not here any more."""
        self._seen.discard(cell)
        self._alarms.pop(cell, None)
        for gauge in (*self.cell.values(), self.chain_height):
            gauge.remove(*cell)

    def committed(self, shard: Shard, unit: UnitOfWork, oldest_timestamp_ms: int) -> None:
        """A unit of work has committed."""
        label = shard.label
        self.events.labels(label).inc(unit.records)
        self.steps.labels(label).inc(unit.steps)
        self.units.labels(label).inc()
        self.retries.labels(label).inc(unit.retries)
        self.late_labels.labels(label).inc(unit.late_labels)
        self.repeats.labels(label).inc(unit.repeats)
        for cause, count in unit.dropped.items():
            self.dropped.labels(label, cause).inc(count)
        self.batch.labels(label).observe(unit.records)
        self.committed_offset.labels(label).set(unit.next_offset)
        if unit.is_checkpoint:
            self.checkpoints.labels(label).inc()
        for stage, histogram in self.stages.items():
            if stage in unit.seconds:
                histogram.labels(label).observe(unit.seconds[stage])
        self.end_to_end.labels(label).observe(max(0.0, time.time() - oldest_timestamp_ms / 1000))
        for reason, count in unit.quarantined.items():
            self.quarantined.labels(label, reason).inc(count)

        for (tenant, reason), count in unit.over_quota.items():
            self.over_quota.labels(label, tenant, reason).inc(count)

    def key_store_failed(self) -> None:
        """The key store did not answer."""
        self.key_store_failures.inc()

    def _describe(self, shard: str, tenant: str, values: dict[str, float]) -> None:
        for name, gauge in self.cell.items():
            gauge.labels(shard, tenant).set(values[name])
        ended = int(values["alarms"])
        self.alarms.labels(shard, tenant).inc(ended - self._alarms.get((shard, tenant), 0))
        self._alarms[shard, tenant] = ended

    # -- what is looked at now and then -----------------------------------------------------------

    def looked_at(self, shard: Shard, end_offset: int | None) -> None:
        """A shard was looked at, and its source partition found to end at an offset.

        Not at each unit of work: of a shard of many tenants that would cost more than the unit.
        """
        if end_offset is not None:
            self.end_offset.labels(shard.label).set(end_offset)
            self.lag.labels(shard.label).set(max(0, end_offset - (shard.next_offset or 0)))
        self.rocksdb_bytes.labels(shard.label).set(shard.store.size_bytes())
        tenants = shard.engine.tenants
        for key in [key for key in self._seen if key[0] == str(shard.label)]:
            if key[1] not in tenants:
                self._forget(key)
        for tenant, cell in tenants.items():
            self._seen.add((str(shard.label), tenant))
            self._describe(str(shard.label), tenant, cell.describe())
            self.chain_height.labels(shard.label, tenant).set(shard.engine.chain(tenant).size)
        self.tx_in_flight.labels(shard.label).set(shard.state is ShardState.RUNNING)
        for state in ShardState:
            self.state.labels(shard.label, state.value).set(shard.state is state)
