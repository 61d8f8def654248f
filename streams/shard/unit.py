"""What one Kafka transaction commits for one shard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class Message(TypedDict):
    """One message, as the client library takes it: making it anew for each costs as much again."""

    key: bytes | None
    value: bytes


Headers = list[tuple[str, bytes]]


@dataclass(slots=True)
class UnitOfWork:
    """Outputs, changed state and the source offset that both have reached.

    Attributes:
        next_offset: source offset after the last record of the unit.
        records: source records taken.
        outputs: topic role (``predictions``, ``audit``, ``audit-checkpoints``) → messages, in
            order.
        quarantine: keyed values with headers, for the ``quarantine`` topic.
        state: table key → value, None to delete; the same go to the changelog.
        is_checkpoint: the state holds the cells' arrays, not the chain heads alone.
        steps: events learnt from or predicted.
        quarantined: records refused, by reason.
        over_quota: those of them that were beyond a quota, by tenant and reason.
        erased: tenants that it erases.
        retries: calls of the commit that were repeated.
        repeats: events that came again and were not learnt twice.
        late_labels: labels learnt with a stored observation.
        dropped: observations that were let go of without their label, by cause.
        seconds: what each stage took, for the metrics only.
    """

    next_offset: int
    records: int
    outputs: dict[str, list[Message]] = field(default_factory=dict)
    quarantine: list[tuple[bytes | None, bytes, Headers]] = field(default_factory=list)
    state: dict[bytes, bytes | None] = field(default_factory=dict)
    is_checkpoint: bool = False
    steps: int = 0
    erased: tuple[str, ...] = ()
    retries: int = 0
    repeats: int = 0
    late_labels: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    over_quota: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
