"""How good the scanner is: on labelled texts of a file, and on generated development messages."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.calibration import calibration_error
from operators.dlp.dsl import Message
from operators.dlp.scoring import SpanTally, alarms_at_recall, average_precision, precision_at
from operators.dlp.tags import SCORES, TypedSpan
from streams.dlp.scanner import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from operators.dlp.generator.messages import Labelled
    from operators.dlp.generator.rows import Source
    from streams.dlp.peers import Peer
    from streams.dlp.records import Record
    from streams.dlp.scanner import Scanner

SIZES: Final = (60, 200, 300, 500, 900, 1_600)
GRAVE: Final = frozenset(("SECRET", "DBURI", "PAN", "SSN"))
"""Types whose spans precision@k is about."""
_KS: Final = (10, 100, 1_000)
_SEED: Final = 20_260_101
_SHIFTS: Final = (-200, 200)
_SHIFTED: Final = 100


def on_records(
    records: Sequence[Record], scanner: Scanner, peers: dict[str, Peer], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Figures of the scanner and of each peer on labelled texts, one object a system."""

    def ours(text: str) -> list[TypedSpan]:
        return [
            TypedSpan(span.start, span.end, span.type)
            for span in scanner.scan(Message(text), exits=NEVER).spans
        ]

    found = []
    for name, find in ({"weir": ours} | peers).items():
        say(name)
        began = time.perf_counter()
        tally, flagged, clean = SpanTally(), 0, 0
        for record in records:
            spans = find(record.text)
            tally.add(record.spans, spans)
            if not any(span.type in {"SECRET", "DBURI"} for span in record.spans):
                clean += 1
                flagged += any(span.type in {"SECRET", "DBURI"} for span in spans)
        size = sum(len(record.text.encode(errors="surrogatepass")) for record in records) / 1e6
        summary = tally.summary()
        false = sum(row["false"] for row in summary["spans"].values())
        found.append(
            {
                "system": name,
                "texts": len(records),
                "mb": round(size, 3),
                "seconds": round(time.perf_counter() - began, 2),
                "false_per_mb": false / size if size else 0.0,
                "flagged_without_secret": flagged / clean if clean else 0.0,
                **summary,
            }
        )
    return found


def generated(source: Source, count: int, seed: int = _SEED) -> list[Labelled]:
    """Development messages, of many sizes."""
    rng = random.Random(seed)  # noqa: S311 - data is drawn from seeds
    return [source.message(rng, rng.choice(SIZES)) for _ in range(count)]


def truths(labelled: Labelled) -> list[bool]:
    """The four document labels of a whole message."""
    from operators.dlp.generator.messages import LIMITS, POINTS  # noqa: PLC0415 - training side

    points: dict[str, float] = {}
    for kind, _ in {(entity.type, entity.key) for entity in labelled.entities}:
        points[kind] = min(LIMITS.get(kind, 9.0), points.get(kind, 0.0) + POINTS[kind])
    sensitive = sum(points.values()) >= 1.0 - 1e-9
    disguised = any(entity.disguised for entity in labelled.entities)
    return [
        sensitive,
        sensitive and labelled.outside,
        labelled.inconsistent_from < 0,
        disguised,
    ]


def on_generated(
    messages: Sequence[Labelled], scanner: Scanner, say: Callable[[str], None]
) -> dict[str, Any]:
    """Spans, scores, precision@k and stability on generated messages."""
    tally = SpanTally()
    chances, labels = [], []
    sure: list[float] = []
    right: list[bool] = []
    disguised, revealed = 0, 0
    for number, labelled in enumerate(messages):
        if number % 50 == 0:
            say(f"{number} of {len(messages)} messages")
        verdict = scanner.scan(labelled.message, exits=NEVER)
        chances.append([verdict.scores[name] for name in SCORES])
        labels.append(truths(labelled))
        found: dict[tuple[str, int], list[TypedSpan]] = {}
        for span in verdict.spans:
            typed = TypedSpan(span.start, span.end, span.type)
            found.setdefault((span.field, span.index), []).append(typed)
        wanted: dict[tuple[str, int], list[TypedSpan]] = {}
        for one in labelled.spans:
            typed = TypedSpan(one.start, one.end, one.type)
            wanted.setdefault((one.field, one.index), []).append(typed)
        for place in found.keys() | wanted.keys():
            tally.add(wanted.get(place, []), found.get(place, []))
        for span in verdict.spans:
            if span.type in GRAVE:
                sure.append(span.confidence)
                right.append(
                    any(
                        one.type == span.type and one.start < span.end and span.start < one.end
                        for one in wanted.get((span.field, span.index), [])
                    )
                )
        hidden, known = _disguises(labelled, verdict.spans)
        disguised, revealed = disguised + hidden, revealed + known
    truth = np.array(labels)
    return {
        "system": "weir",
        "messages": len(messages),
        **tally.summary(),
        "disguised_recall": revealed / max(1, disguised),
        "disguised": disguised,
        "scores": score_figures(np.array(chances), truth),
        "precision_at": {
            str(count): precision_at(sure, right, count) for count in _KS if count <= len(sure)
        },
        "stability": stability(messages[:_SHIFTED], scanner),
    }


def score_figures(chances: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """AUPRC, FP@95R and ECE of each score."""
    return {
        name: {
            "auprc": average_precision(chances[:, place], labels[:, place]),
            "fp_at_95r": alarms_at_recall(chances[:, place], labels[:, place]),
            "ece": calibration_error(chances[:, place], labels[:, place]),
            "positives": int(labels[:, place].sum()),
        }
        for place, name in enumerate(SCORES)
    }


def stability(messages: Sequence[Labelled], scanner: Scanner) -> float:
    """Share of messages whose decision stays when some 200 tokens of plain words move them."""
    words = "we met on the second floor and went through the plan for next quarter again "
    filler = words * 14  # some 200 tokens
    same = 0
    for labelled in messages:
        message = labelled.message
        before = scanner.scan(message, exits=NEVER).decision
        moved = [
            Message(
                filler + "\n" + message.body if shift > 0 else message.body + "\n" + filler,
                message.kind, message.role, message.sender, message.recipients, message.subject,
                message.metadata, message.thread_position, message.attachments, message.links,
            )
            for shift in _SHIFTS
        ]  # fmt: skip
        same += all(scanner.scan(one, exits=NEVER).decision is before for one in moved)
    return same / max(1, len(messages))


def _disguises(labelled: Labelled, spans: Iterable[Any]) -> tuple[int, int]:
    """How many disguised values there are, and over how many of them some span stands."""
    hidden = known = 0
    for entity in labelled.entities:
        if not entity.disguised:
            continue
        hidden += 1
        places = labelled.serialized.to_fields(TypedSpan(entity.start, entity.end, entity.type))
        known += any(
            (span.field, span.index) == (place.field, place.index)
            and span.type == entity.type
            and span.start < place.end
            and place.start < span.end
            for place in places
            for span in spans
        )
    return hidden, known
