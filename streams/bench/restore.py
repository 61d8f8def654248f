"""``restore_s``: how long a shard takes to come back, by the size of its state and where it lies.

A cell learns so many weights and is checkpointed into a changelog: once, which is what compaction
leaves, or ten times over, which is what there is before. Then an empty engine is filled

- from the changelog of one checkpoint, and from that of ten (``changelog_uncompacted``);
- from the table of a standby, which has followed the changelog of ten;
- from the worker's own table (``rocksdb``), and from a snapshot in a folder.

The floor is a raw read: a consumer that takes the same changelog and does nothing with it. The peer
is Quix Streams, which restores as many keys from its own changelog.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from operators.fusion.config import CellConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig
from schemas.codec import Codec
from state.objects import ObjectStore
from state.snapshots.reading import list_snapshots
from state.snapshots.writing import write_snapshot
from state.store import ShardStore
from streams.backtest import state_digest
from streams.bench import machine, peers
from streams.bench.errors import BenchFailed
from streams.bench.lab import PARTITIONS, open_lab
from streams.bench.measured import Measured, measured
from streams.feed import FedEvent
from streams.kafka.reader import POLL_MESSAGES, POLL_S, PartitionReader, Record, reader_config
from streams.kafka.topics import (
    CHANGELOG_CONFIG,
    OUTPUT_ROLES,
    admin,
    changelog_name,
    create_topics,
    prepare_topics,
)
from streams.shard import restore
from streams.shard.commit import ShardProducer
from streams.snapshots import build_engine, load_into
from streams.standby import Standbys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streams.bench.lab import Lab
    from streams.settings import Settings
    from streams.shard.engine import Engine

BENCH = "durable"
METRIC = "restore_s"
WEIGHTS = (100_000, 1_000_000, 10_000_000)
CHECKPOINTS = 10
SHARD = 0
TENANT = "bench"
IDS_AN_EVENT = 1_000
EVENTS_A_UNIT = 500
LOAD = 0.59
"""Share of the learner's slots in use: just below where a rebuild would begin."""

PATIENCE_S, TRANSACTION_S = 300, 600
FOLLOW_S = 900

PEER_WEIGHTS = 1_000_000
"""The peer is left out above: to fill its state takes it minutes."""

REPEATED_WEIGHTS = 1_000_000
"""What is larger is restored once from each source: with repeats it takes most of an hour."""

PEER_S = 900
QUIX_KEYS_A_MESSAGE = 500  # as in quix_restore.py, which imports nothing of this project


class Log(NamedTuple):
    """A changelog, and what it holds.

    Attributes:
        settings: of the application that wrote it.
        topic: its name.
        records: how many state records it has.
        digest: hash of the arrays that they give.
    """

    settings: Settings
    topic: str
    records: int
    digest: bytes


class Source(NamedTuple):
    """Where state is restored from.

    Attributes:
        log: the changelog that has the same state.
        fill: restores it into an empty engine.
    """

    log: Log
    fill: Callable[[Engine], None]


def restore_rows(
    repeats: int, say: Callable[[str], None], weights: Sequence[int] = WEIGHTS
) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: restores of each kind; of the largest state there is one.
        say: told what is going on.
        weights: sizes of state.

    Raises:
        BenchFailed: what was restored is not what was learnt.
        BrokerUnavailable: no broker can be started here.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    with open_lab() as lab:
        for size in weights:
            say(f"learning {size:,} weights")
            once, often = learn(lab, size, 1), learn(lab, size, CHECKPOINTS)
            say(f"following the changelog of {size:,} weights")
            folder = lab.folder / f"restore-{size}"
            sources = prepare(once, often, folder)
            rounds = repeats if size <= REPEATED_WEIGHTS else 1
            ours, floors = _seconds(sources, rounds, say)
            for name, source in sources.items():
                said = {"weights": size, "source": name, "records": source.log.records}
                floor = floors[source.log.topic]
                yield measured(
                    BENCH, METRIC, "s", ours[name], {**params, **said}, "raw_read", floor
                )
            shutil.rmtree(folder)
            if size <= PEER_WEIGHTS and peers.python().exists():
                say(f"{size:,} keys in Quix Streams")
                theirs = [quix_restore_s(lab, size, repeat) for repeat in range(repeats)]
                said = {"weights": size, "source": "changelog", "records": once.records}
                yield measured(
                    BENCH, METRIC, "s", ours["changelog"], {**params, **said}, "quix", theirs
                )


