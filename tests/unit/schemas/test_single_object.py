"""Records that tell which schema wrote them, without a registry."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason
from schemas.registry import SCHEMA_NAMES, SchemaName, canonical_form, crc64_of, load, released
from schemas.single_object import HEADER_BYTES, MARKER, header_of, is_single_object
from state.audit.leaf import RECORD_BYTES

EVENT: dict[str, Any] = {
    "kind": "OBSERVATION",
    "tenant": "acme",
    "id": "card-7",
    "event_id": "e-1",
    "time_us": 1_700_000_000_000_000,
    "label": 1.0,
}


def test_fingerprint_is_that_of_the_specification() -> None:
    """CRC-64-AVRO of ``"null"`` is 63dd24e7cc258f8a, as in the tests of the Avro project."""
    assert crc64_of('"null"') == bytes.fromhex("63dd24e7cc258f8a")[::-1]


def test_what_fastavro_calls_the_schema_is_in_the_header() -> None:
    """Marker, then the fingerprint with its least byte first, then the bare record."""
    written = Codec("event", single_object=True).encode(EVENT)
    bare = Codec("event").encode(EVENT)
    assert written == MARKER + load("event").crc64 + bare
    assert len(written) == HEADER_BYTES + len(bare)


def test_both_forms_are_read_by_either_codec() -> None:
    """Who writes bare records and who writes single objects can share a topic."""
    codecs = [Codec("event"), Codec("event", single_object=True)]
    written = [codec.encode(EVENT) for codec in codecs]
    (first, *others) = [codec.decode(value) for codec in codecs for value in written]
    assert first["id"] == "card-7"
    assert others == [first] * 3
    assert bytes(codecs[0].strip(written[1])[0]) == written[0]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_released_version_is_read(name: SchemaName) -> None:
    """A record of each release is told by its fingerprint and resolved to today's schema."""
    for text in released(name):
        schema = fastavro.parse_schema(json.loads(text))
        header = MARKER + crc64_of(canonical_form(json.loads(text)))
        for record in generate_many(schema, 3):
            out = BytesIO(header)
            out.seek(HEADER_BYTES)
            fastavro.schemaless_writer(out, schema, record)
            read = Codec(name).decode(out.getvalue())
            assert set(read) == {field["name"] for field in load(name).parsed["fields"]}


def test_a_newer_release_is_told_from_damage() -> None:
    """A fingerprint that is not known says what to do: the message waits in quarantine for it."""
    value = MARKER + bytes(8) + Codec("event").encode(EVENT)
    with pytest.raises(BadMessage, match="upgrade") as caught:
        Codec("event").decode(value)
    assert caught.value.reason == Reason.UNKNOWN_SCHEMA
    with pytest.raises(BadMessage, match="upgrade"):
        Codec("event").strip(value)


@pytest.mark.parametrize("cut", range(HEADER_BYTES + 1))
def test_every_cut_of_the_header_is_found(cut: int) -> None:
    """A value that ends within or right after its header is bad, whatever the codec."""
    value = header_of(load("event"))[:cut]
    with pytest.raises(BadMessage):
        Codec("event").decode(value)


@given(st.binary(min_size=RECORD_BYTES, max_size=RECORD_BYTES))
def test_audit_records_may_begin_with_any_bytes(record: bytes) -> None:
    """A bare record of fixed size is never taken for a single object, nor the other way round."""
    for value in (record, MARKER + record[2:]):
        assert bytes(Codec("audit_record").strip(value)[0]) == value
        framed = header_of(load("audit_record")) + value
        assert bytes(Codec("audit_record").strip(framed)[0]) == value


@pytest.mark.parametrize("name", [name for name in SCHEMA_NAMES if name != "audit_record"])
def test_no_bare_record_begins_with_the_marker(name: SchemaName) -> None:
    """Read bare, the marker is a negative length or symbol, which no record of ours begins with."""
    first = load(name).parsed["fields"][0]["type"]
    assert first == "string" or first["type"] == "enum"
    assert is_single_object(MARKER)
