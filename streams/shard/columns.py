"""From the records of a fetch to the columns that a cell's kernel takes, tenant by tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.batch import EventBatch
from schemas.errors import BadMessage
from schemas.reasons import Reason
from streams.kafka.fetch import SourceRecord

if TYPE_CHECKING:
    from schemas.hashing import FeatureHasher

MAX_TIME_US = 2**53  # audit records hold the time as a double
MAX_TENANT_BYTES = 200
MAX_ID_CHARACTERS = 1_000  # both ids are copied to outputs, which must stay small
WORD = 8  # bytes of an id, of a value, of a vector's element


EventReader = Callable[[SourceRecord, int], tuple[bytes, dict[str, Any]]]
"""Takes a record and its shard to an event's Avro bytes, without wire header, and the event."""


class Rejected(NamedTuple):
    """A record that cannot be used, and why."""

    position: int
    error: BadMessage


class TenantColumns(NamedTuple):
    """The usable events of one tenant in a batch.

    Attributes:
        positions: int64[n], where each event stood in the batch.
        ids: entity ids.
        event_ids: ids of the events.
        digests: uint8[n, 32], SHA-256 of each event's Avro bytes.
        batch: the columns.
    """

    positions: np.ndarray
    ids: list[str]
    event_ids: list[str]
    digests: np.ndarray
    batch: EventBatch


class _Row(NamedTuple):
    """One event; parts of columns stay bytes until they are joined once a batch."""

    position: int
    entity: str
    event_id: str
    time_us: int
    digest: bytes
    feature_ids: bytes
    feature_values: bytes
    label: float
    has_label: bool
    key: bytes
    has_key: bool
    query: bytes
    has_query: bool
    value: bytes
    has_value: bool
    context: bytes


class _Rows:
    """Collects the events of one tenant."""

    def __init__(self, dimension: int, value_dimension: int, hasher: FeatureHasher) -> None:
        self.rows: list[_Row] = []
        self._hasher = hasher
        self._no_vector = bytes(WORD * dimension)
        self._no_value = bytes(WORD * value_dimension)

    def add(self, position: int, payload: bytes, event: dict[str, Any]) -> None:
        """Take one event, or raise before anything of it is taken.

        Raises:
            BadMessage: a field is out of range or of the wrong length.
        """
        time_us = event["time_us"]
        if not 0 <= time_us < MAX_TIME_US:
            raise BadMessage(Reason.BAD_FIELD, f"time_us {time_us} is outside 0..2^53")
        entity, event_id = event["id"], event["event_id"]
        if len(entity) > MAX_ID_CHARACTERS or len(event_id) > MAX_ID_CHARACTERS:
            raise BadMessage(
                Reason.BAD_FIELD,
                f"id has {len(entity)} characters and event_id {len(event_id)}: "
                f"at most {MAX_ID_CHARACTERS} are allowed",
            )
        ids, values = self._features(event)
        no_vector, no_value = self._no_vector, self._no_value
        key, query, value = event["key"], event["query"], event["value"]
        if key is not None and len(key) != len(no_vector):
            raise _misfit("key", key, no_vector)
        if query is not None and len(query) != len(no_vector):
            raise _misfit("query", query, no_vector)
        if value is not None and len(value) != len(no_value):
            raise _misfit("value", value, no_value)
        context = event["context"]
        label = event["label"]
        self.rows.append(
            _Row(
                position,
                entity,
                event_id,
                time_us,
                hashlib.sha256(payload).digest(),
                ids,
                values,
                0.0 if label is None else label,
                label is not None,
                no_vector if key is None else key,
                key is not None,
                no_vector if query is None else query,
                query is not None,
                no_value if value is None else value,
                value is not None,
                self._context(context) if context else b"",
            )
        )

    def _features(self, event: dict[str, Any]) -> tuple[bytes, bytes]:
        ids: bytes = event["feature_ids"] or b""
        values: bytes = event["feature_values"] or b""
        if len(ids) != len(values) or len(ids) % WORD:
            raise BadMessage(
                Reason.LENGTH_MISMATCH,
                f"feature_ids has {len(ids)} bytes and feature_values {len(values)}: "
                "both must be packed 8-byte little-endian words, as many of one as of the other",
            )
        named: dict[str, float] | None = event["features"]
        if not named:
            return ids, values
        hashed = self._hasher.hash_many(list(named))
        numbers = np.fromiter(named.values(), dtype="<f8", count=len(named))
        return hashed.astype("<u8").tobytes() + ids, numbers.tobytes() + values

    def _context(self, context: dict[str, str]) -> bytes:
        names = [f"{name}={value}" for name, value in context.items()]
        return self._hasher.hash_many(names).astype("<u8").tobytes()

    def columns(self) -> TenantColumns:
        """Join the parts. O(bytes)."""
        n = len(self.rows)
        # The same names, each now a whole column.
        at: Any = _Row._make(zip(*self.rows, strict=True))
        batch = EventBatch(
            indptr=_row_pointers(at.feature_ids),
            ids=_joined(at.feature_ids, np.uint64),
            values=_joined(at.feature_values, np.float64),
            time_us=np.array(at.time_us, dtype=np.int64),
            label=np.array(at.label, dtype=np.float64),
            has_label=np.array(at.has_label, dtype=np.uint8),
            key=_joined(at.key, np.float64).reshape(n, -1),
            has_key=np.array(at.has_key, dtype=np.uint8),
            query=_joined(at.query, np.float64).reshape(n, -1),
            has_query=np.array(at.has_query, dtype=np.uint8),
            value=_joined(at.value, np.float64).reshape(n, -1),
            has_value=np.array(at.has_value, dtype=np.uint8),
            ctx_indptr=_row_pointers(at.context),
            ctx_ids=_joined(at.context, np.uint64),
        )
        return TenantColumns(
            positions=np.array(at.position, dtype=np.int64),
            ids=list(at.entity),
            event_ids=list(at.event_id),
            digests=_joined(at.digest, np.uint8).reshape(n, hashlib.sha256().digest_size),
            batch=batch,
        )


