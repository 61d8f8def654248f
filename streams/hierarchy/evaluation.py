"""How early and how well partial verdicts speak, on generated development streams.

Each stream is read in twentieths. What would be told after each, scores and spans calibrated by how
much has been read (`operators.hierarchy.certainty`), is compared with what the scanner says of the
whole text, and with the truth as far as the text has come.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.dlp.calibration import calibration_error
from operators.dlp.dsl import serialize
from operators.dlp.fuse import Origin
from operators.dlp.generator.rows import labels_at
from operators.dlp.policy import Decision, Evidence, audience
from operators.dlp.scoring import SpanTally
from operators.dlp.tags import SCORES, TypedSpan
from operators.hierarchy.buffer import BufferConfig
from schemas.errors import ConfigError
from streams.dlp import development, policy_file
from streams.dlp.inference import Engine
from streams.dlp.package import Package
from streams.dlp.scanner import NEVER, Scanner
from streams.hierarchy.following import Reader
from streams.train.levels_data import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dlp.fuse import Span
    from operators.dlp.generator.rows import Source
    from operators.dlp.policy import Audience, Policy
    from operators.hierarchy.certainty import Certainty
    from streams.hierarchy.following import Seen

STEPS: Final = 20
TENTHS: Final = 10
CONFIDENT: Final = 0.7
"""Least confidence of what is told (seed section 1.1)."""
_SHORTEST: Final = 40
_HALF: Final = 0.5


class Followed(NamedTuple):
    """One stream, what was found on the way, and what is true of it.

    Attributes:
        seen: after each twentieth.
        truth: spans of the whole text.
        labels: the four document labels after each twentieth, bool [20, 4].
        shifts: code points at which topics begin.
        audience: who reads it.
        final: what the scanner decides about the whole text.
        spans: that it finds there.
    """

    seen: tuple[Seen, ...]
    truth: tuple[TypedSpan, ...]
    labels: NDArray[np.bool_]
    shifts: tuple[int, ...]
    audience: Audience
    final: Decision
    spans: tuple[TypedSpan, ...]


def followed(
    source: Source, reader: Reader, scanner: Scanner, seeds: Iterable[int]
) -> Iterator[Followed]:
    """Read the streams of some seeds; too short ones are passed over."""
    for seed in seeds:
        made = stream(source, Random(seed))  # noqa: S311 - a seeded sample
        whole = serialize(made.labelled.message)
        if len(made.text) < _SHORTEST or made.body not in whole.text:
            continue
        places = [len(made.text) * number // STEPS for number in range(1, STEPS + 1)]
        section = next(one for one in whole.offset_map if one.field == "body")
        reached = [section.start + section.traced.from_original(0, place)[1] for place in places]
        bits = labels_at(made.labelled, np.array(reached), 0)
        verdict = scanner.scan(made.labelled.message, exits=NEVER)
        body = [TypedSpan(s.start, s.end, s.type) for s in verdict.spans if s.field == "body"]
        yield Followed(
            tuple(reader.follow(made.message, made.text, places)),
            made.spans,
            (bits[:, None] >> np.arange(len(SCORES))) & 1 > 0,
            tuple(len(made.text) - len(made.body) + begin for begin in made.begins),
            audience(made.labelled.message),
            verdict.decision,
            tuple(body),
        )


def figures(every: Sequence[Followed], certainty: Certainty, policy: Policy) -> dict[str, Any]:
    """Figures by tenth of the text, and of whole streams."""
    told = [[_told(seen, certainty) for seen in one.seen] for one in every]
    decided = [
        [
            _decision(seen, spans, one.audience, certainty, policy)
            for seen, spans in zip(one.seen, told_of, strict=True)
        ]
        for one, told_of in zip(every, told, strict=True)
    ]
    finals = np.array([one.final.value for one in every])
    right = np.array(
        [[now is one.final for now in of] for one, of in zip(every, decided, strict=True)]
    )
    grave = finals != Decision.ALLOW.value
    return {
        "streams": len(every),
        "decisions": dict(Counter(finals.tolist())),
        "agreement": _tenths(right),
        "agreement_not_allowed": _tenths(right[grave]),
        "earliness": _earliness(right),
        "earliness_not_allowed": _earliness(right[grave]),
        "spans": _spans(every, told),
        "spans_without_lookahead": _spans(every, [[s.plain for s in one.seen] for one in every]),
        "revisions": _revisions(every, told),
        "ece": _score_errors(every, certainty),
        "span_ece": _span_errors(every, certainty),
    }


def rows(found: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """The figures by tenth, with what they are of."""
    return [
        ("decision is the final one", found["agreement"]),
        ("the same where that is not ALLOW", found["agreement_not_allowed"]),
        ("span F1, half overlap", found["spans"]["overlap_f1"]),
        ("span F1, exact", found["spans"]["exact_f1"]),
        ("span F1, half overlap, no lookahead", found["spans_without_lookahead"]["overlap_f1"]),
        ("span F1, exact, no lookahead", found["spans_without_lookahead"]["exact_f1"]),
        *((f"ECE of {name}", values) for name, values in found["ece"].items()),
        ("ECE of spans", found["span_ece"]),
    ]


def measured(
    data: Path | None, model: Path, policy: Path, count: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Figures of generated development streams.

    Args:
        data: packed pools and carriers; drawn here by default.
        model: folder of the model.
        policy: file of the policy.
        count: of streams.
        say: told what is going on.

    Raises:
        ConfigError: Faker is not installed, the data are not there, or no stream is long enough.
        ModelUnusable: the model is for whole texts only, or damaged.
        PolicyUnusable: the policy makes no sense.
    """
    package, chosen = Package.open(model), policy_file.load(policy)
    engine = Engine(package.folder)
    reader = Reader(package, engine, BufferConfig())
    _, source = development.both(data, reader.tokenizer)
    every = []
    scanner = Scanner(package, engine, chosen, NEVER)
    for one in followed(source, reader, scanner, range(count)):
        every.append(one)
        say(f"{len(every)} of {count} streams")
    if not every:
        raise ConfigError(f"none of {count} streams is long enough to be followed: ask for more")
    return figures(every, reader.above.certainty, chosen)


