"""From the rows of a source to what goes to the ``events`` topic, and to which partition.

``weir produce`` and ``weir backtest`` both read through here, so that a file gives the same bytes
in the same shards whether it goes through Kafka or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.partitioner import murmur2

from schemas.codec import Codec
from schemas.errors import BadMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Event = dict[str, Any]

_POSITIVE = 0x7FFFFFFF  # Java's hash is signed; its producer drops the sign like this
_PAUSE_US = 1_000_000


class FedEvent(NamedTuple):
    """One event, encoded.

    Attributes:
        key: id of the entity in UTF-8; chooses the shard.
        value: Avro bytes of the event, with a wire header where a registry is used.
    """

    key: bytes
    value: bytes


class RejectedRow(NamedTuple):
    """One row that gives no event.

    Attributes:
        position: where the row stands in its source, a line number for text.
        reason: reason code, see ``schemas.reasons``.
        detail: what is wrong, in words.
        row: the row as it was read, as far as it could be.
    """

    position: str
    reason: str
    detail: str
    row: str


class Feed:
    """Encodes events and passes on what was rejected, in the order of the source.

    Args:
        source: gives the events (as ``event.avsc`` has them) and rejected rows from the start, anew
            at each call.
        tenant: tenant of every event; None: the one that the event has.
        rounds: how often to go through the source. From the second time on event times are shifted
            to after the round before, and event ids end in ``#2``, ``#3`` …: it is one stream.
        encode: event to bytes; without it plain Avro.
    """

    def __init__(
        self,
        source: Callable[[], Iterable[Event | RejectedRow]],
        *,
        tenant: str | None = None,
        rounds: int = 1,
        encode: Callable[[Event], bytes] | None = None,
    ) -> None:
        self._source = source
        self._tenant = tenant
        self._rounds = rounds
        self._encode = encode or Codec("event").encode

    def __iter__(self) -> Iterator[FedEvent | RejectedRow]:
        """Yield encoded events and rejected rows.

        Raises:
            ConfigError: the source cannot be read at all.
        """
        earliest, latest = None, None
        for number in range(self._rounds):
            span = 0 if earliest is None or latest is None else latest - earliest + _PAUSE_US
            for row, item in enumerate(self._source(), start=1):
                if isinstance(item, RejectedRow):
                    yield item
                    continue
                if number:
                    item["time_us"] += number * span
                    item["event_id"] += f"#{number + 1}"
                else:
                    time_us = item["time_us"]
                    earliest = time_us if earliest is None else min(earliest, time_us)
                    latest = time_us if latest is None else max(latest, time_us)
                yield self._event(row, item)

    def _event(self, row: int, event: Event) -> FedEvent | RejectedRow:
        if self._tenant is not None:
            event["tenant"] = self._tenant
        try:
            return FedEvent(event["id"].encode(), self._encode(event))
        except BadMessage as error:
            return RejectedRow(str(row), error.reason, error.detail, "")


def murmur2_partition(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Java clients and librdkafka's ``murmur2`` choose it."""
    digest: int = murmur2(key)
    return (digest & _POSITIVE) % partitions
