"""The trail of a shard is verified as it lies on its topics: tenants mixed, and perhaps growing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from schemas.codec import Codec
from state.audit.chain import Chain
from state.audit.checkpoint import origin_of
from state.audit.report import Outcome, Reason
from streams.audit_reader import AuditTopics, ShardAudit
from streams.kafka.reader import Record
from tests.unit.state.audit.conftest import honest_rows, make_signer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.audit.report import VerifyReport

TOPICS = AuditTopics("audit", "audit-checkpoints", "weir")
SHARD = 2
SIGNER = make_signer("weir", 1)
WIRE_HEADER = b"\x00\x00\x00\x00\x07"


@dataclass
class Partition:
    """One partition of one topic; from ``hidden`` on it shows after ``shows_at`` looks."""

    values: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    hidden: int | None = None
    shows_at: int = 0
    looks: int = 0

    def bounds(self, _topic: str, _partition: int) -> tuple[int, int]:
        """Offsets that can be read at this look."""
        self.looks += 1
        if self.hidden is not None and self.looks <= self.shows_at:
            return 0, self.hidden
        return 0, len(self.values)

    def read(
        self, _topic: str, _partition: int, start: int | None, stop: int
    ) -> Iterator[list[Record]]:
        """Batches of three, so that units of work and batches do not coincide."""
        offsets = range(start or 0, stop)
        for first in offsets[::3]:
            inside = range(first, min(first + 3, stop))
            yield [Record(offset, 0, *self.values[offset]) for offset in inside]


class Trail:
    """Both partitions of a shard."""

    def __init__(self) -> None:
        self.records = Partition()
        self.checkpoints = Partition()
        self.chains: dict[str, Chain] = {}
        self._encode = Codec("audit_checkpoint").encode

    def unit(self, *tenants: str, count: int = 4, header: bytes = b"") -> None:
        """Append a unit of work: records of the tenants in turns, then their checkpoints."""
        values: dict[str, list[bytes]] = {}
        for tenant in tenants:
            chain = self.chains.setdefault(tenant, Chain(origin_of("weir", tenant, SHARD)))
            rows = honest_rows(chain.size + count)[chain.size :]
            values[tenant] = chain.append(rows)
        for number in range(count):
            for tenant in tenants:
                value = header + values[tenant][number]
                self.records.values.append((tenant.encode(), value))
        for tenant in tenants:
            note = self.chains[tenant].checkpoint(SIGNER)
            value = header + self._encode(note.record(tenant, SHARD))
            self.checkpoints.values.append((tenant.encode(), value))

    def verify(self, tenant: str | None = None, patience_s: float = 0.3) -> list[VerifyReport]:
        """Read the trail once."""
        audit = ShardAudit(
            TOPICS,
            SHARD,
            self.records,
            self.checkpoints,
            [SIGNER.verifier],
            tenant=tenant,
            patience_s=patience_s,
        )
        self.progress: list[tuple[int, int]] = []
        reports = audit.verify(lambda *one: self.progress.append(one))
        assert sum(offsets for _, offsets in self.progress) == len(self.records.values)
        return reports


@pytest.fixture
def trail() -> Trail:
    """Six units of work of two tenants."""
    made = Trail()
    for tenants in (["a", "b"], ["a"], ["b"], ["a", "b"], ["b"], ["a"]):
        made.unit(*tenants)
    return made


def outcomes(reports: list[VerifyReport]) -> dict[str, Outcome]:
    return {report.origin: report.outcome for report in reports}


def test_each_tenant_has_a_verdict_of_its_own(trail: Trail) -> None:
    """Logs that lie mixed in one partition are told apart by tenant, all their records read."""
    reports = trail.verify()
    assert outcomes(reports) == {"weir/a/2": Outcome.OK, "weir/b/2": Outcome.OK}
    assert [(one.records, one.checkpoints) for one in reports] == [(16, 4), (16, 4)]
    assert [one.root for one in reports] == [trail.chains[name].root() for name in "ab"]


def test_one_tenant_can_be_chosen(trail: Trail) -> None:
    """Asked for one tenant, the verifier says nothing of the others."""
    assert outcomes(trail.verify("b")) == {"weir/b/2": Outcome.OK}


def test_wire_headers_are_no_part_of_what_is_verified() -> None:
    """A trail written with a schema registry verifies without one."""
    trail = Trail()
    trail.unit("a", header=WIRE_HEADER)
    assert outcomes(trail.verify()) == {"weir/a/2": Outcome.OK}


def test_damage_to_one_tenants_log_leaves_the_others_alone(trail: Trail) -> None:
    """A flipped bit condemns the log that it is in, names the offset, and no other log."""
    key, value = trail.records.values[5]
    assert value is not None
    trail.records.values[5] = key, value[:40] + bytes([value[40] ^ 1]) + value[41:]
    a, b = trail.verify()
    assert (a.outcome, b.outcome) == (Outcome.OK, Outcome.TAMPERED)
    assert b.failures[0].locator == ("audit", SHARD, 5)
    assert Reason.LEAF_HASH in b.failure_counts


@pytest.mark.parametrize("value", [None, b"", b"junk"])
def test_a_record_that_is_none_is_reported(trail: Trail, value: bytes | None) -> None:
    """A message that is no record counts against the log whose key it bears."""
    trail.records.values[0] = (b"a", value)
    a, b = trail.verify()
    assert Reason.UNREADABLE in a.failure_counts
    assert b.outcome is Outcome.OK


@pytest.mark.parametrize("value", [None, b"", b"junk", b"\x00"])
def test_a_checkpoint_that_is_none_is_reported(trail: Trail, value: bytes | None) -> None:
    """A message that is no checkpoint counts against the log whose key it bears."""
    trail.checkpoints.values[0] = (b"a", value)
    a, b = trail.verify()
    assert a.failure_counts == {Reason.UNREADABLE: 1}
    assert a.failures[0].locator == ("audit-checkpoints", SHARD, 0)
    assert b.outcome is Outcome.OK


def test_a_message_without_a_key_is_not_passed_over(trail: Trail) -> None:
    """Records that name no tenant belong to no honest log, and are not simply left out."""
    trail.records.values.append((None, trail.records.values[0][1]))
    assert Outcome.OK not in [one.outcome for one in trail.verify() if "?" in one.origin]
    assert len(trail.verify()) == 3


def test_records_cut_off_at_the_end_are_found(trail: Trail) -> None:
    """A checkpoint of more records than there are says that the end of the log is missing."""
    del trail.records.values[-2:]
    a, b = trail.verify()
    assert Reason.TRUNCATED in a.failure_counts
    assert b.outcome is Outcome.OK


def test_a_flood_of_checkpoints_without_records_is_bounded(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trail whose records are gone is found out without all its checkpoints in memory."""
    monkeypatch.setattr("streams.audit_reader._MAX_WAITING", 3)
    trail.records.values.clear()
    reports = trail.verify()
    assert [one.outcome for one in reports] == [Outcome.TAMPERED, Outcome.TAMPERED]
    assert sum(one.failure_counts[Reason.TRUNCATED] for one in reports) == 3


