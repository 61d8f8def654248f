"""The topics of a shard's audit trail, as a witness reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import BadMessage
from state.audit.checkpoint import CheckpointNote, origin_of
from state.audit.leaf import LEAF_BYTES
from state.audit.merkle import leaf_hash
from streams.audit_reader import leaf_of, read_checkpoint, tenant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.audit_reader import AuditTopics, LogReader


class TopicShardLog:
    """Reads one shard of the topics; see ``state.audit.witness.ShardLog``.

    Args:
        topics: where they lie.
        shard: partition number.
        records: reads the topic of records.
        checkpoints: reads the topic of checkpoints; another reader, as both are read in turns.
        identity: what tells the topics from others of the same name; see ``topic_ids``.
    """

    def __init__(
        self,
        topics: AuditTopics,
        shard: int,
        records: LogReader,
        checkpoints: LogReader,
        identity: str,
    ) -> None:
        self._identity = identity
        self._topics = topics
        self._shard = shard
        self._records = records
        self._checkpoints = checkpoints

    def checkpoints(self, start: int) -> Iterator[tuple[int, CheckpointNote]]:
        """Yield offset and checkpoint; one that cannot be read is one that nobody signed."""
        topic = self._topics.checkpoints
        low, end = self._checkpoints.bounds(topic, self._shard)
        for batch in self._checkpoints.read(topic, self._shard, max(low, start), end):
            for record in batch:
                try:
                    note = read_checkpoint(record.value)
                except BadMessage as error:
                    note = CheckpointNote(self._origin(record.key), 0, b"", b"", str(error))
                yield record.offset, note

    def records(self, start: int) -> Iterator[tuple[int, str, bytes]]:
        """Yield offset, origin and the hash of the leaf."""
        topic = self._topics.records
        low, end = self._records.bounds(topic, self._shard)
        for batch in self._records.read(topic, self._shard, max(low, start), end):
            for record in batch:
                leaf = leaf_of(record.value)[:LEAF_BYTES]
                yield record.offset, self._origin(record.key), leaf_hash(leaf)

    def records_end(self) -> int:
        """Return the last stable offset of the records."""
        return self._records.bounds(self._topics.records, self._shard)[1]

    def identity(self) -> str:
        """Return the ids that the cluster gave the topics when they were made."""
        return self._identity

    def _origin(self, key: bytes | None) -> str:
        return origin_of(self._topics.application_id, tenant_of(key), self._shard)
