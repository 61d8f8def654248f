"""From the rows of a source to what goes to the ``events`` topic, and to which partition.

``weir produce`` and ``weir backtest`` both read through here, so that a file gives the same bytes
in the same shards whether it goes through Kafka or not.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.partitioner import murmur2

from schemas.codec import Codec
from schemas.errors import BadMessage, ConfigError
from schemas.mapping import Mapper, Mapping, check
from schemas.sources import BadRow, Format, MappedRow, Rows, map_rows, read_rows, row_samples
from schemas.sources.stream import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Event = dict[str, Any]

LOOKED_AT: Final = 1_000
"""Rows that are looked at for what is rarely meant, before a file is fed."""

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
        line: where it begins, counted from 1; of an Avro file, the record's number.
        reason: reason code, see ``schemas.reasons``.
        detail: what is wrong, in words; quotes nothing of the row.
        raw: its bytes, where the source is text and the row not too long.
    """

    line: int
    reason: str
    detail: str
    raw: bytes | None


class FileEvents:
    """The rows of a file, mapped to events; each iteration reads the file from its start.

    Args:
        path: the file; ``-`` for standard input, which can be read once.
        mapping: what makes events of rows.
        file_format: None: told by the file's name.
        delimiter: of CSV; None: found out from the first lines.

    Raises:
        ConfigError: the mapping needs a file that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        mapping: Mapping,
        file_format: Format | None = None,
        delimiter: str | None = None,
    ) -> None:
        self.path = path
        self._mapper = Mapper(mapping)
        self._format = file_format
        self._delimiter = delimiter
        self._rows: Rows | None = None
        self._bytes_before = 0

    @property
    def bytes_read(self) -> int:
        """How many bytes all iterations have read so far."""
        return self._bytes_before + (self._rows.bytes_read if self._rows is not None else 0)

    @property
    def file_bytes(self) -> int | None:
        """How many bytes one iteration reads; None before the first one and for a pipe."""
        return self._rows.total_bytes if self._rows is not None else None

    def warnings(self) -> list[str]:
        """Say what is rarely meant in the first rows, such as a named column that no row has.

        Standard input is left alone: its rows come once.

        Raises:
            ConfigError: the format is unknown.
            UnreadableSource: the file cannot be read.
        """
        if self.path == STANDARD_INPUT:
            return []
        with read_rows(self.path, self._format, self._delimiter) as rows:
            samples = islice(row_samples(rows), LOOKED_AT)
            return check(self._mapper, samples, preview=0).warnings

    def __iter__(self) -> Iterator[MappedRow | BadRow]:
        """Yield mapped and bad rows.

        Raises:
            ConfigError: the format is unknown, or standard input is to be read twice.
            UnreadableSource: the file cannot be read, or not to its end.
        """
        if self._rows is not None and self.path == STANDARD_INPUT:
            raise ConfigError("standard input can be read once only: give a file to repeat it")
        self._bytes_before = self.bytes_read
        with read_rows(self.path, self._format, self._delimiter) as rows:
            self._rows = rows
            yield from map_rows(rows, self._mapper)


class Feed:
    """Encodes events and passes on what was rejected, in the order of the source.

    Args:
        source: gives mapped and bad rows, the same at each iteration; see ``FileEvents``.
        tenant: tenant of every event; None: the one that the event has.
        rounds: how often to go through the source. From the second time on event times are shifted
            to after the round before, and event ids end in ``#2``, ``#3`` …: it is one stream.
        encode: event to bytes; without it plain Avro.
    """

    def __init__(
        self,
        source: Iterable[MappedRow | BadRow],
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
            WeirError: what the source raises where it cannot be read.
        """
        earliest, latest = None, None
        for number in range(self._rounds):
            span = 0 if earliest is None or latest is None else latest - earliest + _PAUSE_US
            for item in self._source:
                if isinstance(item, BadRow):
                    yield RejectedRow(item.line, item.error.reason, item.error.detail, item.raw)
                    continue
                event = item.event
                time_us = event["time_us"]
                if number:
                    event = {
                        **event,
                        "time_us": time_us + number * span,
                        "event_id": f"{event['event_id']}#{number + 1}",
                    }
                else:
                    earliest = time_us if earliest is None else min(earliest, time_us)
                    latest = time_us if latest is None else max(latest, time_us)
                if self._tenant is not None:
                    event = {**event, "tenant": self._tenant}
                try:
                    fed = FedEvent(event["id"].encode(), self._encode(event))
                except BadMessage as error:
                    yield RejectedRow(item.row.line, error.reason, error.detail, item.row.raw)
                else:
                    yield fed


def murmur2_partition(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Java clients and librdkafka's ``murmur2`` choose it."""
    digest: int = murmur2(key)
    return (digest & _POSITIVE) % partitions
