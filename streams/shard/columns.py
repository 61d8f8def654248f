"""From the records of a fetch to the columns that a cell's kernel takes, tenant by tenant."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from operators.batch import EventBatch
from schemas.errors import BadMessage
from schemas.reasons import Reason
from streams.shard.event_spans import ABSENT, MAX_TENANT_BYTES, WORD, copy_parts
from streams.shard.event_table import EventTable
from streams.shard.known_names import KnownNames
from streams.shard.normal_form import OPTIONAL, NormalForm, normal_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from schemas.hashing import FeatureHasher
    from streams.kafka.fetch import SourceRecord


_NOT_OF_A_LABEL = (
    "features",
    "feature_ids",
    "feature_values",
    "key",
    "value",
    "query",
    "context",
)


class EventReader(Protocol):
    """Takes a source record to an event; both methods raise BadMessage."""

    def payload(self, record: SourceRecord, shard: int) -> tuple[bytes, bytes]:
        """Return the Avro bytes that are audited, and the same event in our own schema's."""

    def event(self, ours: bytes) -> dict[str, Any]:
        """Decode an event of our own schema."""


class Admission(Protocol):
    """Who decides which tenants a shard serves.

    A tenant takes a place with its first event that can be read, and not before: a place is part of
    the shard's state, and an event that goes to quarantine leaves none.
    """

    def hasher(self, tenant: str) -> FeatureHasher:
        """Return a tenant's feature hasher; BadMessage where there is no place for it."""

    def admit(self, tenant: str, hasher: FeatureHasher) -> None:
        """Give the tenant its place, if it has none yet."""

    def serves(self, tenant: str) -> bool:
        """Tell whether the tenant has its place; BadMessage where it was erased."""


class Rejected(NamedTuple):
    """A record that cannot be used, and why."""

    position: int
    error: BadMessage


class Text(NamedTuple):
    """One column of text: parts of a batch's bytes.

    Attributes:
        raw: UTF-8 of many parts.
        starts: int64[n], where each part begins.
        lengths: int64[n], bytes of each.
    """

    raw: bytes
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    def parts(self) -> list[bytes]:
        """Cut the parts out. O(bytes of the parts)."""
        raw = self.raw
        ends = (self.starts + self.lengths).tolist()
        return [raw[start:end] for start, end in zip(self.starts.tolist(), ends, strict=True)]

    def select(self, rows: npt.NDArray[np.int64]) -> Text:
        """Return the parts at some rows, over the same bytes."""
        return Text(self.raw, self.starts[rows], self.lengths[rows])


class TenantColumns(NamedTuple):
    """The usable events of one tenant in a batch.

    Attributes:
        positions: int64[n], where each event stood in the batch.
        ids: entity ids.
        event_ids: ids of the events.
        digests: uint8[n, 32], SHA-256 of each event's Avro bytes.
        late: bool[n], whether it is a late label: then only its label means anything.
        notes: bool[n], whether it is a note for the audit trail: then only its digest means
            anything (see ``streams.shard.notes``).
        batch: the columns.
    """

    positions: npt.NDArray[np.int64]
    ids: Text
    event_ids: Text
    digests: npt.NDArray[np.uint8]
    late: npt.NDArray[np.bool_]
    notes: npt.NDArray[np.bool_]
    batch: EventBatch

    def select(self, rows: npt.NDArray[np.int64]) -> TenantColumns:
        """Return the events at some rows."""
        return TenantColumns(
            positions=self.positions[rows],
            ids=self.ids.select(rows),
            event_ids=self.event_ids.select(rows),
            digests=self.digests[rows],
            late=self.late[rows],
            notes=self.notes[rows],
            batch=self.batch.select(rows),
        )


