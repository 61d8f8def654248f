import json
from typing import Any

import pytest

from schemas.compat import Rule, breaks, unreadable
from schemas.errors import ConfigError


def record(*fields: dict[str, Any], **more: Any) -> str:
    """Return a record schema as JSON text."""
    return json.dumps({"type": "record", "name": "r", "fields": list(fields), **more})


A = {"name": "a", "type": "long"}
B = {"name": "b", "type": "string"}
B_DEFAULT = B | {"default": ""}


def nested(inner: dict[str, Any], how: str) -> dict[str, Any]:
    """Return a field that holds a record with one field, within something."""
    item: Any = {"type": "record", "name": "inner", "fields": [inner]}
    shapes = {
        "plain": item,
        "array": {"type": "array", "items": item},
        "map": {"type": "map", "values": item},
        "union": ["null", item],
    }
    return {"name": "outer", "type": shapes[how]}


def test_equal_schemas_break_nothing() -> None:
    """A schema reads its own data in both directions."""
    assert breaks(record(A, B), record(A, B), Rule.FULL) == []


def test_new_field_needs_a_default_to_read_old_data() -> None:
    """A new field without default cannot read old data; old readers do not mind it."""
    assert breaks(record(A, B_DEFAULT), record(A), Rule.FULL) == []
    assert breaks(record(A, B), record(A), Rule.FORWARD) == []
    (problem,) = breaks(record(A, B), record(A), Rule.BACKWARD)
    assert problem.startswith("cannot read old data: r.b: the writer has no such field")


def test_removed_field_breaks_old_readers_that_have_no_default() -> None:
    """A field may go when old readers have a default for it."""
    assert breaks(record(A), record(A, B_DEFAULT), Rule.FULL) == []
    (problem,) = breaks(record(A), record(A, B), Rule.FULL)
    assert problem.startswith("old readers cannot read it: r.b: ")


def test_renamed_field_is_found_by_its_alias() -> None:
    """A field can be renamed when the new name knows the old one."""
    renamed = {"name": "z", "type": "long", "aliases": ["a"]}
    assert unreadable(record(renamed), record(A)) == []


@pytest.mark.parametrize(
    ("how", "place"),
    [
        ("plain", "r.outer.b:"),
        ("array", "r.outer[].b:"),
        ("map", "r.outer{}.b:"),
        ("union", "r.outer.b:"),
    ],
)
def test_the_innermost_field_is_named(how: str, place: str) -> None:
    """A change deep inside is reported at the field that changed."""
    (problem,) = unreadable(record(nested(B, how)), record(nested(B | {"type": "int"}, how)))
    assert problem.startswith(place)
    assert "string" in problem
    assert "int" in problem


def test_every_broken_field_is_reported() -> None:
    """Two changes give two sentences."""
    problems = unreadable(record(A, B), record(A | {"type": "string"}))
    assert [problem.split(":")[0] for problem in problems] == ["r.a", "r.b"]


def test_lost_branch_symbol_and_size_are_named() -> None:
    """What an enum, union or fixed no longer takes is said."""
    enum = {"type": "enum", "name": "e", "symbols": ["X", "Y"]}
    assert (
        "Y"
        in unreadable(record(A | {"type": enum | {"symbols": ["X"]}}), record(A | {"type": enum}))[
            0
        ]
    )
    (branch,) = unreadable(record(A | {"type": ["null"]}), record(A | {"type": ["null", "int"]}))
    assert branch == "r.a: the writer may give int, which the reader does not take"
    fixed = {"type": "fixed", "name": "f", "size": 2}
    (size,) = unreadable(record(A | {"type": fixed}), record(A | {"type": fixed | {"size": 3}}))
    assert size.startswith("r.a: expected: 3, found: 2")


def test_text_that_is_no_schema_is_refused() -> None:
    """A broken file is named as such."""
    with pytest.raises(ConfigError, match="no Avro schema"):
        unreadable("{", record(A))
