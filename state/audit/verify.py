"""Verifies the whole log of one cell: records and checkpoints, from files or from anywhere.

A reader of Kafka hands on what it reads, without wire headers, through ``in_blocks``; exported
files are read by ``verify_files``. What is checked stands in ``cell_verifier``.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from state.audit.cell_verifier import CellVerifier, RecordBlock
from state.audit.errors import BadAuditFile
from state.audit.files import BLOCK_RECORDS, CheckpointFile, RecordFile
from state.audit.leaf import RECORD_BYTES
from state.audit.report import Locator, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from state.audit.checkpoint import CheckpointNote
    from state.audit.note import Verifier
    from state.audit.report import VerifyReport
    from state.audit.rj_policy import RjPolicy

Item = TypeVar("Item")


def verify_log(
    origin: str,
    records: Iterable[RecordBlock],
    checkpoints: Iterable[tuple[Locator, CheckpointNote]],
    keys: Collection[Verifier],
    policy: RjPolicy | None = None,
    kept: Iterable[tuple[Locator, CheckpointNote]] = (),
) -> VerifyReport:
    """Verify the log of one cell from its first record.

    Args:
        origin: name of the log.
        records: all its records, in order.
        checkpoints: its checkpoints, the smallest first. They need not come from one place: one
            that was kept elsewhere since an earlier day shows that no record of then is missing.
        keys: public keys that may sign the checkpoints.
        policy: constants of the half-split policy, where they are known.
        kept: checkpoints of this log that were kept elsewhere, by a witness or by the reader.

    Returns:
        What was found. Memory: one block and the checkpoints within it; O(1) in the log's length.
    """
    verifier = CellVerifier(origin, keys, policy)
    for place, note in kept:
        verifier.recall(place, note)
    signed = _until_damaged(checkpoints, verifier)
    for block in _until_damaged(records, verifier):
        reach = verifier.size + len(block.buffer) // RECORD_BYTES
        while verifier.newest <= reach and (one := next(signed, None)) is not None:
            verifier.expect(*one)
        verifier.feed(block)
    for one in signed:
        verifier.expect(*one)
    return verifier.finish()


def verify_files(
    records: Path,
    checkpoints: Path,
    keys: Collection[Verifier],
    origin: str | None = None,
    policy: RjPolicy | None = None,
    kept: Iterable[tuple[Locator, CheckpointNote]] = (),
) -> VerifyReport:
    """Verify exported files; see ``files`` for their format.

    Args:
        records: file of records.
        checkpoints: file of checkpoints.
        keys: public keys that may sign the checkpoints.
        origin: the log that this should be; without it, the one that the records' file names.
        policy: constants of the half-split policy, where they are known.
        kept: see ``verify_log``.

    Raises:
        BadAuditFile: a file cannot be opened, or is no export at all.
    """
    with RecordFile(records) as log, CheckpointFile(checkpoints) as signed:
        return verify_log(origin or log.origin, log.blocks(), signed, keys, policy, kept)


def in_blocks(records: Iterable[tuple[Locator, bytes]]) -> Iterator[RecordBlock]:
    """Gather single records into blocks; one of a wrong length stands alone, to be reported.

    Args:
        records: place and bytes (leaf and hash, no wire header) of each record, in order.
    """
    source = iter(records)
    while chunk := list(islice(source, BLOCK_RECORDS)):
        for whole, run in groupby(chunk, lambda record: len(record[1]) == RECORD_BYTES):
            for part in [list(run)] if whole else [[record] for record in run]:
                locators, values = zip(*part, strict=True)
                yield RecordBlock(b"".join(values), locators.__getitem__)


def _until_damaged(items: Iterable[Item], verifier: CellVerifier) -> Iterator[Item]:
    """Hand on items up to where a file cannot be read, which is put down as a failure."""
    try:
        yield from items
    except BadAuditFile as error:
        verifier.fail(Reason.UNREADABLE, Locator(error.path, None, error.record), None, str(error))
