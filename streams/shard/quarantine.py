"""Quarantine records: what could not be used, with its bytes as far as the topic takes them.

A quarantine record is a little larger than the message it holds. A message near the largest that
Kafka lets through would give a record that Kafka refuses, and the shard would fail at it for ever.
Such a record goes without the message's bytes and says so: their number, their digest, and that
they still stand where the message came from, for as long as the source keeps them.

The record of an event of an erased tenant goes without its bytes, too: this topic keeps for ever
what it is given.
"""

from __future__ import annotations

import hashlib
import traceback
from typing import TYPE_CHECKING, Any, Final

from schemas.reasons import Reason
from streams.kafka.topics import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from schemas.errors import BadMessage
    from streams.kafka.fetch import SourceRecord
    from streams.shard.encode import Encoder
    from streams.shard.unit import Headers

_FRAME: Final = 512  # bytes of a batch of one record, and of the names of its headers
_MAX_TEXT: Final = 4_096  # characters of detail and of trace


class QuarantineEncoder:
    """Encodes quarantine records.

    Args:
        encoder: of the schema ``quarantine``.
        limit: bytes that Kafka takes as one record.
    """

    def __init__(self, encoder: Encoder, limit: int = MAX_RECORD_BYTES) -> None:
        self._encoder = encoder
        self._limit = limit

    def __call__(
        self, error: BadMessage, topic: str, partition: int, source: SourceRecord
    ) -> tuple[bytes | None, bytes, Headers]:
        """Return key, value and headers of the record of a message that could not be used."""
        trace = "".join(traceback.format_tb(error.__traceback__))
        record: dict[str, Any] = {
            "reason": error.reason,
            "detail": error.detail[:_MAX_TEXT],
            "topic": topic,
            "partition": partition,
            "offset": source.offset,
            "key": source.key,
            "value": source.value,
            "trace": trace[:_MAX_TEXT],
        }
        headers = [
            ("reason", error.reason.encode()),
            ("topic", topic.encode()),
            ("partition", str(partition).encode()),
            ("offset", str(source.offset).encode()),
        ]
        place = f"{topic}[{partition}]@{source.offset}"
        if error.reason == Reason.TENANT_ERASED:
            record |= {
                "detail": f"{error.detail}; the event is left at {place}",
                "key": None,
                "value": None,
            }
        for field in ("value", "key"):
            encoded = self._encoder.encode(record)
            key: bytes | None = record["key"]
            if len(encoded) + len(key or b"") + _FRAME <= self._limit:
                break
            record = _without(record, field, place)
        else:
            encoded, key = self._encoder.encode(record), None
        return key, encoded, headers


def _without(record: dict[str, Any], field: str, place: str) -> dict[str, Any]:
    """Return the record without the bytes of a field, which its detail describes instead."""
    left_out: bytes | None = record[field]
    if left_out is None:
        return record
    digest = hashlib.sha256(left_out).hexdigest()
    detail = (
        f"{record['detail']}; the {field} of {len(left_out)} bytes (SHA-256 {digest}) is too large "
        f"for this topic and left at {place}"
    )
    return {**record, field: None, "detail": detail}