def shown(seen: Seen, certainty: Certainty) -> list[tuple[Span, float]]:
    """Spans with their calibrated confidences; rules' places are as sure as the rule."""
    return [
        (
            span,
            certainty.confidence(span.confidence, after)
            if span.origin is Origin.MODEL
            else span.confidence,
        )
        for span, after in zip(seen.spans, seen.after, strict=True)
    ]


def right_so_far(span: Span, truth: Sequence[TypedSpan], place: int) -> bool:
    """Whether half of a span, and half of what there is of a true one, are the same."""
    for one in truth:
        end = min(one.end, place)
        shared = min(span.end, end) - max(span.start, one.start)
        longest = max(span.end - span.start, end - one.start)
        if one.type == span.type and shared > 0 and shared >= _HALF * longest:
            return True
    return False


def _told(seen: Seen, certainty: Certainty) -> tuple[Span, ...]:
    return tuple(
        span._replace(confidence=sure) for span, sure in shown(seen, certainty) if sure >= CONFIDENT
    )


def _decision(
    seen: Seen, spans: Sequence[Span], readers: Audience, certainty: Certainty, policy: Policy
) -> Decision:
    chances = certainty.chances(seen.logits, seen.read)
    scores = {name: float(chance) for name, chance in zip(SCORES, chances, strict=True)}
    found = [(span.type, span.confidence, span.validated) for span in spans]
    return policy.decide(Evidence(scores, found, readers))[0]


def _tenths(values: NDArray[np.bool_]) -> list[float]:
    if not len(values):
        return []
    means = values.reshape(len(values), TENTHS, -1)[:, :, -1].mean(0)
    return [round(float(mean), 4) for mean in means]


