import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest

from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage, ConfigError
from schemas.mapping import Mapper
from tests.unit.schemas.mapping_cases import ORIGIN, make_mapper
from tests.unit.schemas.registry_double import RegistryDouble

ADDRESS = {
    "type": "record",
    "name": "Address",
    "fields": [{"name": "country", "type": "string"}, {"name": "zip", "type": ["null", "int"]}],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {
            "name": "who",
            "type": [
                "null",
                "string",
                {
                    "type": "record",
                    "name": "Person",
                    "fields": [
                        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
                        {"name": "home", "type": ["null", ADDRESS]},
                        {
                            "name": "work",
                            "type": [
                                "null",
                                "Address",
                                {"type": "map", "values": ["null", "double"]},
                            ],
                        },
                    ],
                },
            ],
        },
        {
            "name": "price",
            "type": {
                "type": "fixed",
                "name": "Money",
                "size": 8,
                "logicalType": "decimal",
                "precision": 12,
                "scale": 2,
            },
        },
        {"name": "refund", "type": ["null", "Money"]},
        {"name": "parts", "type": {"type": "array", "items": ["float", "string"]}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID"]}},
        {"name": "blob", "type": "bytes"},
    ],
}
ORDER: dict[str, Any] = {
    "id": 9,
    "at": datetime(2025, 1, 1, 0, 0, 0, 7, tzinfo=UTC),
    "day": date(2025, 1, 1),
    "who": {
        "key": UUID(int=3),
        "home": {"country": "DE", "zip": None},
        "work": {"floor": 2.0, "desk": None},
    },
    "price": Decimal("12.50"),
    "refund": Decimal("-2.50"),
    "parts": [0.5, 2.0],
    "status": "PAID",
    "blob": b"\x00",
}
BODY = """\
tenant: {constant: shop}
id: who.key
event_id: id
time: at
features:
  numbers: [price, refund, "who.work.*", {field: who.home.zip, name: zip}]
  categories: [who.home.country, status, day]
key: parts
"""
UNDATED = {
    **SCHEMA,
    "fields": [{**one, "type": "long"} if one["name"] == "at" else one for one in SCHEMA["fields"]],
}
"""The same bytes, for a time that no calendar has."""

PLAIN = "source: {format: avro, schema: order.avsc}\n" + BODY