def _misfit(field: str, packed: bytes, blank: bytes) -> BadMessage:
    return BadMessage(
        Reason.DIMENSION_MISMATCH,
        f"{field} has {len(packed)} bytes; the configuration says {len(blank) // WORD} "
        "packed little-endian doubles",
    )


def _joined(parts: Sequence[bytes], dtype: type[np.generic]) -> np.ndarray:
    # A bytearray, because kernels are compiled for writable arrays.
    return np.frombuffer(bytearray(b"".join(parts)), dtype=dtype)


def _row_pointers(parts: Sequence[bytes]) -> np.ndarray:
    pointers = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)) // WORD, out=pointers[1:])
    return pointers


class Decoder:
    """Turns records into columns; bad ones are told apart, never dropped.

    Args:
        read: see ``EventReader``; raises BadMessage.
        shard: partition that the records come from.
        hasher: gives a tenant's feature hasher. Raises BadMessage where the tenant is not served.
        dimension: length of key and query vectors.
        value_dimension: length of value vectors.
        max_bytes: larger values are refused unread.
    """

    def __init__(
        self,
        read: EventReader,
        shard: int,
        hasher: Callable[[str], FeatureHasher],
        *,
        dimension: int,
        value_dimension: int,
        max_bytes: int,
    ) -> None:
        self._read = read
        self._shard = shard
        self._hasher = hasher
        self._dimension = dimension
        self._value_dimension = value_dimension
        self._max_bytes = max_bytes

    def __call__(
        self, records: Sequence[SourceRecord]
    ) -> tuple[dict[str, TenantColumns], list[Rejected]]:
        """Decode a batch. O(bytes); the order of events within a tenant is that of the log."""
        tenants: dict[str, _Rows] = {}
        rejected: list[Rejected] = []
        read, shard, max_bytes = self._read, self._shard, self._max_bytes
        for position, record in enumerate(records):
            try:
                value = record.value
                if not value:
                    raise BadMessage(Reason.EMPTY_VALUE, "the record has no value")
                if len(value) > max_bytes:
                    raise BadMessage(
                        Reason.OVERSIZED,
                        f"{len(value)} bytes; stream.max_event_bytes allows {max_bytes}",
                    )
                payload, event = read(record, shard)
                if event["kind"] != "OBSERVATION":
                    raise BadMessage(
                        Reason.LATE_LABEL_UNMATCHED,
                        "a late label whose observation is not held; send the label with the event",
                    )
                tenant = event["tenant"]
                rows = tenants.get(tenant)
                if rows is None:
                    rows = tenants[tenant] = self._rows(tenant)
                rows.add(position, payload, event)
            except BadMessage as error:
                rejected.append(Rejected(position, error))
        return {t: rows.columns() for t, rows in tenants.items() if rows.rows}, rejected

    def _rows(self, tenant: str) -> _Rows:
        if not tenant or len(tenant.encode()) > MAX_TENANT_BYTES:
            raise BadMessage(
                Reason.BAD_FIELD, f"tenant must have 1 to {MAX_TENANT_BYTES} bytes of UTF-8"
            )
        return _Rows(self._dimension, self._value_dimension, self._hasher(tenant))
