"""Disguises are undone, and what was undone is marked; ordinary text stays as it is."""

from __future__ import annotations

import base64

import pytest

from operators.dlp.markers import Mark
from operators.dlp.normalise import normalise

VALUE = "alice.jones7@corp.net"


@pytest.mark.parametrize(
    ("written", "mark"),
    [
        (base64.b64encode(VALUE.encode()).decode(), Mark.BASE64),
        (VALUE.encode().hex(), Mark.HEX),
        ("\\x" + VALUE.encode().hex("-").replace("-", "\\x"), Mark.HEX),
        ("".join(f"%{byte:02x}" for byte in VALUE.encode()), Mark.PERCENT),
        ("".join(f"&#{ord(char)};" for char in VALUE), Mark.ENTITY),
        ("\u200b".join(VALUE), Mark.HIDDEN),
        ("".join(chr(ord(char) + 0xFEE0) for char in VALUE), Mark.FOLDED),
        (VALUE.replace("a", "а").replace("o", "о"), Mark.FOLDED),
    ],
)
def test_disguise_is_undone_and_marked(written: str, mark: Mark) -> None:
    """The model reads the value, one mark before it, and the span points at what was written."""
    traced = normalise(f"mail {written} now")
    assert traced.text == f"mail {mark.value}{VALUE} now"
    start = traced.text.index(VALUE)
    assert traced.to_original(start, start + len(VALUE)) == (5, 5 + len(written))


@pytest.mark.parametrize(
    "text",
    [
        "Привет, мир: C++ и Python",
        "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
        "getElementsByTagName XMLHttpRequest",
        "4111111111111111",
        "naïve café — “quoted”",
        "日本語とEnglish",
        "Yıldırım Łukasz Đorđe",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Other scripts, checksums, identifiers and card numbers are what they look like."""
    assert normalise(text).text == text


def test_typographic_changes_are_not_marked() -> None:
    """A ligature, a no-break space or an entity for a space hides nothing."""
    assert normalise("a ﬁle of&nbsp;two\u00a0lines").text == "a file of two lines"
