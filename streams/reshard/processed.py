"""What applications have made of their logs: how far they are, and what came out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from schemas.errors import TopologyError, VerificationError
from state.audit.leaf import COLUMN, FORMAT, RECORD_BYTES, REPEAT, STEPS, record_numbers
from streams.audit_reader import leaf_of
from streams.kafka.clients import retried
from streams.kafka.errors import translated
from streams.kafka.offsets import committed_offsets, group_members
from streams.kafka.topics import CALL_S, SOURCE_ROLE, admin
from streams.labels import labels_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.kafka.reader import PartitionReader
    from streams.settings import Settings

PATIENCE_S: Final = 60.0
"""How long an application may make no progress before it is no use to wait for it."""

_POLL_S: Final = 0.5
_FEW: Final = 1_000  # so many offsets are looked at one by one: some are no records


class Work(NamedTuple):
    """A topic, and the group that works it off.

    Attributes:
        settings: of the application.
        topic: its log, or its late labels.
        group: whose offsets say how far it is.
    """

    settings: Settings
    topic: str
    group: str


def events_of(settings: Settings) -> Work:
    """Return what an application's shards work off."""
    return Work(settings, settings.topics.name(SOURCE_ROLE), settings.application_id)


def labels_of(settings: Settings) -> Work | None:
    """Return what an application forwards into its events; None: labels have no topic."""
    topic = settings.labels.topic
    return None if topic is None else Work(settings, topic, labels_group(settings.application_id))


class Outputs(NamedTuple):
    """What came of a shard.

    Attributes:
        predictions: records of its predictions.
        steps: observations in its audit records.
        others: late labels and repeats in them.
        quarantined: records of its quarantine.
    """

    predictions: int
    steps: int
    others: int
    quarantined: int


def stable_ends(settings: Settings, role: str, reader: PartitionReader, shards: int) -> list[int]:
    """Return the last stable offset of each partition of a topic, by its role."""
    ends = reader.stable_end(settings.topics.name(role), list(range(shards)))
    return [ends[shard] for shard in range(shards)]


def left_over(work: Work, reader: PartitionReader, ends: Mapping[int, int]) -> dict[int, int]:
    """Return how many records have not been processed, by partition; none of those where all have.

    Args:
        work: what is to be processed, and by whom.
        reader: reads the topic.
        ends: last stable offset of each partition.
    """
    settings, topic, group = work
    committed = committed_offsets(settings.broker, group, topic, list(ends))
    left = {}
    for partition, end in ends.items():
        start = max(committed[partition], reader.bounds(topic, partition)[0])
        count = end - start
        if count <= _FEW:  # markers of transactions have offsets as well
            count = sum(len(batch) for batch in reader.read(topic, partition, start, end))
        if count > 0:
            left[partition] = count
    return left


def wait_processed(
    work: Work,
    reader: PartitionReader,
    partitions: int,
    progress: Callable[[int], None],
    patience_s: float,
) -> None:
    """Wait until all that is there now has been processed.

    Args:
        work: what is to be processed, and by whom.
        reader: reads the topic.
        partitions: of the topic.
        progress: told how many records are left.
        patience_s: for how long there may be no progress.

    Raises:
        TopologyError: there is none.
        BrokerUnavailable: no answer in time.
    """
    ends = reader.stable_end(work.topic, list(range(partitions)))
    least: int | None = None
    since = time.monotonic()
    while left := left_over(work, reader, ends):
        count = sum(left.values())
        progress(count)
        if least is None or count < least:
            least, since = count, time.monotonic()
        elif time.monotonic() - since > patience_s:
            raise TopologyError(_stuck(work, left, patience_s))
        time.sleep(_POLL_S)
    progress(0)


def _stuck(work: Work, left: dict[int, int], patience_s: float) -> str:
    name = work.settings.application_id
    told = ", ".join(f"{work.topic}[{partition}] {count:,}" for partition, count in left.items())
    members = group_members(admin(work.settings.broker), name)
    who = (
        f"its workers {', '.join(members)} make no progress: see their logs"
        if members
        else f"no worker serves it: start one with application_id = {name!r} and topics.prefix = "
        f"{work.settings.topics.prefix!r}, and otherwise with these settings"
    )
    return f"{name} has not processed all ({told} are left) after {patience_s:.0f} s; {who}"


