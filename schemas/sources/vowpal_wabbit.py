"""Vowpal Wabbit's text format: ``label importance 'tag |namespace:weight feature:value …``.

What is read, all of it optional but one ``|``:

- label: a number; a row without one is unlabelled;
- importance: a number. The row has it; events do not, so that learning does not weigh by it;
- a third number, the initial prediction: read over;
- tag: begins with ``'``, or stands right before the first ``|`` without a blank (so that in
  ``1|a b`` the 1 is a tag, as it is for Vowpal Wabbit itself);
- any number of namespaces, each with a weight that multiplies its values; the name may be missing;
- features: a name, and a value after a colon, 1 without one. The same feature twice is summed,
  which is what it comes to in Vowpal Wabbit's prediction.

A feature of a namespace is called ``namespace^feature`` as in Vowpal Wabbit's audit output, one
without a namespace by its name alone. The fields of a row are ``label``, ``importance``, ``tag``
and ``features``. Blank lines are skipped. Labels with colons (contextual bandits, multi-class
costs) and features without a name are refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from schemas.sources.text_lines import malformed, rows_by_line, to_finite, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.sources.rows import BadRow, Row
    from schemas.sources.stream import ByteStream

_MOST_NUMBERS = 3  # label, importance, initial prediction


def vowpal_wabbit_rows(stream: ByteStream) -> Iterator[Row | BadRow]:
    """Rows of a source in Vowpal Wabbit's text format."""
    return rows_by_line(stream, _parse)


def _parse(raw: bytes) -> dict[str, Any] | None:
    text = to_text(raw)
    if not text.strip():
        return None
    head, bar, body = text.partition("|")
    if not bar:
        raise malformed("has no `|` before its features")
    words = head.split()
    tag = None
    if words and (words[-1].startswith("'") or not head[-1].isspace()):
        tag = words.pop().removeprefix("'") or None
    if len(words) > _MOST_NUMBERS:
        raise malformed("has more than label, importance and initial prediction before its `|`")
    numbers = [
        to_finite(word, what)
        for word, what in zip(words, ("a label", "an importance", "an initial value"), strict=False)
    ]
    features: dict[str, float] = {}
    for namespace in body.split("|"):
        _read_namespace(namespace, features)
    return {
        "label": numbers[0] if numbers else None,
        "importance": numbers[1] if len(numbers) > 1 else 1.0,
        "tag": tag,
        "features": features,
    }


def _read_namespace(text: str, features: dict[str, float]) -> None:
    words = text.split()
    prefix, weight = "", 1.0
    if words and not text[0].isspace():
        name, weight = _named_number(words.pop(0), "a namespace")
        prefix = f"{name}^"
    for word in words:
        name, value = _named_number(word, "a feature")
        total = features.get(prefix + name, 0.0) + value * weight
        if not math.isfinite(total):
            raise malformed("has a feature whose value is beyond float64")
        features[prefix + name] = total


def _named_number(word: str, what: str) -> tuple[str, float]:
    name, colon, value = word.partition(":")
    if not name:
        raise malformed(f"has {what} without a name")
    return name, to_finite(value, f"{what} with a value") if colon else 1.0
