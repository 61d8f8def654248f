import json
from io import BytesIO
from typing import Any

import fastavro
import pytest

from schemas import writers
from schemas.codec import Codec
from schemas.compat import unreadable
from schemas.confluent import RegistryUnavailable, SchemaRegistry
from schemas.errors import BadMessage, ConfigError
from schemas.reasons import Reason
from schemas.registry import load
from schemas.wire import WireCodec
from tests.unit.schemas.registry_double import RegistryDouble

EVENT: dict[str, Any] = {
    "kind": "LABEL",
    "tenant": "acme",
    "id": "card-7",
    "event_id": "e-1",
    "time_us": 1_700_000_000_000_000,
    "label": 1.0,
}
FULL_EVENT = EVENT | dict.fromkeys(
    ("features", "feature_ids", "feature_values", "key", "value", "query", "context")
)


@pytest.fixture
def codec(registry: SchemaRegistry) -> WireCodec:
    return WireCodec("event", registry, "events", may_register=True)


def changed(*, without: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return our event schema as another producer might have it."""
    schema: dict[str, Any] = json.loads(load("event").text)
    schema["fields"] = [f for f in schema["fields"] if f["name"] not in without]
    schema["fields"] += [{"name": name, "type": kind} for name, kind in more.items()]
    return schema


def written(schema: Any, number: int, record: dict[str, Any]) -> bytes:
    """Return a record as a producer with this schema writes it."""
    out = BytesIO()
    out.write(b"\x00" + number.to_bytes(4, "big"))
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def test_header_is_magic_and_big_endian_id(server: RegistryDouble, codec: WireCodec) -> None:
    """Any client of the registry can read what we write."""
    for other in range(300):
        server.add({"type": "fixed", "name": f"other{other}", "size": 1})
    data = codec.encode(EVENT)
    assert data[:5] == b"\x00\x00\x00\x01\x2d"
    assert data[5:] == Codec("event").encode(EVENT)
    assert codec.subject == "events-value"


def test_our_own_records_come_back(server: RegistryDouble, codec: WireCodec) -> None:
    """What we write we read, and the registry is asked once for each direction."""
    for _ in range(3):
        assert codec.decode(codec.encode(EVENT)) == FULL_EVENT
    assert server.requests == ["POST /subjects/events-value/versions", "GET /schemas/ids/1"]


def test_same_schema_without_docs_is_ours(server: RegistryDouble, codec: WireCodec) -> None:
    """A producer whose schema has other docs and the same fields is read as if it were ours."""
    plain = json.loads(load("event").canonical_form)
    data = written(plain, server.add(plain), FULL_EVENT)
    assert codec.decode(data) == FULL_EVENT


def test_other_version_is_resolved_to_ours(server: RegistryDouble, codec: WireCodec) -> None:
    """Fields that we do not know are skipped; fields that the writer lacks get their default."""
    theirs = changed(without=("query", "context"), colour="string", extra=["null", "long"])
    data = written(theirs, server.add(theirs), EVENT | {"colour": "red", "extra": 3})
    assert codec.decode(data) == FULL_EVENT


def test_writer_with_its_own_name_and_logical_types(
    server: RegistryDouble, codec: WireCodec
) -> None:
    """A producer's own namespace and a timestamp type do not get in the way."""
    theirs = changed(without=("time_us",)) | {"namespace": "com.acme"}
    theirs["fields"].append(
        {"name": "time_us", "type": {"type": "long", "logicalType": "timestamp-micros"}}
    )
    data = written(theirs, server.add(theirs), EVENT)
    assert codec.decode(data) == FULL_EVENT


def test_incompatible_writer_is_refused_by_field(
    server: RegistryDouble, codec: WireCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema that ours cannot read is checked once; each of its messages is told the field."""
    checks: list[str] = []

    def counted(reader: str, writer: str) -> list[str]:
        checks.append(writer)
        return unreadable(reader, writer)

    monkeypatch.setattr(writers, "unreadable", counted)
    theirs = changed(without=("tenant",))
    record = {name: value for name, value in EVENT.items() if name != "tenant"}
    data = written(theirs, server.add(theirs), record)
    for _ in range(2):
        with pytest.raises(BadMessage, match=r"schema 1 of .* weir\.Event\.tenant: ") as caught:
            codec.decode(data)
        assert caught.value.reason == Reason.INCOMPATIBLE_SCHEMA
    assert len(checks) == 1


@pytest.mark.parametrize(
    ("theirs", "detail"),
    [
        ("{", "schema 1 of"),
        ({"type": "record", "name": "Event"}, "schema 1 of"),
        ("[]", "not a record"),
    ],
)
def test_schema_that_cannot_be_read_with(
    server: RegistryDouble, codec: WireCodec, theirs: Any, detail: str
) -> None:
    """A schema that is none, or none of a record, is refused with its id."""
    server.add(theirs)
    with pytest.raises(BadMessage, match=detail) as caught:
        codec.decode(b"\x00\x00\x00\x00\x01\x00")
    assert caught.value.reason == Reason.INCOMPATIBLE_SCHEMA


def test_recursive_writer_is_refused(server: RegistryDouble, codec: WireCodec) -> None:
    """A message cannot exhaust the stack through a field that we would skip."""
    node = {
        "type": "record",
        "name": "node",
        "fields": [{"name": "next", "type": ["null", "weir.node"]}],
    }
    number = server.add(changed(nodes=node))
    bomb = Codec("event").encode(EVENT) + b"\x02" * 1_000_000
    with pytest.raises(BadMessage, match=r"weir\.node contains itself"):
        codec.decode(b"\x00" + number.to_bytes(4, "big") + bomb)


@pytest.mark.parametrize("cut", [1, 4])
def test_cut_in_a_skipped_field_is_found(
    server: RegistryDouble, codec: WireCodec, cut: int
) -> None:
    """A field that we skip is checked like one that we read."""
    theirs = changed(colour="bytes")
    data = written(theirs, server.add(theirs), EVENT | {"colour": b"12345"})
    with pytest.raises(BadMessage, match="field colour at byte 46") as caught:
        codec.decode(data[:-cut])
    assert caught.value.reason == Reason.BAD_AVRO
    with pytest.raises(BadMessage) as caught:
        codec.decode(data + b"\x00")
    assert caught.value.reason == Reason.TRAILING_BYTES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, Reason.EMPTY_VALUE),
        (b"", Reason.EMPTY_VALUE),
        (b"\x00\x00\x00", Reason.BAD_WIRE_HEADER),
        (b"\x01\x00\x00\x00\x01\x00", Reason.BAD_WIRE_HEADER),
        (b'{"tenant": "acme"}', Reason.BAD_WIRE_HEADER),
        (b"\x00\x00\x00\x00\x63\x00", Reason.UNKNOWN_SCHEMA),
    ],
)
def test_header_that_is_none(codec: WireCodec, data: bytes | None, reason: Reason) -> None:
    """Plain Avro, JSON and empty values on a topic with a registry get their own reason."""
    with pytest.raises(BadMessage) as caught:
        codec.decode(data)
    assert caught.value.reason == reason


def test_header_alone_has_an_empty_record(codec: WireCodec) -> None:
    """A header with nothing behind it is an empty value."""
    codec.announce()
    with pytest.raises(BadMessage) as caught:
        codec.decode(b"\x00\x00\x00\x00\x01")
    assert caught.value.reason == Reason.EMPTY_VALUE


def test_registry_outage_is_not_the_messages_fault(
    server: RegistryDouble, codec: WireCodec
) -> None:
    """While the registry is down, messages of known schemas pass and others stop, unquarantined."""
    data = codec.encode(EVENT)
    codec.decode(data)
    server.status = 503
    assert codec.decode(data) == FULL_EVENT
    with pytest.raises(RegistryUnavailable):
        codec.decode_many([b"\x00\x00\x00\x00\x07\x00"])


def test_start_shows_a_missing_schema(server: RegistryDouble, registry: SchemaRegistry) -> None:
    """Where we may not register, the start says that the schema is missing."""
    codec = WireCodec("prediction", registry, "predictions", may_register=False)
    with pytest.raises(ConfigError, match="predictions-value"):
        codec.announce()
    number = server.add(load("prediction").text, subject="predictions-value")
    assert codec.announce() == number


def test_stripping_leaves_the_records_own_bytes(codec: WireCodec) -> None:
    """What is digested for the audit does not depend on the ids of a registry."""
    data = codec.encode(EVENT)
    payload, writer = codec.strip(data)
    assert payload == Codec("event").encode(EVENT)
    assert writer["name"] == "weir.Event"
