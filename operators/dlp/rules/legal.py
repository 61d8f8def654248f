"""Words of confidentiality, and the numbers of legal matters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.rules.hit import Hit
from operators.dlp.rules.words import folded, names

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERM: Final = re.compile(
    r"(?<![\w-])(?:(?:mutual |one-way |bilateral |unilateral )?non-?disclosure (?:agreements?|obligations?|provisions?|undertakings?|covenants?)"
    r"|(?:mutual |one-way |bilateral |unilateral )?(?:M?NDAs?)(?![\w_-])|strictly confidential|(?:privileged|proprietary) (?:and|&) confidential|confidential (?:and|&) (?:privileged|proprietary)"
    r"|(?:mutual )?confidentiality (?:agreements?|undertakings?|clauses?|obligations?)|(?:obligations?|duty) of confidentiality"
    r"|attorney[- ]client (?:privileged?|communications?)|attorney work[- ]product|confidential disclosure agreements?|trade secrets?|company confidential)(?![\w_-])",
    re.IGNORECASE,
)
_CAPITAL: Final = re.compile(
    r"(?<![\w-])(?:Confidential Information|(?:Receiving|Disclosing) Part(?:y|ies))(?![\w_-])"
)
_TERMS: Final = ("disclos", "nda", "confidential", "attorney", "trade secret", "receiving part")
"""Words without which no phrase puts anything under confidentiality."""
_SURE: Final = re.compile(
    r"disclosure agree|strictly|privilege|proprietary|work[- ]product|confidentiality (?:agree|undert)|\bM?NDAs?$",
    re.IGNORECASE,
)
_NDA_WORD: Final = re.compile(r"M?NDAs?$")
_DOCKET: Final = re.compile(
    r"(?<![\w:.-])\d{1,2}:\d{2}-(?:cv|cr|mc|md|mj|bk|ap|po)-\d{3,6}(?:-[A-Z]{2,4}(?:-[A-Z]{2,4})?)?(?![\w-])",
    re.IGNORECASE,
)
_CUED: Final = re.compile(
    r"\b(?:(?:client[- ])?matter|case|docket|cause|civil action|index|proceeding|legal matter|claim|(?:our|client|legal) (?:ref(?:erence)?|file))"
    r"(?P<no>[ _]?(?:number|num|no|nr|id|ref|#)(?![a-z])\.?)*[ \t]*[:#=]?[ \t]*(?P<v>(?=[A-Z0-9./-]*\d{2})(?:[A-Z]{1,6}[-/.]?)?\d{1,6}(?:[-/:.][A-Z0-9]{1,8}){1,4}|(?=[A-Z]{1,5}-?\d)[A-Z]{1,5}-?\d{3,8}(?:-\d{1,6})?)(?![\w-])",
    re.IGNORECASE,
)
_TICKET: Final = re.compile(r"^[A-Z]+-\d{1,6}$")
_DATE: Final = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}$|^\d+(?:\.\d+){1,3}$")


def terms(text: str) -> Iterator[Hit]:
    """Phrases that put something under confidentiality; in code and constants they only support."""
    if not names(folded(text), _TERMS):
        return
    for pattern in (_TERM, _CAPITAL):
        for match in pattern.finditer(text):
            value = match[0]
            sure = _SURE.search(value) is not None
            if _NDA_WORD.search(value):
                sure = value.split(" ")[-1].rstrip("s").isupper() and " " in value
            yield Hit(match.start(), match.end(), "NDA", "term", validated=False, adds=sure)


def matters(text: str) -> Iterator[Hit]:
    """Dockets of federal courts by their shape, other numbers where a word names the matter."""
    for match in _DOCKET.finditer(text):
        yield Hit(match.start(), match.end(), "MATTER", "docket", validated=True, adds=True)
    for match in _CUED.finditer(text):
        value = match["v"]
        if _DATE.match(value):
            continue
        sure = match["no"] is not None and re.match(
            r"(?i)client|matter|docket|civil|legal", match[0]
        )
        adds = bool(sure) and not _TICKET.match(value)
        yield Hit(*match.span("v"), "MATTER", "matter", validated=False, adds=adds)
