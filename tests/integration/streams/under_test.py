"""A stream under test: topics of its own, workers as processes, and an undisturbed reference."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import fastavro
import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.codec import Codec
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.backtest import BacktestReport, run_backtest, state_digest
from streams.feed import FedEvent, murmur2_partition
from streams.kafka.clients import client_config, retried
from streams.kafka.reader import PartitionReader, Record
from streams.kafka.topics import (
    MAX_RECORD_BYTES,
    changelog_name,
    create_source,
    prepare_topics,
)
from streams.keys import CellKeys
from streams.messages import build_codecs
from streams.settings import Settings, load_settings
from streams.shard import restore
from streams.shard.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.broker.handle import CrashableBroker

PATIENCE_S = 120
POLL_S = 0.05
SHARDS = 3
CRASHING_WORKER = Path(__file__).with_name("crashing_worker.py")
STALLING_WORKER = Path(__file__).with_name("stalling_worker.py")


def make_events(
    count: int, *, start: int = 0, tenants: Sequence[str] = ("acme",)
) -> list[FedEvent]:
    """Return events of a learnable problem; the same arguments give the same bytes."""
    encode = Codec("event").encode
    events = []
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        ids = rng.zipf(1.3, size=8).astype("<u8") % 5_000
        values = rng.normal(size=8)
        key = rng.normal(size=4)
        record: dict[str, Any] = {
            "kind": "OBSERVATION",
            "tenant": tenants[number % len(tenants)],
            "id": f"entity-{rng.integers(200)}",
            "event_id": f"event-{number}",
            "time_us": 1_700_000_000_000_000 + number * 1_000,
            "label": float(values[:3].sum() + key[0] > 0),
            "features": {"hour": float(number % 24), "amount": float(values[3])},
            "feature_ids": ids.tobytes(),
            "feature_values": values.tobytes(),
            "key": key.tobytes(),
        }
        events.append(FedEvent(record["id"].encode(), encode(record)))
    return events


@dataclass
class WorkerProcess:
    """A worker of the stream, as its users would run it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Ask the worker's HTTP server; status 0 while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Sum a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.split("{")[0].split(" ")[0] == name
        )

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; return the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def wait_ended(self) -> int:
        """Return the exit code of a worker that ends by itself."""
        return self.process.wait(PATIENCE_S)

    def text(self) -> str:
        """Return what it logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@dataclass
class Stream:
    """Topics, settings and workers of one test."""

    settings: Settings
    folder: Path
    environment: dict[str, str]
    shards: int = SHARDS
    sent: list[FedEvent] = field(default_factory=list)
    workers: list[WorkerProcess] = field(default_factory=list)

    # -- in ---------------------------------------------------------------------------------------

    def produce(self, events: Sequence[FedEvent], role: str = "events") -> None:
        """Send events or other records, acknowledged before this returns."""
        producer = Producer(
            client_config(
                self.settings.broker,
                partitioner="murmur2",
                enable_idempotence=True,
                message_max_bytes=MAX_RECORD_BYTES,
            )
        )
        failures: list[str] = []
        for event in events:
            producer.produce(
                self.topic(role),
                event.value,
                key=event.key,
                on_delivery=lambda error, _: failures.append(str(error)) if error else None,
            )
            producer.poll(0)
        assert producer.flush(PATIENCE_S) == 0
        assert not failures
        if role == "events":
            self.sent.extend(events)

    # -- workers ----------------------------------------------------------------------------------

    def start(
        self,
        name: str = "w0",
        *,
        crash: str | None = None,
        stall: Path | None = None,
        largest_file_kib: int | None = None,
        program: Path | None = None,
        options: Sequence[str] = (),
        **environment: str,
    ) -> WorkerProcess:
        """Start a worker.

        Args:
            name: of its data folder and its log.
            crash: let it kill itself at that stage of a commit.
            stall: let its third unit of work wait until this file is there.
            largest_file_kib: let writes to larger files fail, as on a full disk.
            program: tree of another release to run.
            options: of ``weir worker``.
            environment: further variables.
        """
        log = self.folder / f"{name}-{len(self.workers)}.log"
        port = _free_port()
        if crash is not None:
            command = [sys.executable, str(CRASHING_WORKER), crash]
        elif stall is not None:
            command = [sys.executable, str(STALLING_WORKER), str(stall)]
        else:
            command = [str(Path(sys.executable).with_name("weir")), "worker", *options]
        if program is not None:
            environment["PYTHONPATH"] = str(program)
        if largest_file_kib is not None:
            # POSIX counts in blocks of 512 bytes.
            limited = f'ulimit -f {largest_file_kib * 2} && exec "$@"'
            command = ["sh", "-c", limited, "sh", *command]
        env = self.environment | {
            "WEIR_DATA_DIR": str(self.folder / name),
            "WEIR_HTTP__PORT": str(port),
            **environment,
        }
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
        worker = WorkerProcess(process, port, log)
        self.workers.append(worker)
        return worker

    def wait_ready(self, worker: WorkerProcess) -> None:
        """Wait until a worker serves its shards."""
        self.until(lambda: worker.get("/readyz")[0] == HTTPStatus.OK, f"{worker.log.name} to serve")

    def until(self, holds: Any, what: str, patience_s: float = PATIENCE_S) -> None:
        """Poll a condition."""
        deadline = time.monotonic() + patience_s
        pause = time.sleep
        while not holds():
            gone = self.workers and all(w.process.poll() is not None for w in self.workers)
            if gone or time.monotonic() > deadline:
                logs = "\n".join(f"--- {w.log.name}\n{w.text()[-3000:]}" for w in self.workers)
                why = "no worker runs" if gone else f"waited {patience_s:.0f} s"
                pytest.fail(f"{why}, and still no {what}\n{logs}")
            pause(POLL_S)

    def committed(self) -> list[int]:
        """Return the group's committed offset of each partition, 0 for none."""
        consumer = Consumer(
            client_config(self.settings.broker, group_id=self.settings.application_id)
        )
        try:
            return self._committed(consumer)
        finally:
            consumer.close()

    def _committed(self, consumer: Consumer) -> list[int]:
        where = [TopicPartition(self.topic("events"), p) for p in range(self.shards)]
        found = retried(lambda: consumer.committed(where, timeout=30), "offsets", 30)
        return [max(0, at.offset) for at in found]

    def ends(self) -> list[int]:
        """Return how many events have been sent to each partition."""
        ends = [0] * self.shards
        for event in self.sent:
            ends[murmur2_partition(event.key, self.shards)] += 1
        return ends

    def wait_committed(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until every event sent has been committed by a worker."""
        ends = self.ends()
        consumer = Consumer(
            client_config(self.settings.broker, group_id=self.settings.application_id)
        )
        try:
            self.until(
                lambda: self._committed(consumer) == ends, f"committed offsets {ends}", patience_s
            )
        finally:
            consumer.close()

    # -- out --------------------------------------------------------------------------------------

    def topic(self, role: str) -> str:
        """Return a topic's name."""
        return self.settings.topics.name(role)

    def records(self, role: str) -> list[list[Record]]:
        """Return the committed records of an output topic, by partition."""
        return [self.read(self.topic(role), p) for p in range(self.shards)]

    def read(self, topic: str, partition: int) -> list[Record]:
        """Return the committed records of a partition."""
        reader = PartitionReader(self.settings.broker)
        try:
            _, end = reader.bounds(topic, partition)
            return [
                record for batch in reader.read(topic, partition, None, end) for record in batch
            ]
        finally:
            reader.close()

    def values(self, role: str) -> list[list[bytes | None]]:
        """Return the values of an output topic, by partition."""
        return [[record.value for record in part] for part in self.records(role)]

    def engine(self, shard: int) -> Engine:
        """Build a shard's engine as a worker would."""
        settings = self.settings
        return Engine(
            shard,
            settings.learner,
            CellKeys.open(settings),
            build_codecs(settings),
            application_id=settings.application_id,
            source_topic=self.topic("events"),
            max_event_bytes=settings.stream.max_event_bytes,
            max_tenants=settings.stream.max_tenants,
            labels=settings.labels,
        )

    def cells(self) -> dict[tuple[str, int], tuple[int, bytes, bytes, bytes]]:
        """Restore every shard from the changelog: (tenant, shard) → steps, root, head, weights."""
        found = {}
        for shard in range(self.shards):
            engine = self.engine(shard)
            reader = PartitionReader(self.settings.broker)
            with ShardStore(self.folder / f"restored-{uuid4().hex}") as store:
                changelog = changelog_name(self.settings.application_id)
                restore.restore_store(reader, store, changelog, shard, lambda _: None)
                reached, committed = restore.load_engine(engine, store)
                if reached is not None and committed is not None:
                    restore.re_step(engine, reader, store, self.topic("events"), reached, committed)
            reader.close()
            for tenant, cell in engine.tenants.items():
                chain = engine.chain(tenant)
                found[tenant, shard] = (chain.size, chain.root(), chain.head, state_digest(cell))
        return found

    # -- the reference ----------------------------------------------------------------------------

    def reference(self) -> tuple[BacktestReport, Path]:
        """Run the same events without Kafka and without disturbance."""
        folder = self.folder / f"reference-{uuid4().hex}"
        return run_backtest(self.settings, self.sent, folder), folder

    def assert_undisturbed(self) -> None:
        """Outputs and weights equal the reference's: nothing lost, repeated or learnt otherwise."""
        report, folder = self.reference()
        decode = {
            "predictions": Codec("prediction").decode,
            "audit": Codec("audit_record").decode,
        }
        for role, read in decode.items():
            for shard, values in enumerate(self.values(role)):
                expected: list[Any] = []
                for path in sorted((folder / role).rglob(f"{shard:05d}.avro")):
                    with path.open("rb") as file:
                        expected.extend(fastavro.reader(file))
                got = [read(value) for value in values]
                order = (
                    (lambda r: (r["tenant"], r["step"]))
                    if role == "predictions"
                    else (lambda r: r["leaf"]["event_digest"])
                )
                assert len(got) == len(expected), f"{role}[{shard}]"
                assert _bits(sorted(got, key=order)) == _bits(sorted(expected, key=order))
        cells = {
            (c.tenant, c.shard): (c.steps, c.audit_root, c.chain_head, c.state_digest)
            for c in report.cells
        }
        assert self.cells() == cells


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _bits(value: Any) -> Any:
    """Make NaN equal to itself, and 0.0 unequal to -0.0."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {name: _bits(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_bits(part) for part in value]
    return value


@contextmanager
def open_stream(
    broker: CrashableBroker, folder: Path, dimension: int = 4, shards: int = SHARDS
) -> Iterator[Stream]:
    """Make topics, secrets and settings for one test; whatever still runs at its end is killed.

    Args:
        broker: where.
        folder: of everything that the test writes.
        dimension: of the events' keys.
        shards: partitions.
    """
    name = f"t{uuid4().hex[:10]}"
    secrets = folder / "secrets"
    FileSecrets.initialise(secrets)
    settings = load_settings(
        application_id=name,
        broker={"bootstrap": broker.bootstrap},
        topics={"prefix": f"{name}.", "partitions": shards},
        secrets={"directory": secrets},
        stream={"checkpoint_events": 500, "max_unit_events": 200, "session_timeout_s": 6},
        learner={"sera": {"d": dimension, "r": 32}},
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
    environment |= {
        "WEIR_APPLICATION_ID": name,
        "WEIR_BROKER__BOOTSTRAP": broker.bootstrap,
        "WEIR_TOPICS__PREFIX": f"{name}.",
        "WEIR_TOPICS__PARTITIONS": str(shards),
        "WEIR_SECRETS__DIRECTORY": str(secrets),
        "WEIR_STREAM__CHECKPOINT_EVENTS": "500",
        "WEIR_STREAM__MAX_UNIT_EVENTS": "200",
        "WEIR_STREAM__SESSION_TIMEOUT_S": "6",
        "WEIR_LEARNER__SERA__D": str(dimension),
        "WEIR_LEARNER__SERA__R": "32",
    }
    create_source(settings)
    prepare_topics(settings)
    stream = Stream(settings, folder, environment, shards)
    try:
        yield stream
    finally:
        for worker in stream.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGKILL)
                worker.process.wait()
