"""Hypothesis strategies for records of an Avro schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from schemas.registry import load

if TYPE_CHECKING:
    from schemas.registry import SchemaName

_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),  # NaN is not equal to itself
    "bytes": st.binary(max_size=40),
    "string": st.text(max_size=20),
}


def records(name: SchemaName) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for complete records of a shipped schema."""
    return _values(load(name).parsed, {})


def _values(schema: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([_values(branch, named) for branch in schema])
    if isinstance(schema, str):
        return _PRIMITIVES[schema] if schema in _PRIMITIVES else named[schema]
    made: st.SearchStrategy[Any]
    match schema["type"]:
        case "record":
            made = st.fixed_dictionaries(
                {field["name"]: _values(field["type"], named) for field in schema["fields"]}
            )
        case "enum":
            made = st.sampled_from(schema["symbols"])
        case "fixed":
            made = st.binary(min_size=schema["size"], max_size=schema["size"])
        case "array":
            return st.lists(_values(schema["items"], named), max_size=4)
        case _:
            return st.dictionaries(
                st.text(max_size=8), _values(schema["values"], named), max_size=4
            )
    named[schema["name"]] = made
    return made
