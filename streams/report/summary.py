"""What days of stream logs say, taken in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operators.hierarchy.pace import STEPS, PaceConfig
from streams.hierarchy.observer import Metric, PredictionType
from streams.report.lines import Damage, Damaged, Fields, find, read
from streams.report.timeline import Latencies, Timeline, counted, latencies
from streams.report.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

KINDS: Final = 200
"""Different names of one sort that are told apart; the rest is `OTHER`."""

OTHER: Final = "(other)"
LATEST: Final = 20
SHOWN: Final = 200
"""Intervals that are shown, at most."""

VERDICT: Final = "verdict"
CACHES: Final = "caches"
_SESSIONS: Final = 1_000


class Period(NamedTuple):
    """Times that count, in seconds since 1970; a half-open range.

    Attributes:
        since: the first.
        until: the one after the last.
    """

    since: float = 0.0
    until: float = float("inf")

    def has(self, timestamp: float) -> bool:
        """Whether a time counts."""
        return self.since <= timestamp < self.until


class Happened(NamedTuple):
    """A failure, for the list of the latest.

    Attributes:
        timestamp: when.
        stream: whose.
        what: what was being done.
        exception: its class.
        action: what was done.
        recovered: whether the stream went on.
    """

    timestamp: float
    stream: str
    what: str
    exception: str
    action: str
    recovered: bool


class Summary:
    """All figures of a report.

    Args:
        budgets: milliseconds of a token and of an update, to compare with.

    Attributes:
        files: that were read.
        lines: records that counted, by log.
        damage: what could not be used.
        first: time of the earliest record.
        last: time of the latest.
        sessions: records by session.
        tokens: taken, over time.
        latency: over time: of tokens, of updates, of verdicts.
        steps: windows by step, over time.
        load: greatest share of the budgets, waiting tokens and megabytes of caches, over time.
        dropped: records that the logs lack, by log and reason.
        pauses: of partitions, over time.
        verdicts: by type, and spans revised and withdrawn, over time.
        judged: partial verdicts against final ones.
        boundaries: by type, over time.
        boundary_kinds: by type and detector.
        boundary_confidence: sum of theirs.
        failures: by what was done, over time.
        failure_kinds: by what was being done, class, action and outcome.
        latest: the latest failures.
    """

    def __init__(self, budgets: PaceConfig | None = None) -> None:
        self.budgets = budgets or PaceConfig()
        self.files = 0
        self.lines: Counter[str] = Counter()
        self.damage = Damage()
        self.first = float("inf")
        self.last = 0.0
        self.sessions: Counter[str] = Counter()
        self.tokens = counted()
        self.latency: Mapping[str, Timeline[Latencies]] = {
            name: latencies() for name in (Metric.TOKEN, Metric.UPDATE, VERDICT)
        }
        self.steps = counted()
        self.load: Timeline[dict[str, float]] = Timeline(dict, _greatest)
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.pauses = counted()
        self.verdicts = counted()
        self.judged = Verdicts()
        self.boundaries = counted()
        self.boundary_kinds: Counter[tuple[str, str]] = Counter()
        self.boundary_confidence: dict[tuple[str, str], float] = {}
        self.failures = counted()
        self.failure_kinds: Counter[tuple[str, ...]] = Counter()
        self.latest: deque[Happened] = deque(maxlen=LATEST)
        self._takes: Mapping[str, Callable[[float, Fields], None]] = {
            "input_stream": self._input,
            "model_state": self._state,
            "predictions": self._prediction,
            "performance": self._performance,
            "failures": self._failure,
            "boundaries": self._boundary,
        }

    def read(
        self,
        folders: Iterable[Path],
        period: Period = Period(),  # noqa: B008 - a value that cannot be changed
        say: Callable[[Path, int], None] = lambda path, read: None,  # noqa: ARG005 - says nothing
    ) -> None:
        """Take all that log files in folders hold.

        Args:
            folders: with the files.
            period: what counts.
            say: told of each file before it is read, and how many lines have been.
        """
        for name, path in find(folders):
            self.files += 1
            say(path, sum(self.lines.values()))
            for number, record in read(path, name.log, self.damage):
                timestamp = record.number("timestamp")
                if not period.has(timestamp):
                    continue
                try:
                    self._takes[name.log](timestamp, record)
                    session, _ = record.stream
                except Damaged as error:
                    self.damage.note(name.log, error.kind, f"{path.name}:{number}")
                    continue
                self.lines[name.log] += 1
                self.first = min(self.first, timestamp)
                self.last = max(self.last, timestamp)
                self.sessions[_known(self.sessions, session, _SESSIONS)] += 1
        over_time: tuple[Timeline[Any], ...] = (
            self.tokens,
            self.steps,
            self.load,
            self.pauses,
            self.verdicts,
            self.boundaries,
            self.failures,
            *self.latency.values(),
        )
        for timeline in over_time:
            timeline.coarsen((self.last - self.first) / SHOWN)  # those of rare things, too

    # -- one record of each log -------------------------------------------------------------------

    def _input(self, timestamp: float, record: Fields) -> None:
        record.count("token_position")
        self.tokens.at(timestamp)["tokens"] += 1

    def _state(self, timestamp: float, record: Fields) -> None:
        megabytes = record.number("cache_size_mb")
        _greatest(self.load.at(timestamp), {CACHES: megabytes})

    def _prediction(self, timestamp: float, record: Fields) -> None:
        kind = record.text("prediction_type")
        latency = record.number("latency_ms")
        metadata = record.inner("metadata")
        counts = {what: metadata.count(what, 0) for what in ("revised", "withdrawn")}
        self.judged.take(record)
        known = PredictionType.FINAL if kind == PredictionType.FINAL else PredictionType.PARTIAL
        self.verdicts.at(timestamp).update({known.value: 1, **counts})
        self.latency[VERDICT].at(timestamp).add(latency, 1, float("inf"))

    def _performance(self, timestamp: float, record: Fields) -> None:
        name = record.text("metric_name")
        value = record.number("metric_value")
        context = record.inner("context")
        if name == Metric.TOKEN:
            tokens = max(1, context.count("tokens", 1))
            self.latency[name].at(timestamp).add(value, tokens, self.budgets.token_ms)
        elif name == Metric.UPDATE:
            self.latency[name].at(timestamp).add(value, 1, self.budgets.update_ms)
        elif name == Metric.PACE:
            step = context.text("step")
            if step in STEPS:
                self.steps.at(timestamp)[step] += 1
        elif name in {Metric.LOAD, Metric.WAITING}:
            _greatest(self.load.at(timestamp), {name: value})
        elif name == Metric.PAUSED:
            self.pauses.at(timestamp)["paused" if value else "resumed"] += 1
        elif name == Metric.DROPPED:
            key = (context.text("log"), context.text("reason"))
            self.dropped[_known(self.dropped, key, KINDS, (OTHER, OTHER))] += record.count(
                "metric_value"
            )

    def _failure(self, timestamp: float, record: Fields) -> None:
        recovered = record.values.get("recovery_success")
        if not isinstance(recovered, bool):
            raise Damaged("fields missing or of the wrong type")
        happened = Happened(
            timestamp,
            record.stream[1],
            record.text("failure_type"),
            record.text("exception").partition(":")[0],  # its message may be raw
            record.text("recovery_action"),
            recovered,
        )
        key = (*happened[2:5], "yes" if recovered else "no")
        self.failure_kinds[_known(self.failure_kinds, key, KINDS, (OTHER,) * 4)] += 1
        self.failures.at(timestamp)["recovered" if recovered else "ended"] += 1
        self.latest.append(happened)

    def _boundary(self, timestamp: float, record: Fields) -> None:
        key = (record.text("boundary_type"), record.text("detected_by"))
        confidence = record.number("confidence")
        key = _known(self.boundary_kinds, key, KINDS, (OTHER, OTHER))
        self.boundary_kinds[key] += 1
        self.boundary_confidence[key] = self.boundary_confidence.get(key, 0.0) + confidence
        self.boundaries.at(timestamp)[key[0]] += 1


def whole(timeline: Timeline[Latencies]) -> Latencies:
    """All latencies of a timeline together."""
    together = Latencies()
    for _, some in timeline:
        together.merge(some)
    return together


def total(timeline: Timeline[Counter[Any]]) -> Counter[Any]:
    """All counts of a timeline together."""
    together: Counter[Any] = Counter()
    for _, some in timeline:
        together.update(some)
    return together


def _greatest(one: dict[str, float], other: Mapping[str, float]) -> None:
    for name, value in other.items():
        one[name] = max(value, one.get(name, 0.0))


def _known(counts: Mapping[Any, Any], key: Any, most: int, other: Any = OTHER) -> Any:
    """The key, or what stands for all that are one too many."""
    return key if key in counts or len(counts) < most else other
