"""Trying a mapping on samples, before a topic is mapped with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import BadMessage
from schemas.mapping.mapper import finished
from schemas.mapping.report import CheckReport
from schemas.mapping.tally import EventTally, FailureTally, FieldTally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.mapping.mapper import Mapper
    from schemas.mapping.origin import Origin
    from schemas.mapping.steps import Event


@dataclass(frozen=True)
class Sample:
    """One message or row to try.

    Attributes:
        origin: where it comes from.
        value: bytes of a Kafka message (None: a tombstone), or the fields of a row, or why the row
            could not be read.
    """

    origin: Origin
    value: bytes | dict[str, Any] | BadMessage | None


def check(mapper: Mapper, samples: Iterable[Sample], preview: int = 3) -> CheckReport:
    """Map samples and say what came of it.

    Every part of the mapping is tried on every sample, also when another part has failed on it.

    Args:
        mapper: the mapping.
        samples: as many as should be looked at. Their ids are kept in memory until the end.
        preview: how many events to show. 0 keeps all data out of the report.

    Raises:
        RegistryUnavailable: or what else the mapper's ``schema_lookup`` raises, but ``BadMessage``.
    """
    count = 0
    failures = FailureTally()
    fields = FieldTally(mapper.steps)
    events = EventTally(preview)
    for sample in samples:
        count += 1
        try:
            record = _decode(mapper, sample.value)
        except BadMessage as error:
            failures.add("source", error, sample.origin)
            continue
        fields.add(record)
        event = _try(mapper, record, sample.origin, failures)
        if event is not None:
            events.add(event)
    return CheckReport(
        samples=count,
        mapped=events.count,
        parts=fields.parts(failures),
        unused=fields.unused(),
        features=events.features(),
        label=events.label(),
        tenants=len(events.tenants),
        ids=len(events.ids),
        duplicates=events.duplicates,
        first_time=events.first_time(),
        last_time=events.last_time(),
        warnings=[*fields.warnings(), *events.warnings()],
        preview=events.preview,
    )


def _decode(mapper: Mapper, value: bytes | dict[str, Any] | BadMessage | None) -> dict[str, Any]:
    if isinstance(value, BadMessage):
        raise value
    return value if isinstance(value, dict) else mapper.decode(value)


def _try(
    mapper: Mapper, record: dict[str, Any], origin: Origin, failures: FailureTally
) -> Event | None:
    event = mapper.blank()
    good = True
    for step in mapper.steps:
        try:
            step.fill(record, origin, event)
        except BadMessage as error:
            failures.add(step.place, error, origin)
            good = False
    return finished(event) if good else None
