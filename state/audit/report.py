"""What a verifier has to say about a log: where it fails, where it alarms, and the outcome.

Tampering and alarms are different things. An honest log can hold an alarm: the margin fell below
zero, and the controller reacted as it must. A log that does not hold together, or whose alarm
had no reaction, was not written by the program, or was changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Locator(NamedTuple):
    """Where a record or checkpoint stands: a topic's partition and offset, or a file and place.

    Args:
        source: name of the topic, or of the file.
        partition: partition of the topic; ``None`` for a file.
        offset: offset in the partition, or number of the record in the file, from 0.
    """

    source: str
    partition: int | None
    offset: int

    def __str__(self) -> str:
        place = self.source if self.partition is None else f"{self.source}[{self.partition}]"
        return f"{place}@{self.offset}"


class Reason(StrEnum):
    """Why a log is refused; stable codes for scripts."""

    UNREADABLE = "UNREADABLE"
    """The file or message cannot be read as the schema says."""
    FORMAT = "FORMAT"
    """The record is of a format that this verifier does not know."""
    LEAF_HASH = "LEAF_HASH"
    """``curr`` is not the hash of the leaf: the record was edited."""
    CHAIN = "CHAIN"
    """``prev`` is not ``curr`` of the record before: records were edited, dropped or reordered."""
    STEP = "STEP"
    """Step numbers do not go up by one from 1."""
    NON_FINITE = "NON_FINITE"
    """A field that is finite in every honest record is NaN or infinite."""
    PROBE_BOUND = "PROBE_BOUND"
    """More probes were counted than the configured constants allow."""
    RJ_POLICY = "RJ_POLICY"
    """The level of the half-split policy does not fit the values it follows from."""
    NO_REACTION = "NO_REACTION"
    """The margin fell below zero and the gate was not stepped down at that step or the next."""
    CHECKPOINT_NOTE = "CHECKPOINT_NOTE"
    """The checkpoint's note is not a signed checkpoint."""
    CHECKPOINT_KEY = "CHECKPOINT_KEY"
    """None of the pinned keys signed the checkpoint."""
    CHECKPOINT_SIGNATURE = "CHECKPOINT_SIGNATURE"
    """A pinned key's signature does not fit the checkpoint."""
    CHECKPOINT_ORIGIN = "CHECKPOINT_ORIGIN"
    """The checkpoint was signed for another log."""
    CHECKPOINT_FIELDS = "CHECKPOINT_FIELDS"
    """The fields beside the note say something else than the note."""
    CHECKPOINT_ORDER = "CHECKPOINT_ORDER"
    """The checkpoint is smaller than one before it."""
    CHECKPOINT_ROOT = "CHECKPOINT_ROOT"
    """The records do not give the root that was signed."""
    CHECKPOINT_HEAD = "CHECKPOINT_HEAD"
    """The last record is not the chain head that was signed."""
    SHARD_ROOT = "SHARD_ROOT"
    """The shard's root in a checkpoint is not that of the cells' latest checkpoints."""
    SHARD_ORDER = "SHARD_ORDER"
    """The shard's root speaks of fewer records than one before it."""
    SNAPSHOTS = "SNAPSHOTS"
    """The shard counts a snapshot that no mark in the records tells of."""
    WITNESSED = "WITNESSED"
    """A checkpoint that was kept elsewhere does not fit the records: the log was forked."""
    TRUNCATED = "TRUNCATED"
    """The checkpoint covers more records than there are: the end of the log is missing."""


class Failure(NamedTuple):
    """One thing that does not hold.

    Args:
        reason: machine-readable code.
        locator: the record or checkpoint where it shows.
        step: step number of the record, or size of the checkpoint; ``None`` where unknown.
        detail: what is wrong, in words.
    """

    reason: Reason
    locator: Locator
    step: int | None
    detail: str

    def __str__(self) -> str:
        where = "" if self.step is None else f" (step {self.step})"
        return f"{self.reason} at {self.locator}{where}: {self.detail}"


class Alarm(NamedTuple):
    """One step whose margin was below zero."""

    locator: Locator
    step: int | None
    margin: float


class Outcome(StrEnum):
    """What to conclude; the first that applies, from the top."""

    TAMPERED = "TAMPERED"
    """Something does not hold: see the failures."""
    INCOMPLETE = "INCOMPLETE"
    """All that is there holds, and the end of it is not covered by a signed checkpoint."""
    ALARM = "ALARM"
    """Everything holds, and at some step the margin was below zero."""
    OK = "OK"
    """Everything holds."""


@dataclass(frozen=True)
class VerifyReport:
    """What one pass over the log of one cell found.

    Attributes:
        origin: name of the log.
        records: records read.
        steps: first and last step number; ``None`` for an empty log.
        root: RFC 6962 root over the records read, 32 bytes.
        head: leaf hash of the last record read, 32 bytes.
        checkpoints: checkpoints that hold.
        signed_size: records that the largest of them covers.
        alarms: the first steps whose margin was below zero.
        alarm_count: all of them.
        failures: the first things that do not hold.
        failure_counts: all of them, by reason.
    """

    origin: str
    records: int
    steps: tuple[int, int] | None
    root: bytes
    head: bytes
    checkpoints: int
    signed_size: int
    alarms: tuple[Alarm, ...]
    alarm_count: int
    failures: tuple[Failure, ...]
    failure_counts: Mapping[Reason, int]

    @property
    def unsigned_tail(self) -> int:
        """Records after the last checkpoint that holds."""
        return self.records - self.signed_size

    @property
    def outcome(self) -> Outcome:
        """What to conclude."""
        if self.failure_counts:
            return Outcome.TAMPERED
        if not self.checkpoints or self.unsigned_tail:
            return Outcome.INCOMPLETE
        return Outcome.ALARM if self.alarm_count else Outcome.OK
