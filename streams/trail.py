"""One log of the audit trail, wherever it lies: its records and its checkpoints, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from schemas.errors import BadMessage
from state.audit.checkpoint import CheckpointNote, origin_of
from state.audit.leaf import RECORD_BYTES
from streams.audit_reader import leaf_of, read_checkpoint, tenant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.audit_reader import AuditTopics, LogReader
    from streams.cli.audit_files import ExportedLog


class TrailLog(Protocol):
    """One log. Each call reads it anew from its start."""

    origin: str

    def records(self) -> Iterator[bytes]:
        """Yield leaf and hash of each record."""

    def checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints, the smallest first."""

    def shard_checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints of all cells of the shard, in the order they were written."""


class TopicLog:
    """A log on the topics of its shard.

    Args:
        topics: where they lie.
        tenant, shard: whose log.
        reader: reads the partitions.
    """

    def __init__(self, topics: AuditTopics, tenant: str, shard: int, reader: LogReader) -> None:
        self.origin = origin_of(topics.application_id, tenant, shard)
        self._topics = topics
        self._tenant = tenant
        self._shard = shard
        self._reader = reader

    def records(self) -> Iterator[bytes]:
        """Yield leaf and hash of each record; O(records of the shard)."""
        for key, value in self._read(self._topics.records):
            if tenant_of(key) == self._tenant:
                yield leaf_of(value)

    def checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints; what is none is passed over, ``weir verify`` finds it."""
        return (note for note in self.shard_checkpoints() if note.origin == self.origin)

    def shard_checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints of all cells; O(checkpoints of the shard)."""
        for _, value in self._read(self._topics.checkpoints):
            try:
                yield read_checkpoint(value)
            except BadMessage:
                continue

    def _read(self, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
        low, end = self._reader.bounds(topic, self._shard)
        for batch in self._reader.read(topic, self._shard, low, end):
            for record in batch:
                yield record.key, record.value


class FileLog:
    """A log in exported files.

    Args:
        log: the files.
    """

    def __init__(self, log: ExportedLog) -> None:
        self.origin = log.origin
        self._log = log

    def records(self) -> Iterator[bytes]:
        """Yield leaf and hash of each record."""
        for block in self._log.blocks(lambda *_: None):
            for at in range(0, len(block.buffer), RECORD_BYTES):
                yield block.buffer[at : at + RECORD_BYTES]

    def checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the checkpoints, the smallest first."""
        return (note for _, note in self._log.signed())

    def shard_checkpoints(self) -> Iterator[CheckpointNote]:
        """Yield the cell's own: files hold one log."""
        return self.checkpoints()