def test_checkpoints_cut_off_at_the_end_are_found(trail: Trail) -> None:
    """Records that no checkpoint covers are counted as unsigned."""
    del trail.checkpoints.values[-1]
    a, b = trail.verify()
    assert (a.outcome, a.unsigned_tail) == (Outcome.INCOMPLETE, 4)
    assert b.outcome is Outcome.OK


def test_a_log_whose_checkpoints_are_gone_does_not_stop_the_others(trail: Trail) -> None:
    """Without any checkpoint a log is incomplete, however many the other tenants have."""
    kept = [one for one in trail.checkpoints.values if one[0] != b"a"]
    trail.checkpoints.values = kept
    assert outcomes(trail.verify()) == {
        "weir/a/2": Outcome.INCOMPLETE,
        "weir/b/2": Outcome.OK,
    }


@pytest.mark.parametrize("shows_at", [1, 2, 3])
def test_records_of_a_commit_that_shows_late_are_waited_for(trail: Trail, shows_at: int) -> None:
    """On a live stream checkpoints may show before their records: that is no truncation."""
    trail.records.hidden = len(trail.records.values) - 8
    trail.records.shows_at = shows_at
    assert set(outcomes(trail.verify(patience_s=30)).values()) == {Outcome.OK}


@pytest.mark.parametrize("shows_at", [1, 2, 3])
def test_checkpoints_of_a_commit_that_shows_late_are_waited_for(
    trail: Trail, shows_at: int
) -> None:
    """Records may show before their checkpoints too: that is no unsigned tail."""
    trail.checkpoints.hidden = len(trail.checkpoints.values) - 3
    trail.checkpoints.shows_at = shows_at
    reports = trail.verify(patience_s=30)
    assert set(outcomes(reports).values()) == {Outcome.OK}
    assert {one.unsigned_tail for one in reports} == {0}


def test_what_is_committed_meanwhile_is_left_for_the_next_time(trail: Trail) -> None:
    """Units of work behind the start neither fail nor count, but their checkpoints are there."""
    checkpoints = len(trail.checkpoints.values)
    records = len(trail.records.values)
    trail.unit("a", "b")
    late = trail.records.values[records:]
    del trail.records.values[records:]
    trail.checkpoints.hidden, trail.checkpoints.shows_at = checkpoints, 1
    assert late
    assert set(outcomes(trail.verify()).values()) == {Outcome.OK}
