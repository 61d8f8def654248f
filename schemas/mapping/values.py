"""From a decoded value to a number, a text or a category.

What a message says about its own contents stays out of every error here: a detail names the field
and the value's type, because details end in logs and in the quarantine's headers.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from schemas.errors import BadMessage
from schemas.reasons import Reason

_TYPE_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "object",
    Decimal: "decimal",
    UUID: "uuid",
    datetime: "timestamp",
    date: "date",
}
_SHOWN = 120


def type_name(value: object) -> str:
    """The type of a decoded value in a mapping's words, such as ``string`` or ``object``."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def bad_field(field: str, what: str) -> BadMessage:
    """The error for one field; ``what`` must not quote the value."""
    shown = field if len(field) <= _SHOWN else f"{field[:_SHOWN]}…"
    shown = shown.encode(errors="replace").decode()  # a glob's name can hold half a surrogate pair
    return BadMessage(Reason.BAD_FIELD, f"field {shown!r} {what}")


def to_number(value: object, field: str) -> float:
    """A finite float64.

    Integers, decimals, booleans (1 and 0) and strings that hold a plain decimal number count.

    Raises:
        BadMessage: BAD_FIELD; the value is no number, too large for float64, NaN or infinite.
    """
    kind = type(value)
    if kind is float:
        number: float = value  # type: ignore[assignment] # its type was just compared
    elif kind is str:
        parsed = parse_number(value)  # type: ignore[arg-type] # the same
        if parsed is None:
            raise bad_field(field, "is a string that does not read as a number")
        number = parsed
    elif isinstance(value, int | Decimal):
        try:
            number = float(value)
        except (OverflowError, ValueError):  # an int beyond 1e308; a signalling NaN
            raise bad_field(field, f"is a {type_name(value)} beyond float64") from None
    else:
        raise bad_field(field, f"is of type {type_name(value)} where a number is expected")
    if not math.isfinite(number):
        raise bad_field(field, f"is a {type_name(value)} that is not finite")
    return number


def parse_number(text: str) -> float | None:
    """The number that a text holds, None if it holds none.

    ``float`` alone would also read ``1_000`` and digits of other scripts. NaN and infinity are
    read, for the caller to refuse: a word for a missing number must not turn into a category.
    """
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def to_text(value: object, field: str) -> str:
    """An identifier: a string that is not empty, an integer or a UUID.

    Raises:
        BadMessage: BAD_FIELD; another type, empty, or not encodable as UTF-8.
    """
    if type(value) is str:
        if not value:
            raise bad_field(field, "is an empty string where an identifier is expected")
        return encodable(value, field)
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    raise bad_field(field, f"is of type {type_name(value)} where an identifier is expected")


def to_category(value: object, field: str) -> str:
    """The text of a category: strings as they are, booleans as ``true`` and ``false``.

    Raises:
        BadMessage: BAD_FIELD; an object, a list, bytes, or a number that is not finite.
    """
    if type(value) is str:
        return encodable(value, field)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise bad_field(field, f"is a {type_name(value)} that is not finite")
        return repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, int | UUID):
        return str(value)
    if isinstance(value, date):  # and datetime, which is one
        return value.isoformat()
    raise bad_field(field, f"is of type {type_name(value)} where a category is expected")


def encodable(text: str, field: str) -> str:
    r"""``text`` itself, if Avro can carry it: JSON can spell half a surrogate pair, ``"\ud800"``.

    Raises:
        BadMessage: BAD_FIELD.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # not chained: it quotes the text
            raise bad_field(field, "is a string with half a surrogate pair") from None
    return text
