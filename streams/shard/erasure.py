"""Tenants whose data keys were destroyed: what is left of them in a shard, and what says so.

What they taught cannot be read any more, wherever it lies. Their audit chains stay, so that they
verify as before; the last record of each is a mark of the erasure. In the state

    chain records        stay, and are part of the shard's root
    manifests, blocks    are deleted
    erased record        says at which source offset, as canonical JSON; the mark holds its SHA-256

The record is written with the mark, in a unit of work that is a checkpoint: a re-step goes by the
log of events, which does not tell of it. Between the destruction of a key and that unit, a shard
that is restored finds a cell that it cannot open: it passes over it, takes the chain as it was
committed, and writes the mark then.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from state import cell_keys
from state.audit.chain import Chain
from state.audit.leaf import ERASURE, mark_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from state import cells


@dataclass
class _Remains:
    """What is left of a tenant.

    Attributes:
        chain: its audit chain.
        delete: keys of records that are still to be deleted.
        record: the erased record; None: it is still to be written.
        listed: size of the chain as the shard's root has it.
    """

    chain: Chain
    delete: Sequence[bytes] = ()
    record: bytes | None = None
    listed: int = -1


class ErasedTenants:
    """The erased tenants of a shard."""

    def __init__(self) -> None:
        self._remains: dict[str, _Remains] = {}

    def __contains__(self, tenant: object) -> bool:
        return tenant in self._remains

    @property
    def pending(self) -> bool:
        """Some were not marked yet."""
        return any(left.record is None for left in self._remains.values())

    @property
    def chains(self) -> Mapping[str, Chain]:
        """Chains by tenant."""
        return {tenant: left.chain for tenant, left in self._remains.items()}

    def add(self, tenant: str, chain: Chain, delete: Sequence[bytes]) -> None:
        """Take what is left of a tenant, to be marked with the next unit of work.

        Args:
            tenant: whose keys were destroyed.
            chain: its audit chain.
            delete: keys of its cell's records.
        """
        self._remains[tenant] = _Remains(chain, delete)

    def grown(self) -> Iterator[Chain]:
        """Give the chains that are others than at the last call."""
        for left in self._remains.values():
            if left.listed != left.chain.size:
                left.listed = left.chain.size
                yield left.chain

    def load(self, store: cells.Records, log_name: Callable[[str], str]) -> None:
        """Take those that the state says were erased."""
        for key, record in store.items(cell_keys.erased_prefix()):
            tenant = cell_keys.tenant_of(key)
            value = store.get(cell_keys.chain_key(tenant)) or b""
            chain = Chain.from_bytes(log_name(tenant), value)
            self._remains[tenant] = _Remains(chain, (), record)

    def adopt(self, origin: str, tenant: str, chain: bytes) -> None:
        """Take the chain of a tenant as it was committed.

        Args:
            origin: name of the chain.
            tenant: whose.
            chain: ``Chain.to_bytes``.
        """
        left = self._remains.setdefault(tenant, _Remains(Chain(origin)))
        left.chain = Chain.from_bytes(origin, chain)

    def mark(self, offset: int) -> Iterator[tuple[str, list[bytes]]]:
        """Mark the erasure in the chains that lack it; yields tenants and audit records."""
        record = json.dumps({"at": offset}).encode()
        digest = hashlib.sha256(record).digest()
        for tenant, left in sorted(self._remains.items()):
            if left.record is None:
                left.record = record
                yield tenant, left.chain.append(mark_row(ERASURE, 0, digest))

    def changes(self, tenant: str) -> Iterator[tuple[bytes, bytes | None]]:
        """Give the records of a tenant that was marked."""
        left = self._remains[tenant]
        for key in left.delete:
            yield key, None
        left.delete = ()
        yield from self._chain_records(tenant, left)

    def records(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Give the records of all tenants, for a state that is written anew as a whole."""
        for tenant, left in self._remains.items():
            yield from self._chain_records(tenant, left)

    @staticmethod
    def _chain_records(tenant: str, left: _Remains) -> Iterator[tuple[bytes, bytes | None]]:
        chain = left.chain.to_bytes()
        yield cell_keys.chain_key(tenant), chain
        yield cell_keys.chain_checkpoint_key(tenant), chain
        if left.record is not None:
            yield cell_keys.erased_key(tenant), left.record


def keys_of_cell(store: cells.Records, tenant: str) -> list[bytes]:
    """Return the keys of all records of a tenant's cell. O(records)."""
    return [key for prefix in cell_keys.cell_prefixes(tenant) for key, _ in store.items(prefix)]
