"""The engine of a shard, stepping again what another stepped, with the marks that it left."""

from __future__ import annotations

from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from state.audit.leaf import COLUMN, EPOCH, RECORD_BYTES, RECORD_DTYPE, SNAPSHOT, record_numbers
from streams.audit_reader import leaf_of, tenant_of
from streams.shard.engine import Engine
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from state.audit.chain import Chain
    from streams.kafka.reader import Record
    from streams.keys import KeyVersions
    from streams.shard.unit import Message

    Rows = np.ndarray[Any, np.dtype[Any]]


class Mark(NamedTuple):
    """A mark that somebody's decision left in a published log; a step could not tell of it.

    Attributes:
        place: number of the record in its log.
        row: the leaf, ``LEAF_DTYPE[1]``.
    """

    place: int
    row: Rows


class Marks:
    """The marks of the published logs of one shard: snapshots, and epochs.

    Attributes:
        snapshots: tenant → marks of snapshots, in order.
        epochs: tenant → record numbers of its epochs' marks.
    """

    def __init__(self) -> None:
        self.snapshots: dict[str, deque[Mark]] = {}
        self.epochs: dict[str, list[int]] = {}
        self._sizes: dict[str, int] = {}

    def read(self, records: Iterable[Record]) -> None:
        """Look for marks in the next published records."""
        for record in records:
            tenant, value = tenant_of(record.key), leaf_of(record.value)
            index = self._sizes.get(tenant, 0)
            self._sizes[tenant] = index + 1
            if len(value) != RECORD_BYTES:
                continue  # the comparison will say so
            kind = record_numbers(value)[0, COLUMN["format"]]
            if kind == SNAPSHOT:
                row = np.frombuffer(value, RECORD_DTYPE)["leaf"].copy()
                self.snapshots.setdefault(tenant, deque()).append(Mark(index, row))
            elif kind == EPOCH:
                self.epochs.setdefault(tenant, []).append(index)


class ReplayEngine(Engine):
    """Puts published marks of snapshots where they stood, and keeps all records in order.

    Attributes:
        marks: of the published logs; None: there are none to be put in.
        known_versions: tenant → versions of the secrets that its cell began with.
        trail: tenant and value of each audit record since it was last emptied, in order of each
            tenant's log.
    """

    marks: Marks | None = None
    known_versions: Mapping[str, KeyVersions] = MappingProxyType({})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trail: list[tuple[str, bytes]] = []

    def append(self, tenant: str, chain: Chain, leaves: Rows) -> list[bytes]:
        """Append leaves, and the marks that stood between them."""
        values: list[bytes] = []
        done = 0
        while done < len(leaves):
            self.insert_marks(tenant, chain)
            ahead = self._next_mark(tenant, chain)
            stop = (
                len(leaves) if ahead is None else min(len(leaves), done + ahead.place - chain.size)
            )
            part = chain.append(leaves[done:stop])
            self.trail += ((tenant, value) for value in part)
            values += part
            done = stop
        return values

    def begin_epoch(self, chains: Mapping[str, bytes], entry: bytes) -> UnitOfWork:
        """Go on with other chains, and keep the marks of it."""
        unit = super().begin_epoch(chains, entry)
        for message in unit.outputs["audit"]:
            self.trail.append((tenant_of(message["key"]), leaf_of(message["value"])))
        return unit

    def versions(self, tenant: str) -> KeyVersions:
        """Return the versions of the secrets that the original began with."""
        return self.known_versions.get(tenant) or super().versions(tenant)

    def insert_marks(self, tenant: str, chain: Chain) -> None:
        """Append the marks that stand where the chain ends now."""
        while (mark := self._next_mark(tenant, chain)) is not None and mark.place == chain.size:
            assert self.marks is not None
            self.marks.snapshots[tenant].popleft()
            self.trail += ((tenant, value) for value in chain.append(mark.row.copy()))

    def drain(self) -> list[Message]:
        """Give the audit records since the last call as messages, and forget them."""
        trail, self.trail = self.trail, []
        return [one for tenant, value in trail for one in self._codecs.audit(tenant, [value])]

    def closing(self) -> UnitOfWork:
        """Return a unit of work with a signed checkpoint of every cell."""
        unit = UnitOfWork(next_offset=self.next_offset or 0, records=0)
        self._sign(unit, list(self.tenants))
        return unit

    def insert_last_marks(self) -> None:
        """Append the marks that stand at the very end of the logs."""
        for tenant in self.tenants:
            self.insert_marks(tenant, self.chain(tenant))

    def _next_mark(self, tenant: str, chain: Chain) -> Mark | None:
        """Give the tenant's next mark at or after the end of its chain."""
        waiting = self.marks.snapshots.get(tenant) if self.marks is not None else None
        while waiting and waiting[0].place < chain.size:
            waiting.popleft()
        return waiting[0] if waiting else None
