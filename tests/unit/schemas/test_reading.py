from io import BytesIO
from typing import Any

import fastavro
import pytest

from schemas.reading import UnsafeSchemaError, strict_form


def record(*fields: Any, name: str = "r") -> Any:
    """Return a parsed record schema with these field types."""
    schema = {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(fields)],
    }
    return fastavro.parse_schema(schema)


def test_recursive_schema_is_refused() -> None:
    """A schema that contains itself could exhaust the stack: it is not read with."""
    tree = {"type": "record", "name": "tree", "fields": [{"name": "l", "type": ["null", "tree"]}]}
    with pytest.raises(UnsafeSchemaError, match="tree contains itself"):
        strict_form(fastavro.parse_schema(tree))


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "fixed", "name": "nothing", "size": 0},
        {"type": "record", "name": "empty", "fields": [{"name": "n", "type": "null"}]},
    ],
)
def test_items_without_bytes_are_refused(items: Any) -> None:
    """Four bytes could announce 2^30 items that take no bytes: such a schema is not read with."""
    with pytest.raises(UnsafeSchemaError, match="take no bytes"):
        strict_form(record({"type": "array", "items": items}))


@pytest.mark.parametrize("schema", ["string", ["null", "string"], {"type": "map", "values": "int"}])
def test_only_records_are_read(schema: Any) -> None:
    """A bare value is no record of ours."""
    with pytest.raises(UnsafeSchemaError, match="not a record"):
        strict_form(fastavro.parse_schema(schema))


def test_named_types_can_be_used_again() -> None:
    """A named type that is used twice is read both times, also inside unions, arrays and maps."""
    digest = {"type": "fixed", "name": "digest", "size": 2}
    schema = record(digest, "digest", ["null", "digest"], {"type": "map", "values": "digest"})
    value = {"f0": b"ab", "f1": b"cd", "f2": b"ef", "f3": {"k": b"gh"}}
    out = BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    assert fastavro.schemaless_reader(BytesIO(out.getvalue()), strict_form(schema)) == value


def test_logical_types_stay_what_they_are_encoded_as() -> None:
    """A timestamp comes out as its integer."""
    schema = record({"type": "long", "logicalType": "timestamp-micros"})
    assert fastavro.schemaless_reader(BytesIO(b"\x02"), strict_form(schema)) == {"f0": 1}
