"""Shards of messages with the shipped scanner and real tables, without Kafka."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from schemas.codec import Codec
from state.audit.leaf import RECORD_BYTES, RECORD_DTYPE
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.dlp import package, policy_file
from streams.dlp.live import LiveScanner, Sources
from streams.gate.codecs import GateCodecs
from streams.gate.engine import MessageEngine
from streams.gate.settings import MessageSettings
from streams.keys import CellKeys
from streams.settings import Settings
from streams.shard import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from streams.shard.unit import UnitOfWork

KEY = "sk_live_4qR8tYw2LmZx9KvBn7CpHd3J"
OUTSIDE = [{"address": "buyer@gmail.com", "kind": "TO", "external": True}]
INSIDE = [{"address": "kim@acme.example", "kind": "TO", "external": False}]
BODIES = (
    "See you at lunch, the usual place.",
    f"the new key is {KEY} please rotate the old one",
    "Card 4539 1488 0343 6467, name Renata Kowalczyk, thanks!",
    "Minutes of the meeting are on the wiki.",
    "Call me at +49 30 901820 when the contract is signed.",
)


class Arrived(NamedTuple):
    """A record as the fetcher brings it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@cache
def scanner() -> LiveScanner:
    """The shipped model and policy, loaded once."""
    return LiveScanner(Sources(package.SHIPPED, policy_file.SHIPPED))


def message(number: int, **fields: Any) -> dict[str, Any]:
    """Return a message; the same arguments give the same one."""
    return {
        "kind": "CHAT",
        "tenant": "acme",
        "id": f"m-{number}",
        "time_us": 1_700_000_000_000_000 + number,
        "recipients": OUTSIDE if number % 2 else INSIDE,
        "body": BODIES[number % len(BODIES)],
        **fields,
    }


def arrived(offset: int, record: dict[str, Any], **more: Any) -> Arrived:
    """Return a message as it comes at an offset, keyed by its thread or id."""
    thread = record.get("thread")
    key = (thread["id"] if thread else record["id"]).encode()
    return Arrived(offset, 0, key, Codec("message").encode(record), **more)


def conversation(count: int, threads: int = 2, tenants: Sequence[str] = ("acme",)) -> list[Arrived]:
    """Return messages of a few threads, some of none, as they come."""
    return [
        arrived(
            n,
            message(
                n,
                tenant=tenants[n % len(tenants)],
                thread=None if n % 5 == 4 else {"id": f"t-{n % threads}", "position": n // threads},
            ),
        )
        for n in range(count)
    ]


class GateLab:
    """Makes shards over one set of secrets.

    Args:
        folder: of secrets and tables.
        settings: of the scan.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        FileSecrets.initialise(folder / "secrets")
        self.keys = CellKeys(FileSecrets(folder / "secrets"), "test")
        self.folder = folder
        self.settings = MessageSettings(enabled=True, **settings)

    def engine(self, **settings: Any) -> MessageEngine:
        """Return a shard that has seen nothing."""
        return MessageEngine(
            0,
            self.settings.model_copy(update=settings),
            scanner(),
            self.keys,
            GateCodecs(Settings()),
            application_id="test",
            source_topic="messages",
            max_tenants=2,
            dimension=4,
        )

    def store(self, name: str = "table") -> ShardStore:
        """Return a table."""
        return ShardStore(self.folder / name)

    def restored(self, store: ShardStore, **settings: Any) -> MessageEngine:
        """Return a shard as its table says that it was."""
        engine = self.engine(**settings)
        reached, committed = restore.load_engine(engine, store)
        assert reached == committed
        return engine


def outputs(units: Iterable[UnitOfWork]) -> dict[str, list[Any]]:
    """Return what units give out, role by role, but for signed checkpoints."""
    found: dict[str, list[Any]] = {"forwards": [], "quarantine": []}
    for unit in units:
        for role, messages in unit.outputs.items():
            if role != "audit-checkpoints":
                found.setdefault(role, []).extend(messages)
        found["forwards"] += unit.forwards
        found["quarantine"] += unit.quarantine
    return found


def run(
    engine: MessageEngine, records: Sequence[Arrived], cuts: Sequence[int] = (), store: Any = None
) -> list[UnitOfWork]:
    """Process records, cut into units before the given places; commit them to a store."""
    units = []
    bounds = [0, *cuts, len(records)]
    for start, stop in pairwise(bounds):
        if start == stop:
            continue
        units.append(engine.process(records[start:stop]))
        if store is not None:
            store.write(units[-1].state, changelog_offset=len(units))
    return units


def verdict_of(value: bytes) -> dict[str, Any]:
    """Decode a verdict."""
    return dict(Codec("verdict").decode(value))


def leaves(units: Iterable[UnitOfWork]) -> Any:
    """Return the audit leaves of units."""
    values = [one["value"][-RECORD_BYTES:] for one in outputs(units).get("audit", [])]
    return np.frombuffer(b"".join(values), RECORD_DTYPE)["leaf"]


def bare_digest(value: bytes) -> bytes:
    """Return the digest of a single object without its header."""
    return hashlib.sha256(value[10:]).digest()
