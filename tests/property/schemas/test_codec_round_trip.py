from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason
from schemas.registry import SCHEMA_NAMES, SchemaName
from schemas.single_object import HEADER_BYTES, MARKER, is_single_object
from tests.property.schemas.records import records

CODECS = {name: Codec(name) for name in SCHEMA_NAMES}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
@given(data=st.data())
def test_every_record_comes_back(name: SchemaName, data: st.DataObject) -> None:
    """Whatever a record holds (infinities, empty text, any integer) comes back."""
    codec = CODECS[name]
    record = data.draw(records(name))
    encoded = codec.encode(record)
    decoded = codec.decode(encoded)
    assert codec.encode(decoded) == encoded
    assert decoded == record


@pytest.mark.parametrize("name", SCHEMA_NAMES)
@given(junk=st.binary(max_size=200) | st.binary(max_size=40).map(lambda junk: MARKER + junk))
def test_random_bytes_give_a_record_or_a_reason(name: SchemaName, junk: bytes) -> None:
    """No bytes whatever make the decoder raise anything but a reason for quarantine."""
    _decode(CODECS[name], junk)


@pytest.mark.parametrize("name", ["event", "message", "token", "verdict"])
@given(data=st.data())
def test_damaged_records_give_a_record_or_a_reason(name: SchemaName, data: st.DataObject) -> None:
    """A value that was cut, spliced or overwritten anywhere harms nothing but itself."""
    codec = CODECS[name]
    whole = codec.encode(data.draw(records(name)))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 9, len(whole))))
    patch = data.draw(st.binary(max_size=10) | st.just(b"\xff" * 9 + b"\x01"))
    _decode(codec, whole[:start] + patch + whole[end:])


@given(values=st.lists(st.none() | st.binary(max_size=30), max_size=8), event=records("event"))
def test_many_is_each_by_itself(values: list[bytes | None], event: dict[str, Any]) -> None:
    """A batch gives what decoding one by one gives, bad values among good ones included."""
    codec = CODECS["event"]
    values.insert(len(values) // 2, codec.encode(event))
    assert repr(codec.decode_many(values)) == repr([_decode(codec, value) for value in values])


def _decode(codec: Codec, data: bytes | None) -> dict[str, Any] | BadMessage:
    try:
        return codec.decode(data)
    except BadMessage as refusal:
        bad = refusal
    framed = is_single_object(data or b"") and len(data or b"") >= HEADER_BYTES
    unknown = (Reason.UNKNOWN_SCHEMA,) if framed else ()
    assert bad.reason in (Reason.BAD_AVRO, Reason.TRAILING_BYTES, Reason.EMPTY_VALUE, *unknown)
    assert bad.detail
    return bad
