"""What the model found and what the rules know, made into one list of spans."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.rules.plausible import is_supported, is_vetoed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from operators.dlp.calibration import Calibration
    from operators.dlp.decoding import Found
    from operators.dlp.rules.hit import Hit

_ORDER: Final = {
    kind: rank
    for rank, kind in enumerate(
        ("DBURI", "SECRET", "PAN", "SSN", "EMAIL", "PHONE", "MATTER", "ADDR", "NDA", "NAME")
    )
}
_VALIDATED: Final = 0.99
_RULED: Final = 0.9
_SAME: Final = 0.5
_WHOLE: Final = frozenset(("ADDR", "NAME"))
"""Types that rules see a part of."""
_CHECKED: Final = frozenset(("PAN", "SSN", "EMAIL", "SECRET"))
"""Types of which a validated place is exact; else the model, if it is sure, knows where it ends."""
_SURE: Final = 0.9
_TITLE: Final = re.compile(
    r"(?:(?:Mrs?|Ms|Miss|Mx|Drs?|Prof|Professor|Sgt|Capt|Judge|Justice|Sir|Madam|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Ma[iî]tre|Se[nñ]ora?|Sra?|Srta|Do[nñ]a"
    r"|Signora?|Dott|Dhr|Mevr(?:ouw)?|Meneer|Senhora?|Dear|Hi|Hello|Hey|Liebe[rs]?|Sehr|Hallo|Bonjour|Ch[eè]re?|Hola|Estimad[oa]|Ciao|Gentile|Beste|Ol[aá]|Hej)\b\.?"
    r"|(?:Sen|Rep|Gov|Rev|Hon|Sig|Avv)\.)(?:\s+|$)"
)
"""What precedes a name, unless it may be part of one (Don, M., Pan)."""
_PARTNER: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}


class Origin(StrEnum):
    """Who found a span."""

    MODEL = "model"
    RULE = "rule"
    BOTH = "both"


class Span(NamedTuple):
    """A place that is reported; never the text that stands there.

    Attributes:
        start: first code point.
        end: code point after the last one.
        type: one of `operators.dlp.tags.TYPES`.
        confidence: probability, by the model or by the rule's kind.
        origin: who found it.
        validated: whether a checksum, a numbering plan or a vendor's format confirms it.
        rule: name of the rule, if one knows the place.
    """

    start: int
    end: int
    type: str
    confidence: float
    origin: Origin
    validated: bool
    rule: str


def fuse(
    text: str, found: Iterable[Found], hits: Sequence[Hit], calibration: Calibration
) -> list[Span]:
    """Spans of one text, in order, none overlapping another.

    A rule's place wins over the model's where they mean the same; a rule that stands alone is
    reported only if it may (`Hit.adds`); a span of the model alone must be plausible, and as sure
    as its tag's threshold asks.
    """
    spans: list[Span] = []
    found = [_trimmed(text, guess) for guess in found]
    taken = [False] * len(hits)
    for guess in found:
        beside = [
            number
            for number, hit in enumerate(hits)
            if hit.type == guess.type and _same(guess, hit)
        ]
        for number in beside:
            taken[number] = True
        best = max((hits[number] for number in beside), key=_strength, default=None)
        span = _both(guess, best) if best else _alone(text, guess, calibration)
        if span is not None and (
            best is None or best.adds or span.confidence >= calibration.supported[span.type]
        ):
            spans.append(span)
    for number, hit in enumerate(hits):
        if hit.adds:
            sure = _VALIDATED if hit.validated else _RULED
            if not taken[number] or hit.type not in _WHOLE:
                spans.append(Span(*hit[:3], sure, Origin.RULE, hit.validated, hit.rule))
    return _apart(spans)


def _trimmed(text: str, guess: Found) -> Found:
    """Without a bracket that has no partner in it, quotes around it, or titles before a name."""
    start, end = guess.start, guess.end
    while end - start > 1 and (
        text[start] in "\"'`"
        or (
            text[start] in "([{<"
            and text.count(text[start], start, end) > text.count(_PARTNER[text[start]], start, end)
        )
    ):
        start += 1
    if guess.type == "NAME":
        while title := _TITLE.match(text, start, end):
            start = title.end()
    return guess._replace(start=start, end=end)


def _strength(hit: Hit) -> tuple[bool, bool, int]:
    return hit.validated, hit.adds, hit.end - hit.start


def _same(guess: Found, hit: Hit) -> bool:
    shared = min(guess.end, hit.end) - max(guess.start, hit.start)
    return shared >= _SAME * min(guess.end - guess.start, hit.end - hit.start)


def _both(guess: Found, hit: Hit) -> Span:
    exact = hit.validated and hit.type in _CHECKED
    loose = hit.type in _WHOLE or (not exact and guess.confidence >= _SURE)
    place = guess if loose else hit
    sure = max(guess.confidence, _VALIDATED if hit.validated else _RULED if hit.adds else 0.0)
    return Span(place.start, place.end, hit.type, sure, Origin.BOTH, hit.validated, hit.rule)


def _alone(text: str, guess: Found, calibration: Calibration) -> Span | None:
    supported = is_supported(text, guess.start, guess.end, guess.type)
    least = (calibration.supported if supported else calibration.least)[guess.type]
    if guess.confidence < least or is_vetoed(
        text, guess.start, guess.end, guess.type, guess.confidence, supported=supported
    ):
        return None
    return Span(*guess[:4], Origin.MODEL, validated=False, rule="")


def _apart(spans: list[Span]) -> list[Span]:
    """Of spans that overlap, the surer kind of finding stays, then the longer, then the graver."""

    def rank(span: Span) -> tuple[bool, bool, int, int]:
        ruled = span.origin is not Origin.MODEL
        return (span.validated, ruled, span.end - span.start, -_ORDER[span.type])

    kept: list[Span] = []
    uris = [span for span in spans if span.type == "DBURI"]
    spans = [
        span
        for span in spans
        if span.type == "DBURI"
        or not any(uri.start <= span.start and span.end <= uri.end for uri in uris)
    ]
    for span in sorted(spans, key=rank, reverse=True):
        clash = next(
            (other for other in kept if span.start < other.end and other.start < span.end), None
        )
        if clash is None:
            kept.append(span)
        elif (
            clash.type == span.type
            and span.origin is Origin.BOTH
            and clash.origin is Origin.RULE
            and clash[:3] == span[:3]
        ):
            kept[kept.index(clash)] = span
    return sorted(kept)
