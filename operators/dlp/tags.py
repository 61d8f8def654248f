"""The 21 tags, and the way from spans to tags and back.

Tags are BIO over 10 types, in the order of the seed's section 3: ``B-EMAIL`` is 0, ``I-EMAIL`` is
1, and so on; ``O`` is 20. What each type means is in docs/dlp-labels.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

TYPES: Final = (
    "EMAIL",
    "PHONE",
    "PAN",
    "SSN",
    "SECRET",
    "DBURI",
    "NDA",
    "MATTER",
    "NAME",
    "ADDR",
)
TAGS: Final = (*(f"{part}-{kind}" for kind in TYPES for part in "BI"), "O")
OUTSIDE: Final = len(TAGS) - 1
SCORES: Final = ("sensitivity", "exposure", "context", "obfuscation")


class TypedSpan(NamedTuple):
    """A half-open range and the type of what stands in it."""

    start: int
    end: int
    type: str


def to_tags(spans: Iterable[TypedSpan], length: int) -> NDArray[np.uint8]:
    """One tag a position; where spans overlap, the earlier and then the longer one wins."""
    tags = np.full(length, OUTSIDE, np.uint8)
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < end and (tags[start:end] == OUTSIDE).all():
            tags[start:end] = 2 * TYPES.index(kind) + 1
            tags[start] -= 1
    return tags


def from_tags(tags: NDArray[np.integer]) -> list[TypedSpan]:
    """The spans that tags spell; an I without its B opens a span, as if it were one."""
    spans: list[TypedSpan] = []
    start, kind = 0, -1
    for position, tag in enumerate([*tags.tolist(), OUTSIDE]):
        goes_on = tag != OUTSIDE and tag % 2 == 1 and tag // 2 == kind
        if goes_on:
            continue
        if kind >= 0:
            spans.append(TypedSpan(start, position, TYPES[kind]))
        start, kind = position, (-1 if tag == OUTSIDE else tag // 2)
    return spans
