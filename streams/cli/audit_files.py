"""Verifying exported audit logs: which files belong together, and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import ConfigError
from state.audit.errors import BadAuditFile
from state.audit.files import CheckpointFile, RecordFile
from state.audit.leaf import RECORD_BYTES
from state.audit.verify import verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from state.audit.cell_verifier import RecordBlock
    from state.audit.checkpoint import CheckpointNote
    from state.audit.note import Verifier
    from state.audit.report import Locator, VerifyReport


class ExportedLog:
    """The files that hold one log.

    Args:
        origin: name of the log.

    Attributes:
        records: file of its records; None where there is none.
        checkpoints: files of its checkpoints.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.records: Path | None = None
        self.checkpoints: list[Path] = []

    @property
    def size_bytes(self) -> int:
        """Bytes of the file of records."""
        return self.records.stat().st_size if self.records is not None else 0

    def verify(
        self, keys: Collection[Verifier], progress: Callable[[int, int], None]
    ) -> VerifyReport:
        """Verify the log.

        Args:
            keys: public keys that may sign its checkpoints.
            progress: told after each block how many records and how many bytes it held.
        """
        return verify_log(self.origin, self._blocks(progress), self._signed(), keys)

    def _blocks(self, progress: Callable[[int, int], None]) -> Iterator[RecordBlock]:
        if self.records is None:
            return
        with RecordFile(self.records) as file:
            for block in file.blocks():
                yield block
                progress(len(block.buffer) // RECORD_BYTES, len(block.buffer))

    def _signed(self) -> Iterator[tuple[Locator, CheckpointNote]]:
        for path in self.checkpoints:
            with CheckpointFile(path) as file:
                yield from file


def find_logs(paths: Collection[Path]) -> list[ExportedLog]:
    """Find out which logs are in files, and in folders of them, by name of the log.

    Other files in a folder are passed over.

    Raises:
        UnreadableSource: a file that was named is not there, or holds something else.
        ConfigError: two files hold records of the same log.
    """
    logs: dict[str, ExportedLog] = {}
    for path in paths:
        if path.is_dir():
            for inner in sorted(path.rglob("*.avro")):
                _take(inner, logs)
        elif not _take(path, logs):
            # Its package brings the mapping along, which a verifier does without.
            from schemas.sources.errors import UnreadableSource  # noqa: PLC0415 - see above

            raise UnreadableSource(
                f"{path} cannot be verified: it is not there, or holds neither audit records nor "
                "checkpoints as `weir backtest --out` writes them"
            )
    return [log for _, log in sorted(logs.items())]


def _take(path: Path, logs: dict[str, ExportedLog]) -> bool:
    """Add a file to the log that it belongs to; say whether it belongs to one."""
    try:
        with RecordFile(path) as records:
            origin = records.origin
    except BadAuditFile:
        try:
            with CheckpointFile(path) as checkpoints:
                first = next(iter(checkpoints), None)
        except BadAuditFile:
            return False
        if first is not None:
            _, note = first
            logs.setdefault(note.origin, ExportedLog(note.origin)).checkpoints.append(path)
        return True
    log = logs.setdefault(origin, ExportedLog(origin))
    if log.records is not None:
        raise ConfigError(f"{log.records} and {path} both hold records of {origin}: name one")
    log.records = path
    return True
