"""Texts without their values."""

from __future__ import annotations

import pytest

from operators.dlp.fuse import Origin
from operators.dlp.redact import Redaction, redact
from operators.dlp.verdict import Placed
from operators.errors import InvalidConfig

TEXT = "Anna: call 555\n0100, Anna"


def placed(start: int, end: int, kind: str, field: str = "body") -> Placed:
    """A span of the model."""
    return Placed(field, 0, start, end, kind, 1.0, Origin.MODEL, validated=False, rule="")


SPANS = [placed(21, 25, "NAME"), placed(11, 19, "PHONE"), placed(0, 4, "NAME")]


def test_mask_keeps_length_and_lines() -> None:
    """Layout stays, values go."""
    assert redact(TEXT, SPANS, Redaction.MASK) == "****: call ***\n****, ****"


def test_replace_names_the_type() -> None:
    """A reader sees what stood there."""
    assert redact(TEXT, SPANS) == "[NAME]: call [PHONE], [NAME]"


def test_hash_tells_equal_values_without_telling_them() -> None:
    """The same value has the same mark under one key, and another under another."""
    one = redact(TEXT, SPANS, Redaction.HASH, key=b"k")
    other = redact(TEXT, SPANS, Redaction.HASH, key=b"l")
    assert one[:23] == one[-23:]
    assert one != other
    assert "Anna" not in one + other


def test_hash_without_a_key_is_refused() -> None:
    """Names and card numbers are few enough to try them all."""
    with pytest.raises(InvalidConfig, match="key"):
        redact(TEXT, SPANS, Redaction.HASH)


def test_spans_of_other_fields_change_nothing() -> None:
    """A place in the subject is none in the body."""
    assert redact(TEXT, [placed(0, 4, "NAME", "subject")]) == TEXT


def test_overlapping_spans_leave_nothing_over() -> None:
    """What two spans cover is gone once, whole."""
    spans = [placed(0, 10, "NAME"), placed(5, 14, "PHONE")]
    assert redact("abcdefghijklmnop", spans) == "[NAME][PHONE]op"
