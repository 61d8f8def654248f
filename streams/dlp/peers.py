"""Other scanners on the same texts, for comparison: Presidio's analyzer and detect-secrets.

They are called as programs that are installed or are not; nothing of theirs is used otherwise.
Presidio runs its pattern recognisers, with a blank English pipeline: "its rules". With a spaCy
model installed under the name that it asks for by default, that model finds names for it.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from operators.dlp.tags import TypedSpan

if TYPE_CHECKING:
    from collections.abc import Callable

    Peer = Callable[[str], list[TypedSpan]]

_PRESIDIO: Final = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "PAN",
    "IBAN_CODE": "PAN",
    "US_SSN": "SSN",
    "US_ITIN": "SSN",
    "US_PASSPORT": "SSN",
    "US_DRIVER_LICENSE": "SSN",
    "UK_NHS": "SSN",
    "UK_NINO": "SSN",
    "PERSON": "NAME",
    "ES_NIF": "SSN",
    "ES_NIE": "SSN",
    "IT_FISCAL_CODE": "SSN",
    "IT_PASSPORT": "SSN",
    "PL_PESEL": "SSN",
    "SG_NRIC_FIN": "SSN",
    "AU_TFN": "SSN",
    "AU_MEDICARE": "SSN",
    "IN_AADHAAR": "SSN",
    "IN_PAN": "SSN",
    "FI_PERSONAL_IDENTITY_CODE": "SSN",
}
_LEAST: Final = 0.35
_MODEL: Final = "en_core_web_lg"


def installed() -> dict[str, Peer]:
    """The peers that can be run here, by name; with both, also their union."""
    found: dict[str, Peer] = {}
    if importlib.util.find_spec("presidio_analyzer"):
        found["presidio"] = _presidio()
    if importlib.util.find_spec("detect_secrets"):
        found["detect-secrets"] = _detect_secrets
    if len(found) > 1:
        left, right = found.values()
        found["presidio+detect-secrets"] = lambda text: _union(left(text), right(text))
    return found


def _union(left: list[TypedSpan], right: list[TypedSpan]) -> list[TypedSpan]:
    return left + [
        span
        for span in right
        if not any(
            other.type == span.type and other.start < span.end and span.start < other.end
            for other in left
        )
    ]


def _presidio() -> Peer:
    import spacy  # noqa: PLC0415 - a peer, installed or not
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415 - the same
    from presidio_analyzer.nlp_engine import SpacyNlpEngine  # noqa: PLC0415 - the same

    pipeline = (
        spacy.load(_MODEL) if importlib.util.find_spec(_MODEL) is not None else spacy.blank("en")
    )
    pipeline.max_length = 10_000_000
    engine = SpacyNlpEngine()
    engine.nlp = {"en": pipeline}
    analyzer = AnalyzerEngine(nlp_engine=engine)

    def find(text: str) -> list[TypedSpan]:
        results: list[Any] = analyzer.analyze(text, language="en", score_threshold=_LEAST)
        spans: list[TypedSpan] = []
        for result in sorted(results, key=lambda one: -one.score):
            kind = _PRESIDIO.get(result.entity_type)
            if kind and not any(one.start < result.end and result.start < one.end for one in spans):
                spans.append(TypedSpan(result.start, result.end, kind))
        return spans

    return find


def _detect_secrets(text: str) -> list[TypedSpan]:
    from detect_secrets import SecretsCollection  # noqa: PLC0415 - a peer, installed or not
    from detect_secrets.settings import default_settings  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory() as folder, default_settings():
        path = Path(folder) / "text.txt"
        path.write_text(text, encoding="utf-8", newline="")
        secrets = SecretsCollection()
        secrets.scan_file(str(path))
    starts = [0]
    lines = text.split("\n")
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for _, secret in secrets:
        line = lines[secret.line_number - 1]
        value = secret.secret_value or ""
        place = line.find(value) if value else -1
        if place >= 0:
            start = starts[secret.line_number - 1] + place
            span = TypedSpan(start, start + len(value), "SECRET")
            if span not in found:
                found.append(span)
    return found
