"""Exports of the audit trail: written once, continued, and verified where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import StateError
from state.audit.chain import Chain
from state.audit.report import Outcome, Reason
from state.objects import ObjectStore
from streams import export as module
from streams.cli.audit_files import find_logs
from streams.export import export_log
from tests.unit.state.audit.conftest import honest_rows, make_signer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.audit.checkpoint import CheckpointNote
    from state.audit.report import VerifyReport

SIGNER = make_signer()


@dataclass
class GrowingLog:
    """A log in memory."""

    origin: str = "weir/acme/0"
    values: list[bytes] = field(default_factory=list)
    notes: list[CheckpointNote] = field(default_factory=list)
    chain: Chain = field(default_factory=lambda: Chain("weir/acme/0"))

    def append(self, count: int) -> None:
        """Append a unit of work."""
        at = len(self.values)
        rows: Any = honest_rows(at + count)[at:]
        self.values += self.chain.append(rows)
        self.notes.append(self.chain.checkpoint(SIGNER))

    def records(self) -> Iterator[bytes]:
        """Yield the records."""
        return iter(self.values)

    def checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints."""
        return iter(self.notes)

    def shard_checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the same."""
        return iter(self.notes)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several objects from few records."""
    monkeypatch.setattr(module, "SEGMENT", 4)


def verified(folder: Path) -> VerifyReport:
    [log] = find_logs([folder])
    return log.verify([SIGNER.verifier], lambda *_: None)


def test_an_export_verifies_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Each run adds objects; together they are the whole log."""
    log, store = GrowingLog(), ObjectStore(str(tmp_path))
    log.append(6)
    first = export_log(log, "acme", 0, store)
    assert (first.first, first.records, len(first.objects)) == (0, 6, 3)
    before = {name: store.get(name) for name in store.names()}
    log.append(5)
    second = export_log(log, "acme", 0, store)
    assert (second.first, second.records) == (6, 5)
    assert {name: store.get(name) for name in before} == before
    report = verified(tmp_path)
    assert (report.outcome, report.records, report.checkpoints) == (Outcome.OK, 11, 2)
    assert export_log(log, "acme", 0, store).objects == ()


def test_an_export_that_broke_off_is_taken_up(tmp_path: Path) -> None:
    """Objects without their checkpoints are kept, and what lacks is added."""
    log, store = GrowingLog(), ObjectStore(str(tmp_path))
    log.append(10)
    written = export_log(log, "acme", 0, store)
    for name in written.objects[1:]:
        store.delete(name)
    again = export_log(log, "acme", 0, store)
    assert (again.first, again.records) == (4, 6)
    assert verified(tmp_path).outcome is Outcome.OK


def test_only_what_is_signed_is_exported(tmp_path: Path) -> None:
    """Records whose checkpoint is still to come wait for the next export."""
    log = GrowingLog()
    log.append(3)
    log.append(3)
    del log.notes[-1]
    assert export_log(log, "acme", 0, ObjectStore(str(tmp_path))).records == 3
    assert verified(tmp_path).outcome is Outcome.OK


def test_a_trail_that_lost_its_end_is_not_exported_over(tmp_path: Path) -> None:
    """Where the objects hold more than the topics, the topics were changed."""
    log, store = GrowingLog(), ObjectStore(str(tmp_path))
    log.append(3)
    log.append(3)
    export_log(log, "acme", 0, store)
    del log.values[3:], log.notes[1:]
    assert export_log(log, "acme", 0, store).records == 0
    log.notes.clear()
    store.delete(next(name for name in store.names() if "checkpoints" in name))
    with pytest.raises(StateError, match="cut off or are others"):
        export_log(log, "acme", 0, store)


def test_a_trail_with_a_hole_is_not_exported(tmp_path: Path) -> None:
    """Records that a checkpoint speaks of and that are not there are an error."""
    log = GrowingLog()
    log.append(6)
    del log.values[5:]
    with pytest.raises(StateError, match="cut off"):
        export_log(log, "acme", 0, ObjectStore(str(tmp_path)))


def test_an_object_that_is_missing_is_found(tmp_path: Path) -> None:
    """A gap between objects is a gap in the log."""
    log, store = GrowingLog(), ObjectStore(str(tmp_path))
    log.append(12)
    written = export_log(log, "acme", 0, store)
    store.delete(written.objects[1])
    assert verified(tmp_path).failure_counts[Reason.CHAIN] == 1