def _seconds(
    sources: dict[str, Source], repeats: int, say: Callable[[str], None]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Restore from each source, and read each changelog, in turns.

    Returns:
        Seconds by source, and of the raw reads by topic.
    """
    ours: dict[str, list[float]] = {name: [] for name in sources}
    floors: dict[str, list[float]] = {source.log.topic: [] for source in sources.values()}
    logs = {source.log.topic: source.log for source in sources.values()}
    for repeat in range(1, repeats + 1):
        for topic, log in logs.items():
            say(f"repeat {repeat}: raw read of {log.records:,} records")
            floors[topic].append(raw_read_s(log))
        for name, source in sources.items():
            say(f"repeat {repeat}: {name}")
            ours[name].append(restore_s(source))
    return ours, floors


# -- what is restored -----------------------------------------------------------------------------


def learn(lab: Lab, size: int, checkpoints: int) -> Log:
    """Learn so many weights, so many times over, each time with a checkpoint of all of them."""
    name = f"restore-{size}-{checkpoints}"
    base = lab.settings(f"{name}.", name)
    lab.make_topics(base.topics.prefix)
    capacity = max(HlmConfig().capacity, 1 << math.ceil(math.log2(size / LOAD)))
    learner = CellConfig(hlm=HlmConfig(capacity=capacity), sera=SeraConfig(d=4, r=32))
    settings = base.model_copy(update={"learner": learner})
    topic = changelog_name(name)
    # The broker must not compact what is measured uncompacted.
    kept = CHANGELOG_CONFIG | {"cleanup.policy": "delete", "retention.ms": "-1"}
    create_topics(admin(settings.broker), {topic: (PARTITIONS, 1, kept)})
    prepare_topics(settings)
    engine = build_engine(settings, SHARD)
    source = settings.topics.name("events")
    topics = {role: settings.topics.name(role) for role in OUTPUT_ROLES}
    producer = ShardProducer(
        settings.broker, name, SHARD, source, topic, topics, TRANSACTION_S, PATIENCE_S
    )
    producer.fence()
    records = 0
    try:
        for number in range(checkpoints):
            for unit_records in _events(size, number):
                unit = engine.process(unit_records, emit=False)
            engine.add_checkpoint(unit)
            producer.commit(unit)
            records += len(unit.state)
    finally:
        producer.close()
    return Log(settings, topic, records, _digest(engine))


def _events(size: int, turn: int) -> Iterator[list[Record]]:
    """Yield events that touch each of so many ids once, unit by unit."""
    encode = Codec("event").encode
    rng = np.random.default_rng(turn)
    count = -(-size // IDS_AN_EVENT)
    ids = rng.permutation(count * IDS_AN_EVENT).astype("<u8")
    values = rng.normal(size=(count, IDS_AN_EVENT)).astype("<f8") / IDS_AN_EVENT**0.5
    unit: list[Record] = []
    for number, of in enumerate(ids.reshape(count, IDS_AN_EVENT)):
        offset = turn * count + number
        event = {
            "kind": "OBSERVATION",
            "tenant": TENANT,
            "id": "entity",
            "event_id": str(offset),
            "time_us": 1_700_000_000_000_000 + offset,
            "label": float(number % 2),
            "feature_ids": of.tobytes(),
            "feature_values": values[number].tobytes(),
            "key": np.full(4, 0.5).tobytes(),
        }
        unit.append(Record(offset, 0, b"entity", encode(event)))
        if len(unit) == EVENTS_A_UNIT or number == count - 1:
            yield unit
            unit = []


def _digest(engine: Engine) -> bytes:
    return state_digest(engine.tenants[TENANT])


# -- where it is restored from --------------------------------------------------------------------


def prepare(once: Log, often: Log, folder: Path) -> dict[str, Source]:
    """Fill a table, follow with a standby, and take a snapshot; return what can be restored from.

    Raises:
        BenchFailed: the standby does not come to the end.
    """
    own, followed, scratch = folder / "own", folder / "standby", folder / "scratch"
    objects = ObjectStore(str(folder / "snapshots"))
    engine = build_engine(once.settings, SHARD)
    with ShardStore(own) as store:
        _from_changelog(once, store)
        restore.load_engine(engine, store)
        with store.view() as view:
            write_snapshot(objects, view, engine.about(0))
    _follow(often, followed)
    [snapshot] = list_snapshots(objects, once.settings.application_id, SHARD)

    def from_log(log: Log) -> Callable[[Engine], None]:
        def fill(engine: Engine) -> None:
            shutil.rmtree(scratch, ignore_errors=True)
            with ShardStore(scratch) as store:
                _from_changelog(log, store)
                restore.load_engine(engine, store)

        return fill

    def from_table(log: Log, path: Path) -> Callable[[Engine], None]:
        def fill(engine: Engine) -> None:
            with ShardStore(path) as store:
                if _from_changelog(log, store):
                    raise BenchFailed(f"the table {path} was not complete")
                restore.load_engine(engine, store)

        return fill

    def from_snapshot(engine: Engine) -> None:
        load_into(engine, objects, snapshot)

    return {
        "changelog": Source(once, from_log(once)),
        "changelog_uncompacted": Source(often, from_log(often)),
        "standby": Source(often, from_table(often, followed)),
        "rocksdb": Source(once, from_table(once, own)),
        "snapshot": Source(once, from_snapshot),
    }


def _from_changelog(log: Log, store: ShardStore) -> int:
    reader = PartitionReader(log.settings.broker)
    try:
        return restore.restore_store(reader, store, log.topic, SHARD, lambda _: None)
    finally:
        reader.close()


class _Lag:
    """How far a standby is behind."""

    def __init__(self) -> None:
        self.lag = math.inf

    def standby(self, shard: int | str, lag: float | None) -> None:
        """Note it."""
        assert shard == SHARD
        if lag is not None:
            self.lag = lag


def _follow(log: Log, path: Path) -> None:
    lag, failures = _Lag(), list[BaseException]()
    standbys = Standbys(log.settings.broker, log.topic, lag, failures.append)
    standbys.start()
    deadline = time.monotonic() + FOLLOW_S
    with ShardStore(path) as store:
        standbys.follow({SHARD: store})
        while lag.lag:
            if failures or time.monotonic() > deadline:
                raise BenchFailed(f"the standby did not come to the end: {failures or lag.lag}")
            time.sleep(POLL_S)
        standbys.close()


# -- the clocks -----------------------------------------------------------------------------------


def restore_s(source: Source) -> float:
    """Restore into an empty engine; return the seconds.

    Raises:
        BenchFailed: it is not what was learnt.
    """
    engine = build_engine(source.log.settings, SHARD)
    started = time.perf_counter()
    source.fill(engine)
    seconds = time.perf_counter() - started
    if _digest(engine) != source.log.digest:
        raise BenchFailed(f"{source.log.topic}: what was restored is not what was learnt")
    return seconds


def raw_read_s(log: Log) -> float:
    """Read a changelog and do nothing with it; return the seconds.

    Raises:
        BenchFailed: records are missing.
    """
    reader = PartitionReader(log.settings.broker)
    end = reader.stable_end(log.topic, [SHARD])[SHARD]
    reader.close()
    started = time.perf_counter()
    consumer = Consumer(reader_config(log.settings.broker))
    consumer.assign([TopicPartition(log.topic, SHARD, OFFSET_BEGINNING)])
    count, reached = 0, 0
    while reached < end:
        messages = consumer.consume(POLL_MESSAGES, POLL_S)
        for message in messages[-1:]:
            reached = (message.offset() or 0) + (message.error() is None)
        count += len(messages) - any(message.error() for message in messages[-1:])
    consumer.close()
    if count != log.records:
        raise BenchFailed(f"{log.topic}: {count} records were read of {log.records}")
    return time.perf_counter() - started


def quix_restore_s(lab: Lab, keys: int, repeat: int) -> float:
    """Let Quix Streams fill as many keys and restore them; return the seconds of its recovery.

    Raises:
        BenchFailed: it did not.
    """
    name = f"quix-restore-{keys}-{repeat}"
    broker = lab.settings("").broker
    create_topics(admin(broker), {name: (1, 1, {})})
    messages = -(-keys // QUIX_KEYS_A_MESSAGE)
    # One more than fills: it is what the restored application is waited for with.
    lab.fill(name, (FedEvent(b"key", str(number).encode()) for number in range(messages + 1)))
    script = Path(__file__).with_name("quix_restore.py")
    folder = lab.folder / name
    # -I: nothing of this project is on its path.
    command = [str(peers.python()), "-I", str(script), lab.bootstrap, name, name, str(folder)]
    done = subprocess.run(  # noqa: S603 - the program above
        [*command, str(keys)],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=PEER_S,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"Quix Streams restored nothing:\n{done.stderr[-3_000:]}")
    return float(done.stdout.split()[-1])
