from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from schemas.errors import BadMessage
from schemas.mapping.times import Unit, check_format, to_time_us

NEW_YEAR_US = 1735689600_000_000  # 2025-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("value", "unit", "time_us"),
    [
        (1735689600, "s", NEW_YEAR_US),
        (1735689600.25, "s", NEW_YEAR_US + 250_000),
        ("1735689600.000001", "s", NEW_YEAR_US + 1),
        (1735689600123, "ms", NEW_YEAR_US + 123_000),
        ("1735689600123", "ms", NEW_YEAR_US + 123_000),
        (NEW_YEAR_US + 7, "us", NEW_YEAR_US + 7),
        (1735689600_000_000_999, "ns", NEW_YEAR_US),
        ("1735689600000001999", "ns", NEW_YEAR_US + 1),
        (-1, "ns", -1),
        (-1, "ms", -1000),
        (Decimal("1735689600.5"), "s", NEW_YEAR_US + 500_000),
        ("1.7356896e12", "ms", NEW_YEAR_US),
        ("0.0000005", "s", 0),
        ("0.0000015", "s", 2),
        ("2025-01-01T00:00:00Z", "iso8601", NEW_YEAR_US),
        ("2025-01-01T01:00:00.000001+01:00", "iso8601", NEW_YEAR_US + 1),
        ("2025-01-01", "iso8601", NEW_YEAR_US),
        ("20250101T000000", "iso8601", NEW_YEAR_US),
    ],
)
def test_a_time_is_read_in_its_unit(value: object, unit: Unit, time_us: int) -> None:
    """Each unit gives the exact microsecond; nanoseconds are cut off, without float in between."""
    assert to_time_us(value, "t", unit, None) == time_us


@pytest.mark.parametrize("unit", [None, "ms", "iso8601"])
def test_a_timestamp_of_the_format_itself_needs_no_unit(unit: Unit | None) -> None:
    """Avro's and Protobuf's own timestamps and dates say what they are."""
    zone = timezone(timedelta(hours=1))
    assert to_time_us(datetime(2025, 1, 1, 1, tzinfo=zone), "t", unit, None) == NEW_YEAR_US
    assert to_time_us(date(2025, 1, 1), "t", unit, None) == NEW_YEAR_US
    naive = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    assert to_time_us(naive, "t", unit, None) == NEW_YEAR_US


def test_a_format_reads_written_times() -> None:
    """``strptime`` formats; without an offset in them the time is UTC on every machine."""
    assert to_time_us("01/01/2025 00:00:01", "t", None, "%d/%m/%Y %H:%M:%S") == NEW_YEAR_US + 10**6
    assert to_time_us("2025-01-01 +0100", "t", None, "%Y-%m-%d %z") == NEW_YEAR_US - 3600 * 10**6


@pytest.mark.parametrize(
    ("value", "unit", "pattern"),
    [
        ("soon", "ms", None),
        (True, "ms", None),
        (None, "ms", None),
        ([1], "s", None),
        (float("nan"), "s", None),
        ("Infinity", "s", None),
        (10**30, "us", None),
        (2**63, "us", None),
        ("9e999999", "s", None),
        ("2025-13-01", "iso8601", None),
        (1735689600, "iso8601", None),
        ("2025-01-01", None, "%d/%m/%Y"),
        (20250101, None, "%Y%m%d"),
        (1735689600, None, None),
    ],
)
def test_what_is_no_time_is_refused_without_being_quoted(
    value: object, unit: Unit | None, pattern: str | None
) -> None:
    """A wrong unit or format is told by field and type."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'at' is") as refused:
        to_time_us(value, "at", unit, pattern)
    assert "2025" not in refused.value.detail
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "pattern", ["%d/%m/%Y %H:%M", "%Y-%j", "%y%m%d", "%c", "%Y-%m-%dT%H:%M:%S.%f%z"]
)
def test_formats_with_a_full_date_are_taken(pattern: str) -> None:
    """Whatever gives year, month and day will do."""
    check_format(pattern)


@pytest.mark.parametrize("pattern", ["%H:%M", "%d/%m", "%Q", "%Y-%m-%d %", "%Y", "%d.%m.%Y %Z"])
def test_formats_that_cannot_give_a_date_everywhere_are_refused(pattern: str) -> None:
    """Times of the year 1900 are noticed when the mapping is read, not in the model's weights."""
    with pytest.raises(ValueError, match=r"strptime|all three|use %z"):
        check_format(pattern)
