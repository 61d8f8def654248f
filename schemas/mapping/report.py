"""What a check of a mapping against samples has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class Failure:
    """One kind of failure; the detail names field and type and quotes nothing.

    Attributes:
        reason: reason code, as quarantine would have it.
        detail: what is wrong, in words.
        count: in how many samples.
        positions: where the first of them stand.
    """

    reason: str
    detail: str
    count: int = 0
    positions: list[str] = field(default_factory=list)


@dataclass
class FieldReport:
    """One path that the mapping reads.

    Attributes:
        path: as the mapping has it.
        present: in how many of the decoded samples it led to a value.
        share: the same as a share of them, 0 to 1.
        types: how many values of which type were there.
        members: how many different members it led to; more than 1 only for a glob.
    """

    path: str
    present: int = 0
    share: float = 0.0
    types: dict[str, int] = field(default_factory=dict)
    members: int = 0


@dataclass
class PartReport:
    """One part of the mapping file.

    Attributes:
        place: where it stands, such as ``features.numbers[2]``; ``source`` is the decoding.
        fields: what it reads; empty where it reads no field.
        failed: in how many samples it failed.
        failures: by kind, the most frequent first.
    """

    place: str
    fields: list[FieldReport] = field(default_factory=list)
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass
class Spread:
    """Smallest, mean and largest of some numbers."""

    least: float
    mean: float
    most: float


@dataclass
class LabelReport:
    """The labels of the events.

    Attributes:
        labelled: how many events have one.
        unlabelled: how many have none.
        spread: of the labels, None without any.
        counts: how many events have which label; None where there are too many different ones.
    """

    labelled: int
    unlabelled: int
    spread: Spread | None
    counts: dict[str, int] | None


@dataclass
class CheckReport:
    """What a check of a mapping against samples has found.

    Attributes:
        samples: how many were looked at.
        mapped: how many became events.
        parts: the mapping, part by part.
        unused: members of the samples that the mapping does not use, and in what share of the
            samples they are; the most frequent first.
        features: number of features an event.
        label: the labels.
        tenants: how many different tenants.
        ids: how many different ids (with their tenants).
        duplicates: how many events have tenant, id and event_id of an earlier one.
        first_time: earliest event time, ISO 8601; None without events.
        last_time: the latest.
        warnings: what is no error but rarely meant, in words.
        preview: the first events, vectors unpacked. They hold the data itself.
    """

    samples: int
    mapped: int
    parts: list[PartReport]
    unused: dict[str, float]
    features: Spread | None
    label: LabelReport
    tenants: int
    ids: int
    duplicates: int
    first_time: str | None
    last_time: str | None
    warnings: list[str]
    preview: list[Event]

    @property
    def failed(self) -> int:
        """How many samples did not become events."""
        return self.samples - self.mapped

    @property
    def ok(self) -> bool:
        """Whether there were samples and all of them became events."""
        return self.samples > 0 and self.failed == 0

    def as_dict(self) -> dict[str, Any]:
        """The report in types that JSON has."""
        return {"ok": self.ok, "failed": self.failed, **asdict(self)}
