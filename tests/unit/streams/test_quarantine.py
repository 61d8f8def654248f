"""What a quarantine record keeps of a message, and what it keeps of one that is too large."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason
from streams.kafka.reader import Record
from streams.shard.quarantine import QuarantineEncoder

LIMIT = 10_000
CODEC = Codec("quarantine")


def encoded(key: bytes | None, value: bytes | None) -> tuple[bytes | None, int, dict[str, Any]]:
    """Return the Kafka key, the bytes that travel, and the record."""
    encode = QuarantineEncoder(CODEC, LIMIT)
    try:
        raise BadMessage(Reason.BAD_AVRO, "no event")
    except BadMessage as error:
        sent_key, sent, headers = encode(error, "events", 3, Record(17, 0, key, value))
    assert dict(headers) == {
        "reason": b"BAD_AVRO",
        "topic": b"events",
        "partition": b"3",
        "offset": b"17",
    }
    return sent_key, len(sent) + len(sent_key or b""), CODEC.decode(sent)


def test_a_message_is_kept_with_its_bytes_and_its_place() -> None:
    """Whoever mends it has all of it, and knows where it came from and where it was refused."""
    key, _, record = encoded(b"k", b"garbage")
    assert key == b"k"
    assert (record["key"], record["value"]) == (b"k", b"garbage")
    assert (record["topic"], record["partition"], record["offset"]) == ("events", 3, 17)
    assert (record["reason"], record["detail"]) == ("BAD_AVRO", "no event")
    assert "test_quarantine.py" in record["trace"]


@pytest.mark.parametrize("size", [8_000, 9_000, 9_500, 10_000, 50_000])
def test_no_record_is_larger_than_the_topic_takes(size: int) -> None:
    """Whatever the size, the record can be sent: a shard is never stuck at a message."""
    assert encoded(b"k", bytes(size))[1] <= LIMIT
    assert encoded(bytes(size), b"v")[1] <= LIMIT
    assert encoded(bytes(size), bytes(size))[1] <= LIMIT
    assert encoded(bytes(size), None)[1] <= LIMIT


def test_a_value_that_does_not_fit_is_named_by_size_digest_and_place() -> None:
    """The bytes can be found in the source and told from others."""
    value = bytes(range(256)) * 100
    key, _, record = encoded(b"k", value)
    assert key == record["key"] == b"k"
    assert record["value"] is None
    assert "25600 bytes" in record["detail"]
    assert hashlib.sha256(value).hexdigest() in record["detail"]
    assert "events[3]@17" in record["detail"]
    assert record["detail"].startswith("no event")


def test_a_key_that_does_not_fit_is_left_out_too() -> None:
    """The same for a key, as Kafka key and in the record."""
    value = b"v" * 20_000
    key, _, record = encoded(b"k" * 20_000, value)
    assert key is None
    assert record["key"] is None
    assert record["value"] is None
    assert record["detail"].count("is too large for this topic") == 2


def test_what_fits_is_kept_whole() -> None:
    """Nothing is left out that could have been sent."""
    assert encoded(b"k", bytes(8_000))[2]["value"] == bytes(8_000)
