"""Counting what a mapping reads, where it fails, and what events it gives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from schemas.mapping.path import Segments, leaves
from schemas.mapping.report import Failure, FieldReport, LabelReport, PartReport, Spread
from schemas.mapping.values import type_name
from schemas.packed import unpack_f64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.errors import BadMessage
    from schemas.mapping.origin import Origin
    from schemas.mapping.steps import Event, Step

_POSITIONS = 3  # of each kind of failure: enough to look one up
_UNUSED = 50  # members named, the most frequent first
_TRACKED = 10_000  # different members remembered: a map keyed by ids has as many as there are ids
_LABELS = 20  # different labels counted one by one; beyond that it is a regression
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Event times outside these years mean a wrong unit: seconds read as milliseconds give January 1970,
# milliseconds read as seconds the year 50,000.
_PLAUSIBLE_US = tuple(
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in (1980, 2100)
)


class FailureTally:
    """Failures by part of the mapping and by what was wrong."""

    def __init__(self) -> None:
        self._by_place: dict[str, dict[tuple[str, str], Failure]] = {}

    def add(self, place: str, error: BadMessage, origin: Origin) -> None:
        """Count one failure."""
        kinds = self._by_place.setdefault(place, {})
        failure = kinds.setdefault(
            (error.reason, error.detail), Failure(str(error.reason), error.detail)
        )
        failure.count += 1
        if len(failure.positions) < _POSITIONS:
            failure.positions.append(origin.position)

    def of(self, place: str) -> list[Failure]:
        """The failures of one part, the most frequent first."""
        return sorted(self._by_place.get(place, {}).values(), key=lambda one: -one.count)


class FieldTally:
    """What the mapping reads in records, and what it leaves."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._records = 0
        self._fields = {
            (step.place, index): FieldReport(selector.path.text)
            for step in steps
            for index, selector in enumerate(step.selectors)
        }
        self._members: dict[tuple[str, int], set[Segments]] = {key: set() for key in self._fields}
        self._unused: Counter[Segments] = Counter()

    def add(self, record: dict[str, Any]) -> None:
        """Count what is read from one record."""
        self._records += 1
        used: set[Segments] = set()
        for step in self._steps:
            for index, selector in enumerate(step.selectors):
                report = self._fields[step.place, index]
                members = self._members[step.place, index]
                found = list(selector.find(record))
                report.present += bool(found)
                for segments, value in found:
                    used.add(segments)
                    kind = type_name(value)
                    report.types[kind] = report.types.get(kind, 0) + 1
                    if len(members) < _TRACKED:
                        members.add(segments)
        # A list is used when a path leads into it.
        used |= {path[:end] for path in used for end in range(1, len(path))}
        for path, _ in leaves(record):
            if path not in used and (path in self._unused or len(self._unused) < _TRACKED):
                self._unused[path] += 1

    def parts(self, failures: FailureTally) -> list[PartReport]:
        """The mapping part by part; the decoding comes first."""
        reports = [_part("source", [], failures)]
        for step in self._steps:
            fields = [self._fields[step.place, index] for index in range(len(step.selectors))]
            for index, report in enumerate(fields):
                report.share = report.present / self._records if self._records else 0.0
                report.members = len(self._members[step.place, index])
            reports.append(_part(step.place, fields, failures))
        return reports

    def unused(self) -> dict[str, float]:
        """Members that nothing reads, with the share of records that have them."""
        return {
            ".".join(path): count / self._records
            for path, count in self._unused.most_common(_UNUSED)
        }

    def warnings(self) -> Iterator[str]:
        """Fields that no record has, misspelt more often than not."""
        for (place, _), report in self._fields.items():
            if self._records and not report.present:
                yield f"{place}: no sample has the field {report.path!r}; is its path right?"


class EventTally:
    """What the events are like."""

    def __init__(self, preview: int) -> None:
        self._wanted = preview
        self._times: list[int] = []  # earliest and latest
        self._features = _Sum()
        self._labels = _Sum()
        self._label_counts: Counter[float] = Counter()
        self._named: set[tuple[str, str, str]] = set()
        self.count = 0
        self.duplicates = 0
        self.tenants: set[str] = set()
        self.ids: set[tuple[str, str]] = set()
        self.preview: list[Event] = []

    def add(self, event: Event) -> None:
        """Count one event."""
        self.count += 1
        self.tenants.add(event["tenant"])
        self.ids.add((event["tenant"], event["id"]))
        name = (event["tenant"], event["id"], event["event_id"])
        self.duplicates += name in self._named
        self._named.add(name)
        times = (*self._times, event["time_us"])
        self._times = [min(times), max(times)]
        self._features.add(len(event["features"] or ()))
        if event["label"] is not None:
            self._labels.add(event["label"])
            if len(self._label_counts) <= _LABELS:
                self._label_counts[event["label"]] += 1
        if len(self.preview) < self._wanted:
            vectors = {
                part: unpack_f64(event[part]).tolist()
                for part in ("key", "value", "query")
                if event[part] is not None
            }
            self.preview.append(event | vectors)

    def features(self) -> Spread | None:
        """Number of features an event."""
        return self._features.spread()

    def label(self) -> LabelReport:
        """The labels."""
        few = len(self._label_counts) <= _LABELS
        counts = {repr(label): count for label, count in sorted(self._label_counts.items())}
        return LabelReport(
            labelled=self._labels.count,
            unlabelled=self.count - self._labels.count,
            spread=self._labels.spread(),
            counts=counts if few else None,
        )

    def first_time(self) -> str | None:
        """Earliest event time in ISO 8601."""
        return _written(self._times[0]) if self._times else None

    def last_time(self) -> str | None:
        """Latest event time in ISO 8601."""
        return _written(self._times[1]) if self._times else None

    def warnings(self) -> Iterator[str]:
        """What is no error but rarely meant."""
        if not self.count:
            return
        if self._times[0] < _PLAUSIBLE_US[0] or self._times[1] >= _PLAUSIBLE_US[1]:
            yield (
                f"time: events are from {self.first_time()} to {self.last_time()}; "
                "is the unit right?"
            )
        if self.duplicates:
            yield (
                f"event_id: {self.duplicates} events have tenant, id and event_id of an earlier "
                "one; a late label could not tell them apart"
            )
        if self._labels.count and len(self._label_counts) == 1:
            yield "label: every labelled event has the same label; there is nothing to tell apart"


class _Sum:
    """Smallest, mean and largest, one number at a time."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0.0
        self._least = float("inf")
        self._most = float("-inf")

    def add(self, number: float) -> None:
        self.count += 1
        self._total += number
        self._least = min(self._least, number)
        self._most = max(self._most, number)

    def spread(self) -> Spread | None:
        if not self.count:
            return None
        return Spread(self._least, self._total / self.count, self._most)


def _part(place: str, fields: list[FieldReport], failures: FailureTally) -> PartReport:
    own = failures.of(place)
    return PartReport(place, fields, sum(one.count for one in own), own)


def _written(time_us: int) -> str:
    """ISO 8601, or microseconds where the year is not one that Python writes."""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
    except OverflowError:
        return f"{time_us} µs"
