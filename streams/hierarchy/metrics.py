"""Prometheus metrics of the token stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from operators.hierarchy.pace import STEPS, PaceConfig
from streams.hierarchy.logs.records import NAMES
from streams.hierarchy.observer import (
    BoundaryType,
    PredictionType,
    Recovery,
    StreamObserver,
)

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from streams.hierarchy.observer import (
        Encoded,
        Ended,
        Failed,
        Paced,
        Taken,
        Updated,
        Verdict,
    )

# Seconds; the budgets of a token (0.05) and of an update (0.2) are among them.
BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_MS: Final = 1_000.0


class StreamMetrics(StreamObserver):
    """Counts what happens to the worker's streams, and what their logs lose.

    Args:
        registry: of the worker.
        pace: its budgets.
    """

    def __init__(self, registry: CollectorRegistry, pace: PaceConfig | None = None) -> None:
        self._pace = pace or PaceConfig()
        self.tokens = Counter("weir_tokens_total", "Tokens taken.", registry=registry)
        self.token_seconds = Histogram(
            "weir_token_seconds",
            "From when the worker has a token until it is encoded; a token each.",
            buckets=BUCKETS,
            registry=registry,
        )
        self.update_seconds = Histogram(
            "weir_hierarchical_update_seconds",
            "Time that an update of sentences, paragraphs, topics or the document takes.",
            buckets=BUCKETS,
            registry=registry,
        )
        self.over_budget = Counter(
            "weir_over_budget_total",
            "Tokens and updates over budget.",
            ("what",),
            registry=registry,
        )
        self.step = Gauge(
            "weir_pace_step",
            "What is done less: 0 nothing, 1 larger chunks, 2 also fewer partials, 3 no topics.",
            registry=registry,
        )
        self.step_changes = Counter(
            "weir_pace_changes_total", "Changes of that step.", ("step",), registry=registry
        )
        self.load = Gauge(
            "weir_pace_load", "Worst of latencies and backlog as a share of its budget.",
            registry=registry,
        )  # fmt: skip
        self.partitions_paused = Gauge(
            "weir_token_partitions_paused", "Partitions of tokens that wait.", registry=registry
        )
        self.verdicts = Counter(
            "weir_stream_verdicts_total", "Verdicts of streams.", ("type",), registry=registry
        )
        self.revisions = Counter(
            "weir_span_revisions_total",
            "Spans of partial verdicts that a later verdict changed or withdrew.",
            registry=registry,
        )
        self.boundaries = Counter(
            "weir_boundaries_total", "Sentences, paragraphs, topics ended.", ("type",),
            registry=registry,
        )  # fmt: skip
        self.late = Counter(
            "weir_late_pieces_total", "Pieces of streams that had ended.", registry=registry
        )
        self.failures = Counter(
            "weir_stream_failures_total", "Failed steps of streams, by what was done.",
            ("recovery",), registry=registry,
        )  # fmt: skip
        self.records = Counter(
            "weir_stream_log_records_total", "Records written to the stream logs.", ("log",),
            registry=registry,
        )  # fmt: skip
        self.dropped = Counter(
            "weir_stream_log_dropped_total",
            "Records that are not in the stream logs: the queue was full, the disk refused them, "
            "or they could not be encoded.",
            ("log", "reason"),
            registry=registry,
        )
        self._paused: set[int] = set()
        self._at_zero()

    def _at_zero(self) -> None:
        """Let each series be there before it first counts: rates need a value to start from."""
        for what in ("token", "update"):
            self.over_budget.labels(what)
        for step in STEPS:
            self.step_changes.labels(step.value)
        for kind in PredictionType:
            self.verdicts.labels(kind.value)
        for boundary in BoundaryType:
            self.boundaries.labels(boundary.value)
        for recovery in Recovery:
            self.failures.labels(recovery.value)
        for name in NAMES:
            self.records.labels(name)
            self.dropped.labels(name, "queue")

    # -- StreamObserver ---------------------------------------------------------------------------

    def taken(self, what: Taken) -> None:
        """Count tokens."""
        self.tokens.inc(len(what.ids))

    def sent(self, what: Verdict) -> None:
        """Count a verdict, and spans that it took back."""
        self.verdicts.labels(what.type.value).inc()
        self.revisions.inc(what.revised + what.withdrawn)

    def encoded(self, what: Encoded) -> None:
        """Observe tokens; those of one call took no longer than the slowest of them."""
        for _ in range(what.tokens):
            self.token_seconds.observe(what.seconds)
        if what.seconds * _MS > self._pace.token_ms:
            self.over_budget.labels("token").inc(what.tokens)

    def updated(self, what: Updated) -> None:
        """Observe an update."""
        self.update_seconds.observe(what.seconds)
        if what.seconds * _MS > self._pace.update_ms:
            self.over_budget.labels("update").inc()

    def ended(self, what: Ended) -> None:
        """Count a boundary."""
        self.boundaries.labels(what.type.value).inc()

    def left_out(self, pieces: int) -> None:
        """Count pieces that came too late."""
        self.late.inc(pieces)

    def failed(self, what: Failed) -> None:
        """Count a failure."""
        self.failures.labels(what.recovery.value).inc()

    def paced(self, what: Paced) -> None:
        """Show the step and the load."""
        self.step.set(STEPS.index(what.step))
        self.load.set(what.load)
        if what.step is not what.before:
            self.step_changes.labels(what.step.value).inc()

    def paused(self, partition: int, *, paused: bool) -> None:
        """Show how many partitions wait."""
        if paused:
            self._paused.add(partition)
        else:
            self._paused.discard(partition)
        self.partitions_paused.set(len(self._paused))

    # -- Counts of the logs -----------------------------------------------------------------------

    def logged(self, name: str, records: int) -> None:
        """Records of a log have been written."""
        self.records.labels(name).inc(records)

    def log_dropped(self, name: str, reason: str, records: int) -> None:
        """Records of a log are not in it."""
        self.dropped.labels(name, reason).inc(records)