def check_quiet(work: Work, reader: PartitionReader, reached: Mapping[int, int]) -> None:
    """Refuse a topic that goes on growing, or is about to.

    Args:
        work: which.
        reader: reads it.
        reached: offset at which each partition was seen to end.

    Raises:
        TopologyError: there are further records, or an open transaction.
    """
    log = work.topic
    ends = reader.stable_end(log, list(reached))
    for shard, end in ends.items():
        last = None
        count = 0
        for batch in reader.read(log, shard, reached[shard], end):
            last, count = batch[-1], count + len(batch)
        if last is not None:
            at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(last.timestamp / 1_000))
            raise TopologyError(
                f"{log}[{shard}] still grows: {count:,} more by now, the last at offset "
                f"{last.offset} with key {(last.key or b'').decode('utf-8', 'replace')!r} of {at}. "
                "Stop the producers first; `weir tail --topic events` shows what they send"
            )
    for shard, high in high_ends(work.settings, log, len(reached)).items():
        if high > ends[shard]:
            raise TopologyError(
                f"{log}[{shard}] has an open transaction from offset {ends[shard]} on: a producer "
                "has begun one and neither committed nor aborted it. Stop it, or wait until its "
                "transaction.timeout.ms has passed (kafka-transactions.sh find-hanging)"
            )


def high_ends(settings: Settings, topic: str, shards: int) -> dict[int, int]:
    """Return the high watermark of each partition, behind what is in open transactions."""
    request = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(shards)}  # type: ignore[no-untyped-call]
    what = f"end offsets of {topic}"
    client = admin(settings.broker)  # must outlive its answers

    def ask() -> dict[int, int]:
        answers = client.list_offsets(
            request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=CALL_S
        )
        return {tp.partition: answer.result().offset for tp, answer in answers.items()}

    try:
        return retried(ask, what, PATIENCE_S)
    except KafkaException as error:
        raise translated(error, what) from error


def count_outputs(
    settings: Settings, reader: PartitionReader, shard: int, progress: Callable[[int], None]
) -> Outputs:
    """Count what came of a shard. One pass over its outputs, in constant memory."""
    formats: dict[float, int] = {}
    counts = {}
    for role in ("predictions", "quarantine", "audit"):
        topic = settings.topics.name(role)
        low, end = reader.bounds(topic, shard)
        counts[role] = 0
        for batch in reader.read(topic, shard, low, end):
            counts[role] += len(batch)
            progress(len(batch))
            if role == "audit":
                leaves = [leaf_of(record.value) for record in batch]
                whole = b"".join(leaf for leaf in leaves if len(leaf) == RECORD_BYTES)
                for kind in record_numbers(whole)[:, COLUMN["format"]].tolist():
                    formats[kind] = formats.get(kind, 0) + 1
    others = sum(formats.get(kind, 0) for kind in (*STEPS, REPEAT) if kind != FORMAT)
    return Outputs(counts["predictions"], formats.get(FORMAT, 0), others, counts["quarantine"])


def check_outputs(outputs: Mapping[int, Outputs], copies: Mapping[int, int]) -> None:
    """Hold what came of the shards to what they were given.

    Args:
        outputs: by shard.
        copies: events of each shard.

    Raises:
        VerificationError: an event came to nothing, or to more than one thing.
    """
    for shard, out in outputs.items():
        came = out.steps + out.others + out.quarantined
        if came != copies[shard]:
            raise VerificationError(
                f"shard {shard} has {copies[shard]:,} events, and {out.steps + out.others:,} audit "
                f"records and {out.quarantined:,} quarantined messages came of them: each must "
                "give one of the two"
            )
        if out.predictions != out.steps:
            raise VerificationError(
                f"shard {shard} predicted {out.predictions:,} times, and its audit records tell of "
                f"{out.steps:,} observations"
            )
