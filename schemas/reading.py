"""The form of a schema that bytes from outside are decoded with.

fastavro indexes unions and enums with whatever number the bytes hold, so that -1 silently means the
last branch or symbol; it recurses in C for recursive schemas, so that a small message can exhaust
the stack; and it loops over arrays of items that take no bytes for as long as the bytes say.
``strict_form`` rewrites a parsed schema so that none of this can happen: unions and enum symbols
become dictionaries (any number that is not a branch is a ``KeyError``, at the same speed), named
types stand inline, and the other two kinds of schema are refused.

Every other length in the bytes is safe as it is: fastavro reads at most what is there, compares,
and raises ``EOFError``. A varint of more than ten bytes reads as some 64-bit number.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from fastavro import schemaless_reader
from fastavro.read import SchemaResolutionError

from schemas.errors import BadMessage
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

Form = dict[str, Any]
Record = dict[str, Any]

# What fastavro raises when bytes do not fit a schema: end of input, a number outside an enum or a
# union, broken UTF-8, a schema resolution that fails on the values.
DECODE_ERRORS: Final = (EOFError, ValueError, LookupError, OverflowError, SchemaResolutionError)

_PRIMITIVES: Final = frozenset(
    ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
)
_ALREADY_PARSED: Final = {"__fastavro_parsed": True, "__named_schemas": {}}
_SHORT_READ: Final = re.compile(r"Expected (-?\d+) bytes, read (\d+)")


class UnsafeSchemaError(ValueError):
    """Bytes under this schema could exhaust stack or time; the message says why."""


def strict_form(parsed: Any) -> Form:
    """Return the strict form of a record schema, for ``fastavro.schemaless_reader`` only.

    It reads what the schema reads, logical types left out. Named types are shared, not copied, so
    its size is linear in the schema's.

    Args:
        parsed: what ``fastavro.parse_schema`` returned.

    Raises:
        UnsafeSchemaError: the schema is recursive, has an array of items that take no bytes, or is
            no record.
    """
    if not isinstance(parsed, dict) or parsed["type"] != "record":
        raise UnsafeSchemaError("the outermost type is not a record")
    return {**_strict(parsed, {}), **_ALREADY_PARSED}


def _strict(schema: Any, named: dict[str, Any]) -> Any:
    """Rewrite one schema; ``named`` holds the named types that are complete so far."""
    if isinstance(schema, list):
        return {"type": "union"} | {i: _strict(branch, named) for i, branch in enumerate(schema)}
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return schema
        if schema not in named:
            raise UnsafeSchemaError(f"{schema} contains itself")
        return named[schema]
    form = _strict_complex(schema, named)
    if "name" in schema:
        named[schema["name"]] = form
    return form


def _strict_complex(schema: Mapping[str, Any], named: dict[str, Any]) -> Any:
    kind = schema["type"]
    match kind:
        case "record" | "error":
            fields = [
                {"name": field["name"], "type": _strict(field["type"], named)}
                for field in schema["fields"]
            ]
            return {"type": "record", "fields": fields}
        case "enum":
            return {"type": "enum", "symbols": dict(enumerate(schema["symbols"]))}
        case "fixed":
            return {"type": "fixed", "size": schema["size"]}
        case "array":
            items = _strict(schema["items"], named)
            if _takes_no_bytes(items):
                raise UnsafeSchemaError("an array has items that take no bytes")
            return {"type": "array", "items": items}
        case "map":
            return {"type": "map", "values": _strict(schema["values"], named)}
        case _:  # a primitive with attributes
            return _strict(kind, named)


def _takes_no_bytes(form: Any) -> bool:
    if isinstance(form, str):
        return form == "null"
    if form["type"] == "record":
        return all(_takes_no_bytes(field["type"]) for field in form["fields"])
    return bool(form["type"] == "fixed" and form["size"] == 0)


def explain(fullname: str, form: Form, data: bytes, start: int, error: Exception) -> BadMessage:
    """Return the ``BadMessage`` for bytes that ``form`` could not read.

    Reads again, field by field, to name the field and the byte; it quotes nothing of the content.

    Args:
        fullname: name of the schema, for the message.
        form: the strict form that failed.
        data: the whole value.
        start: where the record begins in it, after a wire header.
        error: what fastavro raised, used when every field by itself can be read.
    """
    if len(data) <= start:
        return BadMessage(Reason.EMPTY_VALUE, f"{fullname}: the value is empty")
    stream = BytesIO(data)
    stream.seek(start)
    for field in form["fields"]:
        at = stream.tell()
        try:
            schemaless_reader(stream, {"type": "record", "fields": [field], **_ALREADY_PARSED})
        except DECODE_ERRORS as cause:
            where = f"{fullname}: field {field['name']} at byte {at} of {len(data)}"
            return BadMessage(Reason.BAD_AVRO, f"{where}: {_describe(cause)}")
    return BadMessage(Reason.BAD_AVRO, f"{fullname}: {_describe(error)}")


def _describe(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "a string is not UTF-8"
        case KeyError():
            return f"there is no union branch or enum symbol number {error.args[0]}"
        case EOFError() if short := _SHORT_READ.match(str(error)):
            return f"a length of {short[1]} is announced, {short[2]} bytes are left"
        case EOFError() | IndexError():
            return "the bytes end in the middle of a value"
        case _:
            return str(error)


def trailing(fullname: str, end: int, size: int) -> BadMessage:
    """Return the ``BadMessage`` for a value with bytes after its record, which ends at ``end``."""
    return BadMessage(
        Reason.TRAILING_BYTES,
        f"{fullname}: the record ends at byte {end}, {size - end} more follow; "
        "is the value written with another version of the schema, or with a wire header?",
    )
