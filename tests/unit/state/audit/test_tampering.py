"""An attacker who may rewrite everything, without the signing key: each attempt is carried out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from state.audit.chain import Chain
from state.audit.leaf import LEAF_BYTES, LEAF_DTYPE, RECORD_BYTES, RECORD_DTYPE
from state.audit.note import Note, Verifier
from state.audit.report import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.audit.note import Signer
    from tests.unit.state.audit.conftest import Log

    Rows = np.ndarray[Any, np.dtype[Any]]
    MakeRows = Callable[[int], Rows]
    MakeSigner = Callable[[str, int], Signer]

EDITED = 5  # record 5 of 10: in the middle of the second unit of work


def with_byte_flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def field_offsets() -> dict[str, int]:
    offsets = {name: entry[1] for name, entry in (LEAF_DTYPE.fields or {}).items()}
    return {**offsets, "curr": LEAF_BYTES}


@pytest.mark.parametrize("name", field_offsets())
def test_an_edit_of_any_field_is_found_where_it_was_made(log: Log, name: str) -> None:
    """No field of a record can be changed, and the report names the record."""
    width = (RECORD_DTYPE if name == "curr" else LEAF_DTYPE)[name].itemsize
    at = field_offsets()[name] + width - 1
    log.values[EDITED] = with_byte_flipped(log.values[EDITED], at)
    report = log.verify()
    assert report.outcome is Outcome.TAMPERED
    assert report.failures[0].reason is Reason.LEAF_HASH
    assert report.failures[0].locator.offset == EDITED
    if name != "curr":  # the stated hash is no leaf: the tree stands on what was hashed
        assert report.failure_counts[Reason.CHECKPOINT_ROOT] == 2
        assert report.signed_size == 3


def test_an_edit_with_its_hash_corrected_breaks_the_chain(log: Log) -> None:
    """An attacker who also recomputes the record's hash is found at the next record."""
    leaf = with_byte_flipped(log.values[EDITED][:LEAF_BYTES], 0)
    log.values[EDITED] = leaf + hashlib.sha256(b"\x00" + leaf).digest()
    report = log.verify()
    chain = [failure for failure in report.failures if failure.reason is Reason.CHAIN]
    assert [failure.locator.offset for failure in chain] == [EDITED + 1]
    assert report.failure_counts[Reason.CHECKPOINT_ROOT] == 2


@pytest.mark.parametrize("dropped", [0, 1, EDITED, 8])
def test_a_dropped_record_is_found(log: Log, dropped: int) -> None:
    """A record cannot be taken out, and the report names the place of the gap."""
    del log.values[dropped]
    report = log.verify()
    broken = {failure.reason: failure.locator.offset for failure in reversed(report.failures)}
    assert broken[Reason.CHAIN] == broken[Reason.STEP] == dropped
    assert report.failure_counts[Reason.TRUNCATED] == 1
    assert report.outcome is Outcome.TAMPERED


@pytest.mark.parametrize("repeated", [0, EDITED, 9])
def test_a_repeated_record_is_found(log: Log, repeated: int) -> None:
    """A record cannot be played twice."""
    log.values.insert(repeated, log.values[repeated])
    report = log.verify()
    broken = {failure.reason: failure.locator.offset for failure in reversed(report.failures)}
    assert broken[Reason.CHAIN] == broken[Reason.STEP] == repeated + 1
    assert report.outcome is Outcome.TAMPERED


def test_reordered_records_are_found(log: Log) -> None:
    """Two records cannot change places."""
    log.values[4], log.values[5] = log.values[5], log.values[4]
    report = log.verify()
    chain = [failure for failure in report.failures if failure.reason is Reason.CHAIN]
    assert [failure.locator.offset for failure in chain] == [4, 5, 6]
    assert report.failure_counts[Reason.CHECKPOINT_ROOT] == 2


@pytest.mark.parametrize("kept", [0, 3, 7, 9])
def test_a_tail_cut_off_after_a_signed_checkpoint_is_found(log: Log, kept: int) -> None:
    """The end of a log cannot be taken away while a checkpoint speaks of it."""
    del log.values[kept:]
    report = log.verify()
    assert report.outcome is Outcome.TAMPERED
    assert set(report.failure_counts) == {Reason.TRUNCATED}
    assert report.failures[-1].locator.source.endswith("checkpoints.avro")
    assert report.failures[-1].step == 10


