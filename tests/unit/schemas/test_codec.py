import traceback
import tracemalloc
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason

EVENT: dict[str, Any] = {
    "kind": "OBSERVATION",
    "tenant": "acme",
    "id": "card-7",
    "event_id": "e-1",
    "time_us": 1_700_000_000_000_000,
}


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec("event")


def test_fields_with_a_default_may_be_left_out(codec: Codec) -> None:
    """A minimal event is five fields; the others come back as null."""
    event = codec.decode(codec.encode(EVENT))
    assert event == EVENT | dict.fromkeys(
        ("label", "features", "feature_ids", "feature_values", "key", "value", "query", "context")
    )


def test_times_come_back_as_integers(codec: Codec) -> None:
    """Times stay microseconds: no datetime is built, no microsecond is lost."""
    assert codec.decode(codec.encode(EVENT))["time_us"] == 1_700_000_000_000_000


@pytest.mark.parametrize("nothing", [None, b""])
def test_empty_value_is_named(codec: Codec, nothing: bytes | None) -> None:
    """A tombstone is refused as an empty value, not as broken Avro."""
    with pytest.raises(BadMessage, match="value is empty") as caught:
        codec.decode(nothing)
    assert caught.value.reason == Reason.EMPTY_VALUE


def test_every_cut_is_found(codec: Codec) -> None:
    """A value cut at any byte is refused, and the field at which it ends is named."""
    whole = codec.encode(EVENT | {"key": bytes(16), "context": {"a": "b"}})
    for size in range(1, len(whole)):
        with pytest.raises(BadMessage, match=rf"weir\.Event: field \w+ at byte \d+ of {size}:"):
            codec.decode(whole[:size])


def test_trailing_bytes_are_an_error(codec: Codec) -> None:
    """Bytes after the record are the sign of another schema: the value is refused."""
    whole = codec.encode(EVENT)
    with pytest.raises(BadMessage, match=f"ends at byte {len(whole)}, 2 more") as caught:
        codec.decode(whole + b"\0\0")
    assert caught.value.reason == Reason.TRAILING_BYTES


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"\x01\x00\x00\x00\x00" + bytes(8), "field kind at byte 0 of 13: .* number -1"),
        (b"\x06\x00\x00\x00\x00" + bytes(8), "field kind at byte 0 of 13: .* number 3"),
        (b"\x00\x00\x00\x00\x00\x01" + bytes(7), "field label at byte 5 of 13: .* number -1"),
        (b"\x00\x02\xff\x00\x00" + bytes(8), "field tenant at byte 1 of 13: .* not UTF-8"),
        (b"\x00\x09\x00", "field tenant at byte 1 of 3: a length of -5 is announced"),
    ],
)
def test_what_means_nothing_is_said(codec: Codec, data: bytes, detail: str) -> None:
    """Numbers outside a union or enum (negative ones too), bad text and lengths are explained."""
    with pytest.raises(BadMessage, match=detail) as caught:
        codec.decode(data)
    assert caught.value.reason == Reason.BAD_AVRO


@pytest.mark.parametrize("bits", [31, 40, 62])
@pytest.mark.parametrize("name", ["event", "message", "token", "verdict"])
def test_huge_lengths_cost_nothing(name: Any, bits: int) -> None:
    """A few bytes that announce gigabytes or 2^62 items are refused without taking memory."""
    codec = Codec(name)
    huge = _varint(1 << bits)
    tracemalloc.start()
    for prefix in range(12):
        for value in (bytes(prefix) + huge, bytes(prefix) + huge + bytes(64)):
            with pytest.raises(BadMessage):
                codec.decode(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 256 * 1024


def _varint(number: int) -> bytes:
    """Encode a number as Avro does: zigzag, seven bits a byte."""
    rest, out = number << 1, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def test_many_gives_each_its_result(codec: Codec) -> None:
    """One bad value among many costs the others nothing, and stands at its own place."""
    good = codec.encode(EVENT)
    first, bad, empty, last = codec.decode_many([good, good + b"x", None, good])
    assert isinstance(first, dict)
    assert first == last
    assert isinstance(bad, BadMessage)
    assert bad.reason == Reason.TRAILING_BYTES
    assert isinstance(empty, BadMessage)
    assert empty.reason == Reason.EMPTY_VALUE


def test_stripping_without_header_is_the_value_itself(codec: Codec) -> None:
    """Without a registry the bytes that are digested are the bytes that came."""
    data = codec.encode(EVENT)
    payload, writer = codec.strip(data)
    assert payload == data
    assert writer is codec.schema.parsed


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"label": "hunter2"}, "field label: str does not fit null or double"),
        ({"kind": "hunter2"}, "field kind: str does not fit one of OBSERVATION, LABEL"),
        ({"features": {"a": "hunter2"}}, "field features: dict does not fit null or map of double"),
        ({"time_us": 1.5}, "field time_us: float is no integer"),
        ({"time_us": "hunter2"}, "field time_us: str is no integer"),
        ({"time_us": 1 << 70}, "field time_us: int does not fit long"),
        ({"tenant": "hunter2\ud800"}, "field tenant: str does not fit string"),
        ({"lable": 1.0}, "field lable is not in the schema; it has kind, tenant"),
    ],
)
def test_record_that_does_not_fit_is_refused_by_field(
    codec: Codec, change: dict[str, Any], detail: str
) -> None:
    """A record that does not fit is refused with its field's name; its content is in no trace."""
    with pytest.raises(BadMessage, match=detail) as caught:
        codec.encode(EVENT | change)
    assert caught.value.reason == Reason.BAD_FIELD
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_missing_field_is_named(codec: Codec) -> None:
    """A record without a required field is refused with the field's name."""
    with pytest.raises(BadMessage, match="field tenant is missing"):
        codec.encode({k: v for k, v in EVENT.items() if k != "tenant"})


def test_nested_types_are_described() -> None:
    """Where a list of records was expected, the answer says so in words."""
    record = dict.fromkeys(["tenant", "id", "body"], "") | {"kind": "CHAT", "time_us": 0}
    with pytest.raises(BadMessage, match="recipients: list does not fit array of record Recipient"):
        Codec("message").encode(record | {"recipients": [{"kind": "TO"}]})
    with pytest.raises(BadMessage, match="thread: str does not fit null or record Thread"):
        Codec("message").encode(record | {"thread": "t-1"})
