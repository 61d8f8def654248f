"""Event times: from what a field holds to microseconds since 1970-01-01T00:00:00Z.

What carries no offset from UTC is read as UTC. Finer than a microsecond is cut off towards the past
for nanoseconds and rounded half to even for fractions of larger units.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from schemas.mapping.values import bad_field, parse_number, type_name

Unit = Literal["s", "ms", "us", "ns", "iso8601"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_NANOSECONDS_PER_MICROSECOND = 1_000
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 19 + 3  # and three more in nanoseconds
# Every directive's value in it is unlike the defaults that strptime fills in (1900-01-01, 00:00).
_PROBE = datetime(2003, 11, 25, 22, 43, 51, 123456, tzinfo=UTC)


def datetime_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact; without an offset it is taken as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def check_format(pattern: str) -> None:
    """Refuse a ``strptime`` format that would not give a full date.

    Raises:
        ValueError: a directive is unknown or depends on the machine, or the format does not say
            year, month and day.
    """
    if "%Z" in pattern:
        raise ValueError("%Z reads names of time zones that differ between machines; use %z")
    try:
        parsed = datetime.strptime(_PROBE.strftime(pattern), pattern)  # noqa: DTZ007 - only the date counts
    except ValueError as error:
        raise ValueError(f"{pattern!r} is no strptime format: {error}") from error
    if parsed.date() != _PROBE.date():
        raise ValueError(f"{pattern!r} does not give year, month and day; a time needs all three")


def to_time_us(value: object, field: str, unit: Unit | None, pattern: str | None) -> int:
    """Microseconds since 1970 UTC.

    Args:
        value: a timestamp or date of the format's own (Avro logical type, Protobuf Timestamp),
            which needs no unit; else a number or a string.
        field: for the error.
        unit: of a number or a string.
        pattern: ``strptime`` format of a string; given instead of a unit.

    Raises:
        BadMessage: BAD_FIELD; the value does not read as a time, or does not fit into 64 bits.
    """
    if isinstance(value, datetime):
        time_us = datetime_us(value)
    elif isinstance(value, date):
        time_us = datetime_us(datetime(value.year, value.month, value.day, tzinfo=UTC))
    elif pattern is not None:
        time_us = _from_text(value, field, pattern)
    elif unit == "iso8601":
        time_us = _from_text(value, field, None)
    elif unit is None:
        raise bad_field(
            field,
            f"is of type {type_name(value)}, no timestamp; give the time a unit or a format",
        )
    else:
        time_us = _from_number(value, field, unit)
    if time_us not in _INT64:
        raise bad_field(field, f"is a {type_name(value)} beyond the times that 64 bits can hold")
    return time_us


def _from_text(value: object, field: str, pattern: str | None) -> int:
    if type(value) is not str:
        raise bad_field(field, f"is of type {type_name(value)} where a written time is expected")
    form = "ISO 8601" if pattern is None else repr(pattern)
    try:
        if pattern is None:
            return datetime_us(datetime.fromisoformat(value))
        return datetime_us(datetime.strptime(value, pattern))  # noqa: DTZ007 - see the module's text
    except (ValueError, OverflowError):  # not chained: it quotes the value
        raise bad_field(field, f"is a string that does not read as a time in {form}") from None


def _from_number(value: object, field: str, unit: str) -> int:
    exact = _exact(value, field)
    if unit == "ns":
        return math.floor(exact) // _NANOSECONDS_PER_MICROSECOND
    scaled = exact * _MICROSECONDS[unit]
    return int(scaled.to_integral_value(ROUND_HALF_EVEN)) if isinstance(scaled, Decimal) else scaled


def _exact(value: object, field: str) -> int | Decimal:
    """The number without rounding: today in nanoseconds is beyond what a float64 can tell apart."""
    if type(value) is int:
        return value
    if type(value) is str and parse_number(value) is not None:
        exact = Decimal(value.strip())
    elif type(value) is float:
        exact = Decimal(repr(value))
    elif type(value) is Decimal:
        exact = value
    else:
        raise bad_field(field, f"is a {type_name(value)} that does not read as a number")
    # A number with an exponent in the thousands would be a million digits as an integer.
    if not exact.is_finite() or exact.adjusted() > _INT64_DIGITS:
        raise bad_field(field, f"is a {type_name(value)} beyond the times that 64 bits can hold")
    return int(exact) if exact == exact.to_integral_value() else exact
