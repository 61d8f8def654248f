"""Compares what a replay gives with what was published, and explains a difference."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.wire import without_header
from streams.audit_reader import leaf_of, tenant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from streams.kafka.reader import Record


class Difference(NamedTuple):
    """The first thing that is not as it was published.

    Attributes:
        topic: of the published record, or of the record that is missing there.
        partition: of the same.
        offset: of the same; None where there is none.
        tenant: whose.
        source_offset: of the event that it came of; None where unknown.
        detail: what differs, in words.
    """

    topic: str
    partition: int
    offset: int | None
    tenant: str
    source_offset: int | None
    detail: str

    def __str__(self) -> str:
        place = f"{self.topic}[{self.partition}]" + (
            "" if self.offset is None else f"@{self.offset}"
        )
        event = "" if self.source_offset is None else f", of the event at {self.source_offset}"
        return f"{place} (tenant {self.tenant}{event}): {self.detail}"


class Published:
    """The published audit records of one shard, tenant by tenant, as they are asked for.

    Tenants are mixed in the partition; what is read of one on the way to another's waits. Both
    sides follow the log, so that is little.

    Args:
        batches: committed records from the start.
        passed_over: tells of tenants whose records nobody asks for.
    """

    def __init__(
        self,
        batches: Generator[list[Record], None, None],
        passed_over: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._passed_over = passed_over
        self._batches = batches
        self._waiting: dict[str, deque[Record]] = {}

    def next(self, tenant: str) -> Record | None:
        """Return the tenant's next record; None at the end."""
        waiting = self._waiting.setdefault(tenant, deque())
        while not waiting:
            batch = next(self._batches, None)
            if batch is None:
                return None
            for record in batch:
                owner = tenant_of(record.key)
                if not self._passed_over(owner):
                    self._waiting.setdefault(owner, deque()).append(record)
        return waiting.popleft()

    def close(self) -> None:
        """End what is read."""
        self._batches.close()

    def skip(self, tenant: str, count: int) -> None:
        """Pass over records of a tenant."""
        for _ in range(count):
            self.next(tenant)


def read_prediction(value: bytes | None) -> dict[str, Any]:
    """Decode a prediction, with a registry's wire header or without; empty if it is none."""
    try:
        return dict(Codec("prediction").decode(without_header(value or b"")))
    except BadMessage:
        return {}


def read_audit(value: bytes | None) -> dict[str, Any]:
    """Decode an audit record into its fields; empty if it is none."""
    try:
        record = Codec("audit_record").decode(leaf_of(value))
    except BadMessage:
        return {}
    return {**record["leaf"], "curr": record["curr"]}


def explain(published: dict[str, Any], replayed: dict[str, Any]) -> str:
    """Say which fields differ, and how."""
    if not published:
        return "the published record cannot be read"
    told = [
        f"{name} was published as {_shown(published.get(name))}, replayed {_shown(value)}"
        for name, value in replayed.items()
        if _shown(published.get(name)) != _shown(value)
    ]
    return "; ".join(told) or "the bytes differ and no field does"


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)
