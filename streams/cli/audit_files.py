"""Verifying exported audit logs: which files belong together, and what they hold."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import ConfigError
from state.audit.errors import BadAuditFile
from state.audit.files import CheckpointFile, RecordFile
from state.audit.leaf import RECORD_BYTES
from state.audit.verify import verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from state.audit.cell_verifier import RecordBlock
    from state.audit.checkpoint import CheckpointNote
    from state.audit.files import Readable
    from state.audit.note import Verifier
    from state.audit.report import Locator, VerifyReport
    from state.audit.rj_policy import RjPolicy


class ExportedLog:
    """The files that hold one log.

    Args:
        origin: name of the log.

    Attributes:
        records: number of the first record in each file of records, and the file; in order.
        checkpoints: files of its checkpoints, in order.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.records: list[tuple[int, Readable]] = []
        self.checkpoints: list[Readable] = []

    @property
    def size_bytes(self) -> int:
        """Bytes of the files of records; 0 for those that lie elsewhere."""
        return sum(file.stat().st_size for _, file in self.records if isinstance(file, Path))

    def verify(
        self,
        keys: Collection[Verifier],
        progress: Callable[[int, int], None],
        policy: RjPolicy | None = None,
        kept: Sequence[tuple[Locator, CheckpointNote]] = (),
    ) -> VerifyReport:
        """Verify the log.

        Args:
            keys: public keys that may sign its checkpoints.
            progress: told after each block how many records and how many bytes it held.
            policy: constants of the half-split policy, where they are known.
            kept: checkpoints of this log that were kept elsewhere.
        """
        blocks = self.blocks(progress)
        return verify_log(self.origin, blocks, self.signed(), keys, policy, kept)

    def blocks(self, progress: Callable[[int, int], None]) -> Iterator[RecordBlock]:
        """Give the records of all files, block by block."""
        for _, path in self.records:
            with RecordFile(path) as file:
                for block in file.blocks():
                    yield block
                    progress(len(block.buffer) // RECORD_BYTES, len(block.buffer))

    def signed(self) -> Iterator[tuple[Locator, CheckpointNote]]:
        """Give the checkpoints of all files with their places."""
        for path in self.checkpoints:
            with CheckpointFile(path) as file:
                yield from file


def find_logs(places: Collection[Path | str]) -> list[ExportedLog]:
    """Find out which logs are in files, and in folders of them, by name of the log.

    Other files in a folder are passed over.

    Args:
        places: files and folders; with ``://`` in them, objects of a store and folders of these.

    Raises:
        UnreadableSource: a file that was named is not there, or holds something else.
        ConfigError: two files hold the same records of the same log.
        StateError: a store does not answer.
    """
    logs: dict[str, ExportedLog] = {}
    for place in places:
        if "://" in str(place):
            _take_objects(str(place), logs)
        elif (path := Path(place)).is_dir():
            for inner in sorted(path.rglob("*.avro")):
                _take(inner, logs)
        elif not _take(path, logs):
            # Its package brings the mapping along, which a verifier does without.
            from schemas.sources.errors import UnreadableSource  # noqa: PLC0415 - see above

            raise UnreadableSource(
                f"{path} cannot be verified: it is not there, or holds neither audit records nor "
                "checkpoints as `weir backtest --out` and `weir export` write them"
            )
    for log in logs.values():
        log.records.sort(key=lambda file: file[0])
        for (first, one), (again, other) in pairwise(log.records):
            if first == again:
                raise ConfigError(f"{one} and {other} both hold records of {log.origin}: name one")
        log.checkpoints.sort(key=str)
    return [log for _, log in sorted(logs.items())]


def _take_objects(url: str, logs: dict[str, ExportedLog]) -> None:
    """Add the objects of a store to the logs that they belong to."""
    from state.objects import ObjectFile, ObjectStore  # noqa: PLC0415 - fsspec takes a while

    store = ObjectStore(url)
    for name in store.names():
        if name.endswith(".avro"):
            _take(ObjectFile(store, name), logs)


def _take(path: Readable, logs: dict[str, ExportedLog]) -> bool:
    """Add a file to the log that it belongs to; say whether it belongs to one."""
    try:
        with RecordFile(path) as records:
            origin, first = records.origin, records.first
    except BadAuditFile:
        try:
            with CheckpointFile(path) as checkpoints:
                found = next(iter(checkpoints), None)
        except BadAuditFile:
            return False
        if found is not None:
            _, note = found
            logs.setdefault(note.origin, ExportedLog(note.origin)).checkpoints.append(path)
        return True
    logs.setdefault(origin, ExportedLog(origin)).records.append((first, path))
    return True
