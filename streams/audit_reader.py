"""Verifies the audit trail where it lies: on the topics ``audit`` and ``audit-checkpoints``.

A shard's partition holds the logs of all its tenants, mixed; each has a ``CellVerifier`` of its
own, which is given each checkpoint before the records that pass its size. Nothing is kept but
these, a batch of records, and the checkpoints that its units of work wrote.

The trail may grow while it is read. A unit of work writes records and checkpoints in one
transaction, but the two partitions learn of its commit at slightly different moments. So what is
verified is what was committed at the start, and two things are given a moment before they count:

- a checkpoint of more records than can be read yet: its records may be about to become visible;
- records behind the last checkpoint: theirs may be. What can be read of a partition ends between
  two units of work, so in every honest trail there is a checkpoint of exactly that many records.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote

from confluent_kafka import KafkaException

from schemas import single_object, wire
from schemas.codec import Codec
from schemas.errors import BadMessage, BrokerUnavailable
from state.audit.cell_verifier import CellVerifier
from state.audit.checkpoint import Checkpoint, CheckpointNote, origin_of
from state.audit.errors import MalformedNote
from state.audit.leaf import RECORD_BYTES
from state.audit.note import Note
from state.audit.report import Locator, Reason
from state.audit.shard_root import ShardRootVerifier
from state.audit.verify import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from state.audit.note import Verifier
    from state.audit.report import VerifyReport
    from state.audit.rj_policy import RjPolicy
    from state.audit.shard_root import ShardFault
    from streams.kafka.reader import Record

PATIENCE_S: Final = 5.0
"""How long a commit may take to show on both partitions."""

_POLL_S: Final = 0.1
_HEADERS: Final = (single_object.HEADER_BYTES, wire.HEADER_BYTES)
_MAX_WAITING: Final = 50_000
"""Checkpoints that may wait for their records. Honest trails hold fewer: at most one for each event
of a unit of work. A trail without its records would fill the memory otherwise."""

_NO_TENANT: Final = "?"
"""Stands for the tenant of messages whose key is none; their log is found to be tampered with."""


class LogReader(Protocol):
    """What is needed to read the partitions; ``streams.kafka.reader.PartitionReader`` has it."""

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the start offset and the last stable offset."""

    def read(
        self, topic: str, partition: int, start: int | None, stop: int
    ) -> Iterator[list[Record]]:
        """Yield the committed records with start ≤ offset < stop."""


class AuditTopics(NamedTuple):
    """Names of the two topics, and of the application that wrote them."""

    records: str
    checkpoints: str
    application_id: str


class _Signed(NamedTuple):
    """A checkpoint as it stands on its topic; ``note`` is what is wrong where it is unreadable."""

    locator: Locator
    tenant: str
    note: CheckpointNote | BadMessage


