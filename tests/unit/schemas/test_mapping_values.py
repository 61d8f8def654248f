from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from schemas.errors import BadMessage
from schemas.mapping.values import to_category, to_number, to_text

CARD_NUMBER = "4111111111111111"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5),
        (-3, -3.0),
        (True, 1.0),
        (False, 0.0),
        ("12.50", 12.5),
        (" 1e3 ", 1000.0),
        ("+.5", 0.5),
        (Decimal("19.99"), 19.99),
        (2**80, float(2**80)),
    ],
)
def test_numbers_are_read_whatever_carries_them(value: object, number: float) -> None:
    """Integers, decimals, booleans and strings of digits all are numbers where one is meant."""
    assert to_number(value, "f") == number


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "nan",
        "-Infinity",
        "1e999",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        10**400,
        "1_000",
        "١٢",
        "0x10",
        "",
        "twelve",
        CARD_NUMBER + "x",
        b"12",
        [1.0],
        {"v": 1},
    ],
)
def test_what_is_no_finite_number_is_refused_without_being_quoted(value: object) -> None:
    """The reason names the field; the value itself must not reach logs or headers."""
    with pytest.raises(BadMessage) as refused:
        to_number(value, "card.amount")
    assert refused.value.reason == "BAD_FIELD"
    assert "'card.amount'" in refused.value.detail
    assert CARD_NUMBER not in refused.value.detail
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("c-7", "c-7"), (12, "12"), (UUID(int=5), "00000000-0000-0000-0000-000000000005"), ("ü", "ü")],
)
def test_identifiers_are_strings_integers_and_uuids(value: object, text: str) -> None:
    """An id may be a number in the message; the event has it as a string."""
    assert to_text(value, "id") == text


@pytest.mark.parametrize("value", ["", 1.5, True, None, b"x", ["x"], {"x": 1}, "\ud800"])
def test_other_types_are_no_identifiers(value: object) -> None:
    """A float or a boolean as id is a slip in the mapping, and half a surrogate pair is no text."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'id' is"):
        to_text(value, "id")


@pytest.mark.parametrize(
    ("value", "category"),
    [("DE", "DE"), ("", ""), (True, "true"), (3, "3"), (2.0, "2.0"), (Decimal("1.50"), "1.50")],
)
def test_categories_are_written_one_way(value: object, category: str) -> None:
    """The same value always gives the same category, or its weight would be split."""
    assert to_category(value, "c") == category


@pytest.mark.parametrize("value", [float("nan"), b"x", {"x": 1}, ["x"], None, "\udfff"])
def test_what_has_no_one_way_to_be_written_is_no_category(value: Any) -> None:
    """Objects, bytes and NaN are refused."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'c' is"):
        to_category(value, "c")


def test_a_reason_is_short_and_can_be_stored_whatever_the_field_is_called() -> None:
    """With globs, names of fields come from messages: they may be huge or not even be text."""
    with pytest.raises(BadMessage) as refused:
        to_number("x", "\ud800" * 10_000)
    assert len(refused.value.detail.encode()) < 300
