"""A sink that compares each prediction and audit record of a replay with the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import BadMessage
from streams.audit_reader import leaf_of, read_checkpoint, tenant_of
from streams.keys import CellKeys
from streams.messages import build_codecs
from streams.replay.compare import (
    Difference,
    Published,
    explain,
    read_audit,
    read_prediction,
)
from streams.replay.engine import Marks
from streams.shard.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from streams.kafka.reader import PartitionReader, Record
    from streams.replay.engine import ReplayEngine
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork


def read_marks(settings: Settings, shard: int, reader: PartitionReader) -> Marks:
    """Read the published audit records of a shard once, for the marks in them."""
    topic = settings.topics.name("audit")
    low, end = reader.bounds(topic, shard)
    marks = Marks()
    for batch in reader.read(topic, shard, low, end):
        marks.read(batch)
    return marks


class Roots(NamedTuple):
    """Where a cell's log stands after the replay; ``signed``: a published checkpoint says so."""

    tenant: str
    records: int
    root: bytes
    head: bytes
    signed: bool


class VerifySink:
    """Compares one shard, up to the first difference.

    What was published of erased tenants is passed over: nobody can step their events again.

    Args:
        settings: of the application.
        shard: partition number.
        predictions: reads the published predictions.
        audit: reads the published audit records; another reader.

    Attributes:
        difference: the first; None: there is none.
        predictions: compared so far.
        records: audit records compared so far.
        roots: filled in at the end.
    """

    def __init__(
        self,
        settings: Settings,
        shard: int,
        predictions: PartitionReader,
        audit: PartitionReader,
    ) -> None:
        self._settings = settings
        self._shard = shard
        self._reader = audit
        self._topics = {
            role: settings.topics.name(role)
            for role in ("predictions", "audit", "audit-checkpoints")
        }
        self._vault = Vault(CellKeys.open(settings), settings.application_id, shard)
        self._published = self._flat(predictions, self._topics["predictions"])
        self._audit = Published(self._batches(audit, self._topics["audit"]), self._vault.destroyed)
        self._events = build_codecs(settings).reader
        self._held: Record | None = None
        self.difference: Difference | None = None
        self.predictions = 0
        self.records = 0
        self.roots: list[Roots] = []

    def close(self) -> None:
        """End what is read; the readers can be closed then."""
        self._published.close()
        self._audit.close()

    # -- Sink -------------------------------------------------------------------------------------

    def begin(self, engine: ReplayEngine) -> None:
        """Pass over what was published before the replay begins."""
        steps = {tenant: cell.steps for tenant, cell in engine.tenants.items()}
        for tenant in steps:
            self._audit.skip(tenant, engine.chain(tenant).size)
        while steps and (record := next(self._published, None)) is not None:
            read = read_prediction(record.value)
            if read.get("step", 0) > steps.get(read.get("tenant", "?"), 0):
                self._held = record
                return

    def take(self, records: Sequence[Record], unit: UnitOfWork, engine: ReplayEngine) -> bool:
        """Compare the outputs of some source records."""
        trail, engine.trail = engine.trail, []
        for message in unit.outputs["predictions"]:
            if not self._same_prediction(message["key"], message["value"], records):
                return False
        return all(self._same_record(tenant, value, records) for tenant, value in trail)

    def end(self, engine: ReplayEngine) -> None:
        """Compare the last marks, and the roots with the signed ones."""
        trail, engine.trail = engine.trail, []
        if not all(self._same_record(tenant, value, ()) for tenant, value in trail):
            return
        signed = self._signed()
        for tenant in sorted(engine.tenants):
            chain = engine.chain(tenant)
            stated = signed.get((tenant, chain.size))
            ours = chain.root(), chain.head
            self.roots.append(Roots(tenant, chain.size, *ours, stated is not None))
            if stated not in {None, ours}:
                self.difference = Difference(
                    self._topics["audit-checkpoints"],
                    self._shard,
                    None,
                    tenant,
                    None,
                    f"the root of {chain.size} records is {ours[0].hex()}, signed was another",
                )
                return

    # -- comparing --------------------------------------------------------------------------------

    def _same_prediction(self, key: bytes | None, value: bytes, records: Sequence[Record]) -> bool:
        record = self._held or next(self._published, None)
        self._held = None
        if record is not None and (record.key, record.value) == (key, value):
            self.predictions += 1
            return True
        replayed = read_prediction(value)
        detail = (
            "is not published"
            if record is None
            else explain(read_prediction(record.value), replayed)
        )
        self._differs("predictions", record, replayed["tenant"], detail, replayed, records)
        return False

    def _same_record(self, tenant: str, value: bytes, records: Sequence[Record]) -> bool:
        record = self._audit.next(tenant)
        if record is not None and leaf_of(record.value) == value:
            self.records += 1
            return True
        detail = (
            "is not published"
            if record is None
            else explain(read_audit(record.value), read_audit(value))
        )
        self._differs("audit", record, tenant, detail, {}, records)
        return False

    def _differs(
        self,
        role: str,
        record: Record | None,
        tenant: str,
        detail: str,
        replayed: dict[str, object],
        records: Sequence[Record],
    ) -> None:
        self.difference = Difference(
            self._topics[role],
            self._shard,
            None if record is None else record.offset,
            tenant,
            self._source_of(replayed, records),
            detail,
        )

    def _source_of(self, replayed: dict[str, object], records: Sequence[Record]) -> int | None:
        """Find the source record that a prediction came of."""
        names = ("tenant", "id", "event_id")
        for record in records:
            try:
                event = self._events.event(self._events.payload(record, self._shard)[1])
            except BadMessage:
                continue
            if replayed and all(event[name] == replayed[name] for name in names):
                return record.offset
        return None

    def _signed(self) -> dict[tuple[str, int], tuple[bytes, bytes]]:
        """Read which roots and heads the published checkpoints state."""
        found = {}
        for batch in self._batches(self._reader, self._topics["audit-checkpoints"]):
            for record in batch:
                try:
                    note = read_checkpoint(record.value)
                except BadMessage:
                    continue  # what `weir verify` is there to find
                found[tenant_of(record.key), note.tree_size] = note.root, note.chain_head
        return found

    def _batches(self, reader: PartitionReader, topic: str) -> Generator[list[Record], None, None]:
        low, end = reader.bounds(topic, self._shard)
        yield from reader.read(topic, self._shard, low, end)

    def _flat(self, reader: PartitionReader, topic: str) -> Generator[Record, None, None]:
        for batch in self._batches(reader, topic):
            if not self._vault.on:
                yield from batch
                continue
            for record in batch:
                tenant = read_prediction(record.value).get("tenant", "?")
                if not self._vault.destroyed(tenant):
                    yield record