class ShardAudit:
    """Verifies the logs of one shard.

    Args:
        topics: where they lie.
        shard: partition number.
        records: reads the topic of records.
        checkpoints: reads the topic of checkpoints; another reader, as both are read in turns.
        keys: public keys that may sign checkpoints.
        tenant: only this tenant's log; None: all.
        patience_s: see above.
        policy: constants of the half-split policy, where they are known.
        kept: checkpoints that were kept elsewhere, by origin.
    """

    def __init__(
        self,
        topics: AuditTopics,
        shard: int,
        records: LogReader,
        checkpoints: LogReader,
        keys: Collection[Verifier],
        *,
        tenant: str | None = None,
        patience_s: float = PATIENCE_S,
        policy: RjPolicy | None = None,
        kept: Mapping[str, Sequence[tuple[Locator, CheckpointNote]]] | None = None,
    ) -> None:
        self._topics = topics
        self._shard = shard
        self._records = records
        self._checkpoints = checkpoints
        self._keys = keys
        self._only = tenant
        self._patience_s = patience_s
        self._policy = policy
        self._kept = dict(kept or {})
        self._root = ShardRootVerifier(whole=tenant is None)
        self._cells: dict[str, CellVerifier] = {}
        self._waiting: dict[str, deque[int]] = {}
        self._waiting_count = 0
        # The checkpoints first: each of them has its records, if these are looked for afterwards.
        first, self._signed_end = checkpoints.bounds(topics.checkpoints, shard)
        self._signed = self._read_signed(first, self._signed_end)
        self._start, self._end = records.bounds(topics.records, shard)

    @property
    def offsets(self) -> int:
        """How many offsets of the topic of records are to be read."""
        return self._end - self._start

    def verify(self, progress: Callable[[int, int], None]) -> list[VerifyReport]:
        """Read everything once.

        Args:
            progress: told after each batch how many records and how many offsets it held.

        Returns:
            A report for each tenant, by name.

        Raises:
            BrokerUnavailable: the topics cannot be read to their end.
        """
        try:
            self._feed(self._start, self._end, progress)
            for signed in self._signed:
                self._expect(signed)
            self._await_records(progress)
            self._await_checkpoints()
        except KafkaException as error:
            raise BrokerUnavailable(
                f"the audit topics of shard {self._shard} cannot be read: {error.args[0].str()}; "
                "check the topics and your rights to read them"
            ) from error
        self._check_root()
        return [cell.finish() for _, cell in sorted(self._cells.items())]

    def _check_root(self) -> None:
        """Look at what is left to see of the shard's root, and at logs that are gone as a whole."""
        for cell in self._cells.values():
            for manifest in cell.snapshots:
                self._root.snapshot(manifest)
        self._put_down(self._root.finish())
        for origin in list(self._kept):
            _, tenant, shard = origin.split("/")
            tenant = unquote(tenant)
            if shard == str(self._shard) and self._only in (None, tenant):
                self._cell(tenant)  # with no record: finish will say so

    def _put_down(self, faults: Iterable[ShardFault]) -> None:
        for fault in faults:
            tenant = unquote(fault.origin.split("/")[-2])
            self._cell(tenant).fail(fault.reason, fault.locator, fault.size, fault.detail)

    # -- reading ----------------------------------------------------------------------------------

    def _feed(self, start: int, stop: int, progress: Callable[[int, int], None]) -> None:
        topic, shard = self._topics.records, self._shard
        reached = start
        for batch in self._records.read(topic, shard, start, stop):
            by_tenant: dict[str, list[tuple[Locator, bytes]]] = {}
            for record in batch:
                tenant = tenant_of(record.key)
                if self._only in (None, tenant):
                    place = Locator(topic, shard, record.offset)
                    by_tenant.setdefault(tenant, []).append((place, leaf_of(record.value)))
            for tenant, records in by_tenant.items():
                cell = self._cell(tenant)
                self._pull(cell, cell.size + len(records))
                for block in in_blocks(records):
                    cell.feed(block)
                self._settle(tenant)
            progress(len(batch), batch[-1].offset + 1 - reached)
            reached = batch[-1].offset + 1
        progress(0, stop - reached)

    def _read_signed(self, start: int, stop: int) -> Iterator[_Signed]:
        topic, shard = self._topics.checkpoints, self._shard
        for batch in self._checkpoints.read(topic, shard, start, stop):
            for record in batch:
                tenant = tenant_of(record.key)
                if self._only in (None, tenant):
                    place = Locator(topic, shard, record.offset)
                    yield _Signed(place, tenant, _note(record.value))

    # -- matching ---------------------------------------------------------------------------------

    def _cell(self, tenant: str) -> CellVerifier:
        cell = self._cells.get(tenant)
        if cell is None:
            origin = origin_of(self._topics.application_id, tenant, self._shard)
            cell = self._cells[tenant] = CellVerifier(origin, self._keys, self._policy)
            for one in self._kept.pop(origin, ()):
                cell.recall(*one)
            self._waiting[tenant] = deque()
        return cell

    def _pull(self, cell: CellVerifier, reach: int) -> None:
        """Give out checkpoints until the cell has those up to a size."""
        while cell.newest < reach and self._waiting_count < _MAX_WAITING:
            signed = next(self._signed, None)
            if signed is None:
                return
            self._expect(signed)

    def _expect(self, signed: _Signed) -> None:
        cell = self._cell(signed.tenant)
        if isinstance(signed.note, BadMessage):
            cell.fail(Reason.UNREADABLE, signed.locator, None, str(signed.note))
            return
        with suppress(MalformedNote):  # the cell's verifier says so
            stated = Checkpoint.parse(Note.parse(signed.note.note).text)
            if stated.origin == cell.origin:
                self._put_down(self._root.take(signed.locator, stated))
        ahead = signed.note.tree_size > cell.size
        if ahead and self._waiting_count >= _MAX_WAITING:
            return  # so many without records: what waits already will be reported
        cell.expect(signed.locator, signed.note)
        if ahead:
            self._waiting[signed.tenant].append(signed.note.tree_size)
            self._waiting_count += 1

    def _settle(self, tenant: str) -> None:
        """Forget the checkpoints that the cell's records have reached."""
        waiting, size = self._waiting[tenant], self._cells[tenant].size
        while waiting and waiting[0] <= size:
            waiting.popleft()
            self._waiting_count -= 1

    # -- the end of a trail that may be growing ---------------------------------------------------

    def _await_records(self, progress: Callable[[int, int], None]) -> None:
        """Read on while a checkpoint covers more records than there were."""
        deadline = time.monotonic() + self._patience_s
        while any(cell.newest > cell.size for cell in self._cells.values()):
            _, end = self._records.bounds(self._topics.records, self._shard)
            if end > self._end:
                self._feed(self._end, end, progress)
                self._end = end
            elif time.monotonic() > deadline:
                return
            else:
                time.sleep(_POLL_S)

    def _await_checkpoints(self) -> None:
        """Look for the checkpoints of records that came after the last one was read."""
        deadline = time.monotonic() + self._patience_s
        unsigned = {name for name, cell in self._cells.items() if cell.newest < cell.size}
        while unsigned:
            _, end = self._checkpoints.bounds(self._topics.checkpoints, self._shard)
            for signed in self._read_signed(self._signed_end, end):
                if signed.tenant in unsigned and not isinstance(signed.note, BadMessage):
                    cell = self._cells[signed.tenant]
                    if signed.note.tree_size == cell.size:
                        cell.expect(signed.locator, signed.note)
                        unsigned.discard(signed.tenant)
            self._signed_end = max(self._signed_end, end)
            if unsigned:
                if time.monotonic() > deadline:
                    return
                time.sleep(_POLL_S)


def tenant_of(key: bytes | None) -> str:
    """Return the tenant that the key of an audit record or checkpoint names."""
    return (key or b"").decode("utf-8", "replace") or _NO_TENANT


@cache
def _codec() -> Codec:
    return Codec("audit_checkpoint")


def read_checkpoint(value: bytes | None) -> CheckpointNote:
    """Decode a checkpoint, with a registry's wire header or without; asks no registry.

    Raises:
        BadMessage: it is none.
    """
    return CheckpointNote.of_record(_codec().decode(wire.without_header(value or b"")))


def _note(value: bytes | None) -> CheckpointNote | BadMessage:
    try:
        return read_checkpoint(value)
    except BadMessage as error:
        return error


def leaf_of(value: bytes | None) -> bytes:
    """Return a record's bytes without header; it is told by its length, without a registry."""
    value = value or b""
    return value[-RECORD_BYTES:] if len(value) - RECORD_BYTES in _HEADERS else value
