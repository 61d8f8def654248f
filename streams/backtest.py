"""The same units of work over a file, without Kafka: same predictions, weights and audit roots.

People try a configuration on their history with it before they deploy it, and it is the reference
that every crash test of the stream is compared with.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from state.audit.checkpoint import origin_of
from state.audit.files import ORIGIN
from state.audit.leaf import RECORD_BYTES, RECORD_DTYPE, STEPS
from streams.containers import ContainerFile
from streams.feed import FedEvent, RejectedRow, murmur2_partition
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import file_codecs
from streams.scores import LEARNERS, Scoreboard
from streams.shard.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from operators.fusion.cell import Cell
    from schemas.registry import SchemaName
    from streams.settings import Settings
    from streams.shard.unit import Message, UnitOfWork

UNIT_EVENTS = 1_000
"""Events a unit of work. It changes where audit checkpoints stand, and nothing else."""


@dataclass(frozen=True)
class CellReport:
    """Where a cell stands at the end.

    Attributes:
        tenant, shard: which.
        steps: events learnt from or predicted.
        audit_root: RFC 6962 root over its audit records.
        chain_head: leaf hash of its last audit record.
        state_digest: SHA-256 over all its arrays; equal for equal weights.
    """

    tenant: str
    shard: int
    steps: int
    audit_root: bytes
    chain_head: bytes
    state_digest: bytes


@dataclass
class BacktestReport:
    """What a run did.

    Attributes:
        events: events read from the source.
        rejected: rows of the source that gave no event.
        quarantined: events that a shard refused.
        predictions: predictions made.
        seconds: wall-clock time in the shards.
        scores: progressive scores of the predictions whose label came, at once or late.
        cells: in the order of shard and tenant.
    """

    events: int = 0
    rejected: int = 0
    quarantined: int = 0
    predictions: int = 0
    seconds: float = 0.0
    scores: Scoreboard = field(default_factory=Scoreboard)
    cells: list[CellReport] = field(default_factory=list)


def state_digest(cell: Cell) -> bytes:
    """Hash all arrays of a cell. O(bytes of its state)."""
    digest = hashlib.sha256()
    for name, array in sorted(cell.to_state().items()):
        digest.update(f"{name} {array.dtype.str} {array.size}\n".encode())
        digest.update(array.tobytes())
    return digest.digest()


def _judge(scores: Scoreboard, audit: list[Message]) -> None:
    """Judge the predictions that audit records have a label for, in the order of the labels."""
    records = b"".join([message["value"][-RECORD_BYTES:] for message in audit])
    leaves = np.frombuffer(records, RECORD_DTYPE)["leaf"]
    names = ("label", *LEARNERS.values())
    labelled = leaves[np.isin(leaves["format"], STEPS) & ~np.isnan(leaves["label"])]
    for row in zip(*(labelled[name].tolist() for name in names), strict=True):
        scores.judge(dict(zip(names, row, strict=True)))


class _Outputs:
    """Files of one run; nothing is written without a folder."""

    def __init__(self, folder: Path | None, application_id: str, stack: ExitStack) -> None:
        self._folder = folder
        self._application_id = application_id
        self._stack = stack
        self._files: dict[tuple[str, str, int], ContainerFile] = {}

    def write(self, shard: int, unit: UnitOfWork) -> None:
        if self._folder is None:
            return
        name = f"{shard:05d}.avro"
        for role, schema in (("predictions", "prediction"), ("quarantine", "quarantine")):
            values = (
                [message["value"] for message in unit.outputs[role]]
                if role == "predictions"
                else [value for _, value, _ in unit.quarantine]
            )
            if values:
                self._file(role, "", shard, schema, f"{role}/{name}").append(values)
        for role, schema in (
            ("audit", "audit_record"),
            ("audit-checkpoints", "audit_checkpoint"),
        ):
            by_tenant: dict[str, list[bytes]] = {}
            for message in unit.outputs.get(role, ()):
                key, value = message["key"], message["value"]
                assert key is not None
                by_tenant.setdefault(key.decode(), []).append(value)
            for tenant, values in by_tenant.items():
                origin = origin_of(self._application_id, tenant, shard)
                folder = origin.removeprefix(f"{self._application_id}/").rpartition("/")[0]
                path = f"{role}/{folder}/{name}"
                self._file(role, tenant, shard, schema, path, {ORIGIN: origin}).append(values)

    def _file(
        self,
        role: str,
        tenant: str,
        shard: int,
        schema: Any,
        path: str,
        metadata: dict[str, str] | None = None,
    ) -> ContainerFile:
        key = (role, tenant, shard)
        if key not in self._files:
            assert self._folder is not None
            name: SchemaName = schema
            self._files[key] = self._stack.enter_context(
                ContainerFile(self._folder / path, name, metadata)
            )
        return self._files[key]


def run_backtest(
    settings: Settings,
    feed: Iterable[FedEvent | RejectedRow],
    folder: Path | None = None,
    *,
    unit_events: int = UNIT_EVENTS,
    progress: Callable[[int], None] = lambda events: None,  # noqa: ARG005 - nobody looks
) -> BacktestReport:
    """Run the shards over a feed.

    Args:
        settings: the learner, its keys, and ``topics.partitions``: the number of shards.
        feed: events in the order of the log.
        folder: where predictions, audit records, checkpoints and quarantine go as Avro files;
            None: nowhere.
        unit_events: events of a shard that make a unit of work.
        progress: told how many events have been stepped through so far.

    Raises:
        ConfigError: a file exists already.
        SecretError: a secret is missing.
    """
    keys = CellKeys.open(settings)
    codecs = file_codecs()
    source = settings.topics.name("events")
    shards = [
        Engine(
            number,
            settings.learner,
            keys,
            codecs,
            application_id=settings.application_id,
            source_topic=source,
            max_event_bytes=settings.stream.max_event_bytes,
            max_tenants=settings.stream.max_tenants,
            labels=settings.labels,
            quotas=settings.quotas,
        )
        for number in range(settings.topics.partitions)
    ]
    waiting: list[list[Record]] = [[] for _ in shards]
    ends = [0] * len(shards)
    report = BacktestReport()
    with ExitStack() as stack:
        outputs = _Outputs(folder, settings.application_id, stack)

        def step(shard: int) -> None:
            started = time.perf_counter()
            unit = shards[shard].process(waiting[shard])
            report.seconds += time.perf_counter() - started
            waiting[shard] = []
            report.quarantined += len(unit.quarantine)
            report.predictions += len(unit.outputs["predictions"])
            _judge(report.scores, unit.outputs["audit"])
            outputs.write(shard, unit)
            progress(report.events)

        for item in feed:
            if isinstance(item, RejectedRow):
                report.rejected += 1
                continue
            report.events += 1
            shard = murmur2_partition(item.key, len(shards))
            waiting[shard].append(Record(ends[shard], 0, item.key, item.value))
            ends[shard] += 1
            if len(waiting[shard]) >= unit_events:
                step(shard)
        for shard, records in enumerate(waiting):
            if records:
                step(shard)
    report.cells = [
        CellReport(
            tenant,
            engine.shard,
            engine.chain(tenant).size,
            engine.chain(tenant).root(),
            engine.chain(tenant).head,
            state_digest(cell),
        )
        for engine in shards
        for tenant, cell in sorted(engine.tenants.items())
    ]
    return report
