from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from schemas.registry import load
from state.audit.errors import BadAuditFile
from state.audit.files import (
    BLOCK_RECORDS,
    CheckpointFile,
    RecordFile,
    write_checkpoints,
    write_records,
)
from state.audit.leaf import RECORD_BYTES
from state.audit.report import Outcome, Reason
from state.audit.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.state.audit.conftest import Log


def test_any_avro_tool_reads_the_records(log: Log) -> None:
    """An exported log is data that people can look into without this program."""
    records, _ = log.export()
    with records.open("rb") as file:
        decoded: list[Any] = list(fastavro.reader(file))
    assert [record["leaf"]["step"] for record in decoded] == [float(i) for i in range(1, 11)]
    assert decoded[0]["leaf"]["prev"] == bytes(32)
    assert [record["curr"] for record in decoded] == [value[-32:] for value in log.values]
    assert math.isnan(decoded[0]["leaf"]["label"])


def test_what_was_written_is_read(log: Log) -> None:
    """Export changes no byte."""
    records, checkpoints = log.export()
    with RecordFile(records) as file:
        assert file.origin == log.origin
        assert b"".join(block.buffer for block in file.blocks()) == b"".join(log.values)
    with CheckpointFile(checkpoints) as file:
        assert [note for _, note in file] == log.notes


def test_places_count_through_all_blocks(tmp_path: Path) -> None:
    """A failure deep in a large file names the number of its record."""
    path = tmp_path / "records.avro"
    values = [number.to_bytes(RECORD_BYTES, "little") for number in range(BLOCK_RECORDS + 3)]
    assert write_records(path, "o", values) == len(values)
    with RecordFile(path) as file:
        blocks = list(file.blocks())
    assert [len(block.buffer) // RECORD_BYTES for block in blocks] == [BLOCK_RECORDS, 3]
    assert blocks[1].locate(2).offset == BLOCK_RECORDS + 2
    assert str(blocks[1].locate(2)) == f"{path}@{BLOCK_RECORDS + 2}"


def test_files_that_another_tool_wrote_verify(log: Log) -> None:
    """A log that was decoded and encoded again by another Avro writer is the same log."""
    records, checkpoints = log.export()
    with records.open("rb") as file:
        decoded = list(fastavro.reader(file))
    rewritten = records.with_suffix(".deflate")
    with rewritten.open("wb") as file:
        fastavro.writer(
            file,
            load("audit_record").parsed,
            decoded,
            codec="deflate",
            sync_interval=2 * RECORD_BYTES,
            metadata={"weir.origin": log.origin},
        )
    report = verify_files(rewritten, checkpoints, [log.signer.verifier])
    assert (report.outcome, report.records) == (Outcome.OK, 10)


def break_off(data: bytes) -> bytes:
    return data[:-100]


def lose_sync(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def overstate(data: bytes) -> bytes:
    """Let the block's header claim one record more than there is."""
    at = data.index(bytes([20])) if data.count(bytes([20])) == 1 else data.rindex(bytes([20, 192]))
    return data[:at] + bytes([22]) + data[at + 1 :]


@pytest.mark.parametrize("damage", [break_off, lose_sync, overstate])
def test_a_damaged_file_of_records_is_not_accepted(
    log: Log, damage: Callable[[bytes], bytes]
) -> None:
    """Damage to the container itself is a failure of the log, with the place where it begins."""
    records, checkpoints = log.export()
    records.write_bytes(damage(records.read_bytes()))
    report = verify_files(records, checkpoints, [log.signer.verifier])
    assert report.outcome is Outcome.TAMPERED
    assert report.failures[0].reason is Reason.UNREADABLE
    assert report.failures[0].locator.offset == 0
    assert report.failure_counts[Reason.TRUNCATED] == 3


def test_a_damaged_file_of_checkpoints_is_not_accepted(log: Log) -> None:
    """A cut file of checkpoints shows as damage, not as a log without signatures."""
    records, checkpoints = log.export()
    checkpoints.write_bytes(break_off(checkpoints.read_bytes()))
    report = verify_files(records, checkpoints, [log.signer.verifier])
    assert report.failure_counts[Reason.UNREADABLE] == 1
    assert report.failures[0].locator.source == str(checkpoints)


def test_a_file_that_is_something_else_is_an_error(log: Log, tmp_path: Path) -> None:
    """A mistaken argument is told apart from tampering, and the message says what is wrong."""
    records, checkpoints = log.export()
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    key = log.signer.verifier
    with pytest.raises(BadAuditFile, match=r"notes.txt: is not an Avro object container"):
        verify_files(text, checkpoints, [key])
    with pytest.raises(BadAuditFile, match=r"audit_record.avsc"):
        verify_files(checkpoints, records, [key])
    with pytest.raises(BadAuditFile, match="No such file"):
        verify_files(tmp_path / "missing.avro", checkpoints, [key])


def test_a_file_without_a_name_of_its_log_needs_one_given(log: Log, tmp_path: Path) -> None:
    """Records from another exporter verify once the reader says whose they should be."""
    _, checkpoints = log.export()
    records = tmp_path / "nameless.avro"
    with records.open("wb") as file:
        fastavro.writer(file, load("audit_record").parsed, [])
    with pytest.raises(BadAuditFile, match="names no log"):
        verify_files(records, checkpoints, [log.signer.verifier])
    report = verify_files(records, checkpoints, [log.signer.verifier], origin=log.origin)
    assert report.failure_counts == {Reason.TRUNCATED: 3}


def test_an_export_does_not_overwrite(log: Log) -> None:
    """An earlier export is evidence: it is never replaced."""
    records, checkpoints = log.export()
    before = records.read_bytes()
    with pytest.raises(BadAuditFile, match="File exists"):
        write_records(records, log.origin, log.values)
    with pytest.raises(BadAuditFile, match="File exists"):
        write_checkpoints(checkpoints, "acme", 0, log.notes)
    assert records.read_bytes() == before


def test_only_records_are_exported(log: Log, tmp_path: Path) -> None:
    """A value with its wire header left on stops the export instead of spoiling the file."""
    with pytest.raises(BadAuditFile, match="437 bytes"):
        write_records(tmp_path / "r.avro", log.origin, [log.values[0], bytes(5) + log.values[1]])
