"""Where a replay begins and ends, and which state it begins with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import ConfigError, StateError
from state.snapshots.reading import newest_before
from streams.kafka.clients import client_config, retried
from streams.kafka.errors import translated
from streams.snapshots import named_snapshot, snapshot_store

if TYPE_CHECKING:
    from state.objects import ObjectStore
    from state.snapshots.reading import Snapshot
    from streams.settings import BrokerSettings, Settings

SNAPSHOT_PREFIX = "snapshot:"
BEGINNING = "beginning"
_CALL_S = 10
_PATIENCE_S = 30


class Point(NamedTuple):
    """What was asked for: one of the four.

    Attributes:
        offset: source offset.
        time_ms: Kafka timestamp, milliseconds since the epoch.
        snapshot: id of a snapshot, or ``latest``.
        beginning: the start of the log, with empty state.
    """

    offset: int | None = None
    time_ms: int | None = None
    snapshot: str | None = None
    beginning: bool = False


class Start(NamedTuple):
    """Where a replay of one shard begins.

    Attributes:
        snapshot: the state to begin with; None: empty.
        state_offset: source offset at which that state stands.
        emit_offset: source offset from which outputs count; what lies between is stepped silently.
    """

    snapshot: Snapshot | None
    state_offset: int
    emit_offset: int


def parse_point(text: str) -> Point:
    """Read ``beginning``, an offset, a time (ISO 8601; UTC unless it says so), ``snapshot:ID``.

    Raises:
        ConfigError: it is none of these.
    """
    if text == BEGINNING:
        return Point(beginning=True)
    if text.isascii() and text.isdecimal():
        return Point(offset=int(text))
    if text.startswith(SNAPSHOT_PREFIX):
        return Point(snapshot=text.removeprefix(SNAPSHOT_PREFIX))
    return Point(time_ms=parse_time_ms(text))


def parse_time_ms(text: str) -> int:
    """Read a time in ISO 8601; UTC unless it says so.

    Raises:
        ConfigError: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no point of the log: give beginning, an offset, a time such as "
            "2026-01-31T12:00:00, or snapshot:ID"
        ) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp() * 1000)


def offset_at(broker: BrokerSettings, topic: str, partition: int, time_ms: int) -> int | None:
    """Return the first offset whose Kafka timestamp is at a time or later; None: there is none.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    consumer = Consumer(client_config(broker, group_id="weir-reader"))
    where = [TopicPartition(topic, partition, time_ms)]
    what = f"offset of {topic}[{partition}] at a time"
    try:
        [found] = retried(
            lambda: consumer.offsets_for_times(where, timeout=_CALL_S), what, _PATIENCE_S
        )
    except KafkaException as error:
        raise translated(error, what) from error
    finally:
        consumer.close()
    return found.offset if found.offset >= 0 else None


def start_of(settings: Settings, shard: int, point: Point, low: int, end: int) -> Start:
    """Find where a replay of a shard begins.

    Args:
        settings: of the application.
        shard: partition number.
        point: what was asked for.
        low: first offset that the source still has.
        end: offset where the replay ends.

    Raises:
        StateError: the source no longer has the events that are needed.
        ConfigError: the point lies behind the end.
    """
    topic = settings.topics.name("events")
    if point.snapshot is not None:
        store = snapshot_store(settings)
        found = named_snapshot(store, settings.application_id, shard, point.snapshot)
        wanted = found.id.source_offset
        _check_there(topic, shard, low, wanted)
        return Start(found, wanted, wanted)
    if point.beginning:
        wanted = 0
    elif point.offset is not None:
        wanted = point.offset
    else:
        assert point.time_ms is not None
        at = offset_at(settings.broker, topic, shard, point.time_ms)
        wanted = end if at is None else at
    if wanted > end:
        raise ConfigError(f"{topic}[{shard}] is replayed up to {end}; {wanted} lies behind that")
    if not point.beginning:
        nearest = _newest(settings, shard, wanted)
        if nearest is not None:
            _check_there(topic, shard, low, nearest.id.source_offset)
            return Start(nearest, nearest.id.source_offset, wanted)
    _check_there(topic, shard, low, 0)
    return Start(None, 0, wanted)


def _newest(settings: Settings, shard: int, offset: int) -> Snapshot | None:
    if settings.snapshots.url is None:
        return None
    store: ObjectStore = snapshot_store(settings)
    return newest_before(store, settings.application_id, shard, offset)


def _check_there(topic: str, shard: int, low: int, needed: int) -> None:
    if low > needed:
        raise StateError(
            f"{topic}[{shard}] begins at offset {low}: the events from {needed} on, which the "
            "replay needs, were deleted. Begin at a snapshot of offset "
            f"{low} or later (--from snapshot:ID; `weir snapshot list`), and lengthen retention.ms "
            "if older history is to be replayed"
        )
