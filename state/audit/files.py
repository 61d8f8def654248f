"""Audit logs in files: Avro object containers, one of records and one of checkpoints a cell.

Any Avro tool reads them; the schemas are those of the topics. The header of a file of records
names the log under ``weir.origin``. Records have a fixed width, so a block of the container is
their bytes one after the other and is verified without being decoded.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, NamedTuple, Protocol, Self

import fastavro
from fastavro.schema import to_parsing_canonical_form
from fastavro.write import Writer

from schemas.registry import load
from state.audit.cell_verifier import RecordBlock
from state.audit.checkpoint import CheckpointNote
from state.audit.errors import BadAuditFile
from state.audit.leaf import RECORD_BYTES
from state.audit.report import Locator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from schemas.registry import SchemaName

ORIGIN: Final = "weir.origin"
FIRST: Final = "weir.first"
"""Number of the first record of the file in its log, where a log is in several files."""
BLOCK_RECORDS: Final = 1024
"""Records a block, 432 KiB: what a reader holds at once."""


class Readable(Protocol):
    """A file that can be opened: a path, or an object of a store. Its text names it."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open it; raises OSError."""


class _Block(NamedTuple):
    """What fastavro writes as one block of a container."""

    num_records: int
    bytes_: BytesIO


def write_records(path: Path, origin: str, values: Iterable[bytes]) -> int:
    """Write the records of one log to a new file.

    Args:
        path: file to make.
        origin: name of the log.
        values: leaf and hash of each record, without wire header, in order.

    Returns:
        How many were written.

    Raises:
        BadAuditFile: a value is no record, or the file exists or cannot be written.
    """
    source = iter(values)
    written = 0
    try:
        with path.open("xb") as file:
            writer = Writer(file, load("audit_record").parsed, metadata={ORIGIN: origin})
            while block := list(islice(source, BLOCK_RECORDS)):
                for number, value in enumerate(block, written):
                    if len(value) != RECORD_BYTES:
                        raise BadAuditFile(f"a value of {len(value)} bytes", str(path), number)
                writer.write_block(_Block(len(block), BytesIO(b"".join(block))))
                written += len(block)
            writer.flush()
    except OSError as error:
        raise BadAuditFile(f"cannot be written: {error.strerror}", str(path), written) from error
    return written


def write_checkpoints(path: Path, tenant: str, shard: int, notes: Iterable[CheckpointNote]) -> None:
    """Write the checkpoints of one log to a new file, the smallest first.

    Raises:
        BadAuditFile: the file exists or cannot be written.
    """
    records = (note.record(tenant, shard) for note in notes)
    try:
        with path.open("xb") as file:
            fastavro.writer(file, load("audit_checkpoint").parsed, records)
    except OSError as error:
        raise BadAuditFile(f"cannot be written: {error.strerror}", str(path)) from error


class _AuditFile:
    """An open container of one of our schemas; a context manager."""

    schema: SchemaName

    def __init__(self, path: Readable) -> None:
        """Open a file and read its header.

        Raises:
            BadAuditFile: it cannot be opened, or is no container of this schema.
        """
        self.path = str(path)
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BadAuditFile(f"cannot be opened: {error.strerror}", self.path) from error
        try:
            self._blocks = fastavro.block_reader(self._file)
            self._metadata: dict[str, str] = self._blocks.metadata
            written = to_parsing_canonical_form(self._blocks.writer_schema)
        except Exception as error:  # a file of anything can raise anything from within fastavro
            self._file.close()
            raise BadAuditFile("is not an Avro object container", self.path) from error
        if written != to_parsing_canonical_form(load(self.schema).parsed):
            self._file.close()
            raise BadAuditFile(f"does not hold what {self.schema}.avsc describes", self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _next(self, items: Iterator[Any], record: int) -> Any:
        """Give the next block of the file or record of a block, ``None`` at the end."""
        try:
            return next(items, None)
        except Exception as error:  # damaged bytes can raise anything from within fastavro
            raise self._damage(record) from error

    def _damage(self, record: int) -> BadAuditFile:
        return BadAuditFile(f"is damaged at record {record} or before", self.path, record)


class RecordFile(_AuditFile):
    """A file of records."""

    schema = "audit_record"

    @property
    def origin(self) -> str:
        """Name of the log, as the file has it."""
        try:
            return self._metadata[ORIGIN]
        except KeyError:
            raise BadAuditFile(f"names no log under {ORIGIN}", self.path) from None

    @property
    def first(self) -> int:
        """Number of its first record in the log; 0 for a whole log."""
        try:
            return int(self._metadata.get(FIRST, "0"))
        except ValueError:
            raise BadAuditFile(f"names no record under {FIRST}", self.path) from None

    def blocks(self) -> Iterator[RecordBlock]:
        """Give the records block by block.

        Raises:
            BadAuditFile: a block is damaged or breaks off.
        """
        first = 0
        while (block := self._next(self._blocks, first)) is not None:
            data = block.bytes_.getvalue()
            if len(data) != block.num_records * RECORD_BYTES:
                raise self._damage(first)
            if data:
                yield RecordBlock(data, self._locator(first))
            first += block.num_records

    def _locator(self, first: int) -> Callable[[int], Locator]:
        return lambda index: Locator(self.path, None, first + index)


class CheckpointFile(_AuditFile):
    """A file of checkpoints."""

    schema = "audit_checkpoint"

    def __iter__(self) -> Iterator[tuple[Locator, CheckpointNote]]:
        """Give the checkpoints one by one with their places.

        Raises:
            BadAuditFile: the file is damaged or breaks off.
        """
        number = 0
        while (block := self._next(self._blocks, number)) is not None:
            records = iter(block)
            stop = number + block.num_records
            while (record := self._next(records, number)) is not None:
                yield Locator(self.path, None, number), CheckpointNote.of_record(record)
                number += 1
            if number != stop or block.bytes_.read(1):  # its header states another number
                raise self._damage(number)