def _encode(record: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


@pytest.fixture
def mapper(tmp_path: Path) -> Mapper:
    """A mapper of plain Avro orders."""
    (tmp_path / "order.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return make_mapper(PLAIN, tmp_path)


def test_nested_unions_and_logical_types_arrive_as_what_they_mean(mapper: Mapper) -> None:
    """Records, maps and null in unions, timestamps, dates, decimals and UUIDs can all be mapped."""
    event = mapper.map_message(_encode(ORDER), ORIGIN)
    assert event["id"] == "00000000-0000-0000-0000-000000000003"
    assert event["event_id"] == "9"
    assert event["time_us"] == 1735689600_000_007
    assert event["features"] == {
        "price": 12.5,
        "refund": -2.5,
        "who.work.floor": 2.0,
        "who.home.country=DE": 1.0,
        "status=PAID": 1.0,
        "day=2025-01-01": 1.0,
    }


def test_another_branch_of_a_union_leaves_its_fields_missing(mapper: Mapper) -> None:
    """Where a union holds a string instead of a record, the record's fields are not there."""
    with pytest.raises(BadMessage, match=r"'who\.key' is missing, and id needs it"):
        mapper.map_message(_encode(ORDER | {"who": "anonymous"}), ORIGIN)
    home = ORDER["who"] | {"home": None, "work": None}
    event = mapper.map_message(_encode(ORDER | {"who": home, "refund": None}), ORIGIN)
    assert "who.home.country=DE" not in event["features"]
    assert "refund" not in event["features"]


def test_a_wrong_type_in_a_union_is_told_by_its_type(mapper: Mapper) -> None:
    """An array of floats or strings is a vector only while it holds numbers."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'parts' is a string") as refused:
        mapper.map_message(_encode(ORDER | {"parts": [0.5, "secret"]}), ORIGIN)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", "EMPTY_VALUE"),
        (_encode(ORDER)[:-1], "BAD_AVRO: shop.Order: field blob"),
        (_encode(ORDER) + b"x", "TRAILING_BYTES"),
        (b"\x12" + b"\xff" * 40, "BAD_AVRO"),
        # Branch -1 of the union of ``day``, which Python would take for the last one.
        (_encode(ORDER)[:9] + b"\x01" + _encode(ORDER)[10:], "BAD_AVRO: .*no union branch"),
        (_encode(ORDER | {"at": 2**62}, UNDATED), "BAD_AVRO: .*out of its range"),
    ],
)
def test_bytes_of_another_schema_are_refused(mapper: Mapper, value: bytes, fault: str) -> None:
    """Cut off, too long, damaged or with a date beyond all calendars: always a reason."""
    with pytest.raises(BadMessage, match=fault):
        mapper.map_message(value, ORIGIN)


@pytest.mark.parametrize(
    "schema",
    [
        "no json",
        '{"type": "record"}',
        '"string"',
        '{"type": "map", "values": "long"}',
        '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "B"}]}',
        '{"type": "record", "name": "A", "fields": [{"name": "x", "type": ["null", "A"]}]}',
    ],
)
def test_a_file_that_is_no_usable_schema_is_refused_at_start(tmp_path: Path, schema: str) -> None:
    """The mistake is found when the mapping is loaded, not with the first message."""
    (tmp_path / "order.avsc").write_text(schema, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"order\.avsc is no Avro schema that a mapping can use"):
        make_mapper(PLAIN, tmp_path)


def test_a_registry_tells_the_schema_of_each_message(
    server: RegistryDouble, registry: SchemaRegistry
) -> None:
    """Messages of several versions of a schema can stand in one topic."""
    older = {**SCHEMA, "fields": [one for one in SCHEMA["fields"] if one["name"] != "blob"]}
    numbers = [server.add(one) for one in (older, SCHEMA)]
    mapper = make_mapper(
        "source: {format: avro, framing: confluent}\n" + BODY, schema_lookup=registry.fetch
    )
    events = [
        mapper.map_message(b"\0" + number.to_bytes(4, "big") + _encode(ORDER, schema), ORIGIN)
        for number, schema in zip(numbers, (older, SCHEMA), strict=True)
    ]
    assert events[0] == events[1]
    with pytest.raises(BadMessage, match="UNKNOWN_SCHEMA"):
        mapper.map_message(b"\0\0\0\x0f\xff" + _encode(ORDER), ORIGIN)
    with pytest.raises(BadMessage, match="BAD_WIRE_HEADER"):
        mapper.map_message(_encode(ORDER), ORIGIN)


def test_a_schema_of_the_registry_that_cannot_be_used_is_the_messages_fault() -> None:
    """One bad schema in the registry stops no other message."""
    text = "source: {format: avro, framing: confluent}\n" + BODY
    schemas = {1: '"string"', 2: json.dumps(SCHEMA)}
    mapper = make_mapper(text, schema_lookup=schemas.__getitem__)
    with pytest.raises(BadMessage, match="INCOMPATIBLE_SCHEMA: the registry's schema 1"):
        mapper.map_message(b"\0\0\0\0\1\2a", ORIGIN)
    assert mapper.map_message(b"\0\0\0\0\2" + _encode(ORDER), ORIGIN)["event_id"] == "9"


def test_a_registry_is_asked_for_before_the_first_message() -> None:
    """A mapping that needs a registry does not start without one."""
    with pytest.raises(ConfigError, match="no schema registry is set; set its address"):
        make_mapper("source: {format: avro, framing: confluent}\n" + BODY)
