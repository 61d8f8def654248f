"""Texts with their spans taken out: masked, hashed or replaced by their type."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

from operators.errors import InvalidConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operators.dlp.verdict import Placed

_SHOWN = 16


class Redaction(StrEnum):
    """How a value is taken out."""

    MASK = "mask"
    HASH = "hash"
    REPLACE = "replace"


def redact(
    text: str,
    spans: Iterable[Placed],
    how: Redaction = Redaction.REPLACE,
    *,
    field: str = "body",
    index: int = 0,
    key: bytes = b"",
) -> str:
    """One field of a message without its values.

    Args:
        text: of the field, as it was scanned.
        spans: of a verdict; those of other fields are left out.
        how: ``mask`` keeps the length and the white space, ``hash`` writes ``[TYPE:hex]``, the
            first 64 bits of an HMAC-SHA-256 by which equal values can be told, ``replace``
            writes ``[TYPE]``.
        field: which field the text is of.
        index: which attachment or link.
        key: of the hash; without a secret key, short values could be found by trying.

    Raises:
        InvalidConfig: a hash is asked for without a key.
    """
    if how is Redaction.HASH and not key:
        raise InvalidConfig("redaction by hash needs a key: values are short enough to be guessed")
    parts, done = [], 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if (span.field, span.index) != (field, index) or span.end <= done:
            continue
        start = max(span.start, done)
        parts += [text[done:start], _instead(text[start : span.end], span.type, how, key)]
        done = span.end
    return "".join([*parts, text[done:]])


def masked(value: str) -> str:
    """A value in stars; its length and its white space stay."""
    return "".join(char if char.isspace() else "*" for char in value)


def _instead(value: str, kind: str, how: Redaction, key: bytes) -> str:
    if how is Redaction.MASK:
        return masked(value)
    if how is Redaction.REPLACE:
        return f"[{kind}]"
    digest = hmac.digest(key, f"{kind}\0{value}".encode(), hashlib.sha256)
    return f"[{kind}:{digest.hex()[:_SHOWN]}]"
