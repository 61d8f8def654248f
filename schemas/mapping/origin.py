"""Where a message or row comes from: what a mapping can use besides its contents."""

from __future__ import annotations

from typing import NamedTuple

_MICROSECONDS_PER_MILLISECOND = 1_000


class Origin(NamedTuple):
    """Where one message or row comes from.

    Attributes:
        position: what tells it from every other of its source: ``topic/partition/offset`` of a
            Kafka record, the line number of a row. With the checksum it is the event_id, unless a
            field is.
        time_us: the record's own time in microseconds since 1970 UTC, None where it has none.
        key: key of the Kafka record; rows have none.
        checksum: of a row, so that the same line of another file is another event; empty for a
            Kafka record, whose position occurs once.
        untyped: whether all values are strings, as in CSV, so that one may stand for a number.
    """

    position: str
    time_us: int | None = None
    key: bytes | None = None
    untyped: bool = False
    checksum: str = ""

    @property
    def event_id(self) -> str:
        """What tells the event from others; the same row at the same place again gives the same."""
        return f"{self.position}-{self.checksum}" if self.checksum else self.position

    @classmethod
    def kafka(
        cls,
        topic: str,
        partition: int,
        offset: int,
        timestamp_ms: int | None = None,
        key: bytes | None = None,
    ) -> Origin:
        """The origin of a Kafka record; its timestamp, if it has one, is in milliseconds."""
        time_us = None if timestamp_ms is None else timestamp_ms * _MICROSECONDS_PER_MILLISECOND
        return cls(f"{topic}/{partition}/{offset}", time_us, key)