def _earliness(right: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of the text seen when the final decision was first given, and given for good.

    A stream whose last partial decision is another one has all of its text seen.
    """
    shares = np.arange(1, STEPS + 1) / STEPS
    first = np.where(right.any(1), shares[right.argmax(1)], 1.0)
    wrong_until = np.where(right, 0, np.arange(1, STEPS + 1)).max(1)
    good = np.minimum(wrong_until + 1, STEPS) / STEPS
    return {
        name: {
            "mean": round(float(values.mean()), 4),
            "median": round(float(np.median(values)), 4),
            "by": [round(float((values <= share).mean()), 4) for share in shares],
        }
        for name, values in (("first", first), ("for_good", good))
        if len(values)
    }


def _spans(every: Sequence[Followed], told: Sequence[Sequence[Sequence[Span]]]) -> dict[str, Any]:
    """By tenth: macro F1 against the true spans that have come wholly, two ways."""
    overlap, exact = [], []
    for tenth in range(TENTHS):
        tally = SpanTally()
        number = (tenth + 1) * STEPS // TENTHS - 1
        for one, of in zip(every, told, strict=True):
            place = one.seen[number].place
            wanted = [span for span in one.truth if span.end <= place]
            begun = [span for span in one.truth if span.start < place < span.end]
            found = [
                TypedSpan(span.start, span.end, span.type)
                for span in of[number]
                if not any(span.end > other.start for other in begun)
            ]
            tally.add(wanted, found)
        summary = tally.summary()
        overlap.append(round(summary["macro_overlap_f1"], 4))
        exact.append(round(summary["macro_exact_f1"], 4))
    return {"overlap_f1": overlap, "exact_f1": exact}


def _revisions(
    every: Sequence[Followed], told: Sequence[Sequence[Sequence[Span]]]
) -> dict[str, float]:
    """Of spans that were told, the shares that were told otherwise later, and taken back."""
    spans = changed = withdrawn = 0
    for one, of in zip(every, told, strict=True):
        before: list[tuple[TypedSpan, bool]] = []
        typed = [[TypedSpan(s.start, s.end, s.type) for s in spans_of] for spans_of in of]
        for number, now in enumerate([*typed, list(one.spans)]):
            left = list(now)
            after = []
            for old, revised in before:
                same = next((new for new in left if _meets(old, new)), None)
                if same is None:
                    withdrawn += 1
                    changed += revised
                    continue
                left.remove(same)
                after.append((same, revised or same != old))
            spans += len(left) if number < STEPS else 0
            before = after + [(new, False) for new in left]
        changed += sum(revised for _, revised in before)
    total = max(1, spans)
    return {
        "spans": spans,
        "revised": round(changed / total, 4),
        "withdrawn": round(withdrawn / total, 4),
    }


def _meets(left: TypedSpan, right: TypedSpan) -> bool:
    return left.start < right.end and right.start < left.end


def _score_errors(every: Sequence[Followed], certainty: Certainty) -> dict[str, list[float]]:
    """Calibration error of each score by tenth."""
    chances = np.array(
        [[certainty.chances(seen.logits, seen.read) for seen in one.seen] for one in every]
    )
    truth = np.array([one.labels for one in every])
    shape = (len(every), TENTHS, STEPS // TENTHS)
    return {
        name: [
            round(
                calibration_error(
                    chances[..., place].reshape(shape)[:, tenth].ravel(),
                    truth[..., place].reshape(shape)[:, tenth].ravel(),
                ),
                4,
            )
            for tenth in range(TENTHS)
        ]
        for place, name in enumerate(SCORES)
    }


def _span_errors(every: Sequence[Followed], certainty: Certainty) -> list[float]:
    """Calibration error of the confidences of all spans by tenth."""
    sure: list[list[float]] = [[] for _ in range(TENTHS)]
    right: list[list[bool]] = [[] for _ in range(TENTHS)]
    for one in every:
        for number, seen in enumerate(one.seen):
            tenth = number * TENTHS // STEPS
            for span, confidence in shown(seen, certainty):
                sure[tenth].append(confidence)
                right[tenth].append(right_so_far(span, one.truth, seen.place))
    return [
        round(calibration_error(np.array(chances), np.array(hits)), 4)
        for chances, hits in zip(sure, right, strict=True)
    ]