class Decoder:
    """Turns records into columns; bad ones are told apart, never dropped.

    Args:
        reader: takes records to events.
        shard: partition that the records come from.
        admission: which tenants are served.
        dimension: length of key and query vectors.
        value_dimension: length of value vectors.
        max_bytes: larger values are refused unread.
    """

    def __init__(
        self,
        reader: EventReader,
        shard: int,
        admission: Admission,
        *,
        dimension: int,
        value_dimension: int,
        max_bytes: int,
    ) -> None:
        self._reader = reader
        self._shard = shard
        self._admission = admission
        self._vector_bytes = WORD * dimension
        self._value_bytes = WORD * value_dimension
        self._max_bytes = max_bytes
        self._names: dict[str, KnownNames] = {}

    def __call__(
        self, records: Sequence[SourceRecord]
    ) -> tuple[dict[str, TenantColumns], list[Rejected]]:
        """Decode a batch. O(bytes); the order of events within a tenant is that of the log."""
        rejected: list[Rejected] = []
        table = self._read(records, rejected)
        tenants: dict[str, list[npt.NDArray[np.int64]]] = {}
        for start, stop in table.runs():
            try:
                if table.spans["parsed"][start]:
                    tenant = table.tenant(start)
                    self._admission.admit(tenant, self._admission.hasher(tenant))
                else:
                    tenant, parts = self._by_codec(table, start)
                    table.set_parts(start, parts)
            except BadMessage as error:
                rejected += (Rejected(at, error) for at in table.positions[start:stop].tolist())
            else:
                tenants.setdefault(tenant, []).append(np.arange(start, stop))
        rejected.sort(key=lambda item: item.position)
        rows = {tenant: np.concatenate(runs) for tenant, runs in tenants.items()}
        for tenant, mine in rows.items():
            self._look_up(table, tenant, mine)
        raw = table.all_bytes()
        return {tenant: self._columns(table, raw, mine) for tenant, mine in rows.items()}, rejected

    def forget(self, tenant: str) -> None:
        """Drop the names of a tenant that was erased."""
        self._names.pop(tenant, None)

    def _read(self, records: Sequence[SourceRecord], rejected: list[Rejected]) -> EventTable:
        """Take records to events and find their parts."""
        payload, shard, max_bytes = self._reader.payload, self._shard, self._max_bytes
        sha256 = hashlib.sha256
        positions, values, digests = [], [], []
        for position, record in enumerate(records):
            value = record.value
            try:
                if not value:
                    raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
                if len(value) > max_bytes:
                    raise BadMessage(
                        Reason.OVERSIZED,
                        f"{len(value)} bytes; stream.max_event_bytes allows {max_bytes}",
                    )
                audited, ours = payload(record, shard)
            except BadMessage as error:
                rejected.append(Rejected(position, error))
                continue
            positions.append(position)
            values.append(ours)
            digests.append(sha256(audited).digest())
        return EventTable(positions, values, digests, self._vector_bytes, self._value_bytes)

    def _by_codec(self, table: EventTable, row: int) -> tuple[str, NormalForm]:
        """Let the codec read a row, and return its tenant and its parts.

        Raises:
            BadMessage: it cannot be used.
        """
        event = self._reader.event(table.values[row])
        if event["kind"] == "NOTE":
            event = event | dict.fromkeys(OPTIONAL)
            table.notes[row] = True
        late = event["kind"] == "LABEL"
        tenant: str = event["tenant"]
        if not tenant or len(tenant.encode()) > MAX_TENANT_BYTES:
            raise BadMessage(
                Reason.BAD_FIELD, f"tenant must have 1 to {MAX_TENANT_BYTES} bytes of UTF-8"
            )
        if late:
            served = self._admission.serves(tenant)
            if event["label"] is None:
                raise BadMessage(Reason.BAD_FIELD, "a late label without a label")
            if not served:
                raise BadMessage(
                    Reason.LATE_LABEL_UNMATCHED, "no observation of this tenant has come yet"
                )
            event = event | dict.fromkeys(_NOT_OF_A_LABEL)
            table.late[row] = True
        hasher = self._admission.hasher(tenant)
        parts = normal_form(event, hasher, self._vector_bytes, self._value_bytes)
        self._admission.admit(tenant, hasher)
        return tenant, parts

    def _look_up(self, table: EventTable, tenant: str, rows: npt.NDArray[np.int64]) -> None:
        """Put ids in the place of the names that a tenant's parsed rows have.

        What is parsed the codec takes too: none of these rows is refused, whatever is known.
        """
        mapped = rows[table.map_words[rows] > 0]
        if not len(mapped):
            return
        names = self._known_names(tenant)
        index = 0
        while (index := names.look_up(table, mapped, index)) < len(mapped):
            row = int(mapped[index])
            _, parts = self._by_codec(table, row)
            names.learn(table, row, parts)
            table.set_parts(row, parts)
            index += 1

    def _known_names(self, tenant: str) -> KnownNames:
        """Return what is known under the hasher that the tenant has now."""
        hasher = self._admission.hasher(tenant)
        names = self._names.get(tenant)
        if names is None or names.hasher is not hasher:
            names = self._names[tenant] = KnownNames(hasher)
        return names

    def _columns(self, table: EventTable, raw: bytes, rows: npt.NDArray[np.int64]) -> TenantColumns:
        """Copy a tenant's rows into columns."""
        spans, blob = table.spans[rows], np.frombuffer(raw, np.uint8)
        events = len(rows)
        indptr = _pointers(spans["features_bytes"])
        ctx_indptr = _pointers(spans["context_bytes"])
        looked_up = table.looked_up.view(np.uint8)

        def column(name: str, at: npt.NDArray[np.int64], dtype: Any = np.float64) -> Any:
            out = np.zeros(int(at[-1]), dtype)
            copy_parts(blob, looked_up, _packed(spans[name]), at * WORD, out.view(np.uint8))
            return out

        def vectors(name: str, size: int) -> Any:
            return column(name, np.arange(events + 1) * (size // WORD)).reshape(events, -1)

        def there(name: str) -> Any:
            return (spans[name] != ABSENT).astype(np.uint8)

        def text(name: str) -> Text:
            return Text(raw, _packed(spans[name]), _packed(spans[f"{name}_bytes"]))

        batch = EventBatch(
            indptr=indptr,
            ids=column("features", indptr, np.uint64),
            values=column("values", indptr),
            time_us=_packed(spans["time_us"]),
            label=vectors("label", WORD).reshape(events),
            has_label=there("label"),
            key=vectors("key", self._vector_bytes),
            has_key=there("key"),
            query=vectors("query", self._vector_bytes),
            has_query=there("query"),
            value=vectors("value", self._value_bytes),
            has_value=there("value"),
            ctx_indptr=ctx_indptr,
            ctx_ids=column("context", ctx_indptr, np.uint64),
        )
        return TenantColumns(
            positions=table.positions[rows],
            ids=text("id"),
            event_ids=text("event_id"),
            digests=table.digests[rows],
            late=table.late[rows],
            notes=table.notes[rows],
            batch=batch,
        )


def _packed(column: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return a column of a table by itself: kernels are compiled for those."""
    return np.ascontiguousarray(column)


def _pointers(part_bytes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return int64[n+1], where each row's words begin."""
    pointers = np.zeros(len(part_bytes) + 1, dtype=np.int64)
    np.cumsum(part_bytes // WORD, out=pointers[1:])
    return pointers