def test_a_tail_cut_off_with_its_checkpoint_is_found_by_an_older_copy(log: Log) -> None:
    """A reader who keeps one old checkpoint finds a cut that leaves no trace in the log itself."""
    kept = log.notes[-1]
    del log.values[7:], log.notes[-1]
    assert log.verify().outcome is Outcome.OK  # what a log alone cannot show
    for path in log.folder.iterdir():
        path.unlink()
    log.notes.append(kept)
    assert log.verify().failure_counts == {Reason.TRUNCATED: 1}


def rewritten(log: Log) -> Chain:
    """Edit a record, then link and hash all records after it anew, as the program would."""
    records = np.frombuffer(b"".join(log.values), RECORD_DTYPE)
    leaves = records["leaf"].copy()
    leaves["y_hat"][EDITED] += 1.0
    chain = Chain(log.origin)
    log.values = chain.append(leaves)
    return chain


def test_a_suffix_hashed_anew_does_not_fit_the_signed_checkpoints(log: Log) -> None:
    """A rewritten history is consistent in itself, and not with what was signed."""
    rewritten(log)
    report = log.verify()
    assert report.failure_counts == {Reason.CHECKPOINT_ROOT: 2, Reason.CHECKPOINT_HEAD: 2}
    assert report.signed_size == 3


@pytest.mark.parametrize("name", ["weir/acme/0", "weir/other/0"])
def test_a_suffix_signed_with_the_attackers_key_is_refused(
    log: Log, signer_of: MakeSigner, name: str
) -> None:
    """A rewritten history needs the pinned key, whatever the attacker calls their own."""
    chain = rewritten(log)
    log.notes[1:] = [chain.checkpoint(signer_of(name, 66))]
    report = log.verify()
    assert report.failure_counts == {Reason.CHECKPOINT_KEY: 1}
    assert report.outcome is Outcome.TAMPERED


def test_a_signature_under_the_id_of_the_pinned_key_is_refused(
    log: Log, signer_of: MakeSigner
) -> None:
    """The id in a signature line is a name, not a proof."""
    chain = rewritten(log)
    forged = chain.checkpoint(signer_of("weir/acme/0", 66))
    note = Note.parse(forged.note)
    line = note.signatures[0]._replace(key_id=log.signer.verifier.key_id)
    log.notes[1:] = [forged._replace(note=str(Note(note.text, (line,))))]
    assert log.verify().failure_counts == {Reason.CHECKPOINT_SIGNATURE: 1}


def test_a_signature_does_not_move_to_another_checkpoint(log: Log) -> None:
    """A true signature of an older checkpoint does not vouch for a rewritten one."""
    chain = rewritten(log)
    forged = chain.checkpoint(log.signer)
    old = Note.parse(log.notes[-1].note)
    text = Note.parse(forged.note).text
    log.notes[-1] = forged._replace(note=str(Note(text, old.signatures)))
    assert log.verify().failure_counts[Reason.CHECKPOINT_SIGNATURE] == 1


def test_another_logs_checkpoint_does_not_vouch_for_this_one(log: Log, rows_of: MakeRows) -> None:
    """The same key signs many logs; a checkpoint counts only for the log that it names."""
    other = Chain("weir/acme/1")
    other.append(rows_of(10))
    log.notes[-1] = other.checkpoint(log.signer)
    assert log.verify().failure_counts == {Reason.CHECKPOINT_ORIGIN: 1}


def test_a_reader_who_pins_the_wrong_key_is_told_so(log: Log, signer_of: MakeSigner) -> None:
    """With a wrong public key nothing is accepted, and the report says which keys did sign."""
    wrong: Verifier = signer_of("weir/acme/0", 2).verifier
    report = log.verify(key=wrong)
    assert report.failure_counts == {Reason.CHECKPOINT_KEY: 3}
    assert log.signer.verifier.key_id.hex() in report.failures[0].detail


def test_records_of_another_log_spliced_in_are_found(
    log: Log, empty_log: Log, rows_of: MakeRows
) -> None:
    """The first half of one honest log and the second half of another do not make a third."""
    rows = rows_of(10)
    rows["y_hat"] += 1.0
    empty_log.values, empty_log.notes = log.values[:5], log.notes
    empty_log.values += Chain(log.origin).append(rows)[5:]
    report = empty_log.verify()
    assert report.failures[0].reason is Reason.CHAIN
    assert report.failures[0].locator.offset == 5
    assert len(empty_log.values[5]) == RECORD_BYTES
