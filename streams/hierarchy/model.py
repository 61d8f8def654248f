"""The scanner's model as streams use it: causal while text arrives, then with full attention.

What a segment's scan gives follows from its tokens, the text behind them and the slow state before
it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.dlp.decoding import EAGERNESS
from operators.dlp.decoding import spans as decoded
from operators.dlp.dsl import Message, Recipient
from operators.dlp.fuse import fuse
from operators.dlp.policy import Evidence, audience
from operators.dlp.rules.find import find
from operators.dlp.segments import LENGTHS, Segment, gravest, padded
from operators.dlp.tags import OUTSIDE, SCORES, TAGS
from operators.dlp.tokenizer import Encoding, Tokenizer
from operators.dlp.verdict import Placed, Verdict
from operators.hierarchy.growing import opening
from operators.hierarchy.records import Judgement, Opening
from operators.hierarchy.spans import Part, part
from operators.hierarchy.text import Reading as TextReading
from streams.dlp import policy_file
from streams.dlp.inference import Engine
from streams.dlp.package import SHIPPED, Package
from streams.dlp.scanner import flags_of
from streams.hierarchy.above import Above
from streams.hierarchy.encoder import Reading, StepEngine
from streams.verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dlp.fuse import Span
    from operators.dlp.policy import Policy
    from operators.hierarchy.buffer import BufferConfig, Token
    from operators.hierarchy.places import Places
    from operators.hierarchy.text import Closed
    from streams.hierarchy.live import Live

FIELD: Final = "text"
"""Field of the spans of streams."""


class StreamModel:
    """A model and a policy for streams. Safe to call from several threads.

    Args:
        package: the model's files.
        engine: runs its graphs.
        policy: what to decide.
        config: of segments.
    """

    def __init__(
        self, package: Package, engine: Engine, policy: Policy, config: BufferConfig
    ) -> None:
        self.package = package
        self.policy = policy
        self.reading = TextReading(Tokenizer(package.tokenizer), config)
        self.steps = StepEngine(engine)
        self.above = Above.open(package)
        self._engine = engine
        self.opening = lru_cache(maxsize=64)(self._opening)

    @classmethod
    def load(
        cls, config: BufferConfig, model: Path | None = None, policy: Path | None = None
    ) -> StreamModel:
        """Load a model and a policy; the shipped ones by default.

        Raises:
            ModelUnusable: a file of the model is missing or damaged.
            PolicyUnusable: the policy makes no sense.
        """
        package = Package.open(model or SHIPPED)
        chosen = policy_file.load(policy or policy_file.SHIPPED)
        return cls(package, Engine(package.folder), chosen, config)

    def warm(self) -> None:
        """Load every graph, so that the first stream does not wait."""
        self._engine.warm()
        self.steps.warm()
        hidden = np.zeros((1, self.steps.shape.width), np.float32)
        outline = self.above.outline()
        outline.tokens(hidden)
        outline.sentence()
        outline.paragraph()
        outline.flush()
        outline.read(np.zeros(len(SCORES)))
        self.above.lookahead().take(np.zeros((1, len(TAGS)), np.float32), hidden)

    @cached_property
    def judge_of(self) -> Judge:
        """What verdicts name as their judge."""
        return Judge(self.package.digest, self.policy.version)

    @property
    def start(self) -> NDArray[np.float32]:
        """Slow state before a stream's first segment, [blocks, width]."""
        return self._engine.start(None)

    def _opening(self, known: Opening) -> tuple[Token, ...]:
        return tuple(opening(self.reading.tokenizer, _message(known)))

    def judge(self, closed: Closed, places: Places, before: Judgement | None) -> Judgement:
        """Scan a closed segment with full attention.

        Args:
            closed: the segment.
            places: positions of its text.
            before: judgement of the segment before it; None for the first.

        Some 60 ms for 512 tokens on one core.
        """
        tokens = closed.flush.tokens
        ids = np.array([token.id for token in tokens], np.int32)
        length = next(length for length in LENGTHS if length >= len(ids))
        handed = (closed.flush.next - closed.flush.first) // self.reading.config.chunk - 1
        segment = Segment(0, len(ids), length, (0, len(ids)), handed)
        slow = self.start if before is None else before.slow
        out = self._engine.run(padded(ids, segment), slow)
        found = self.spans(closed.text, closed.offset, tokens, out.spans)
        mine = part(found, closed.low, closed.high)
        moved = tuple(places.moved(span) for span in mine.spans)
        return Judgement(
            Part(places.position(mine.low), moved),
            gravest(None if before is None else before.scores, out.scores),
            out.states[min(handed, len(out.states) - 1)],
            out.memory,
        )

    def spans(
        self,
        text: str,
        offset: int,
        tokens: Sequence[Token],
        logits: NDArray[np.floating],
        *,
        whole: bool = True,
    ) -> list[Span]:
        """Spans of a part of a stream's text, by model and rules, in places of the stream's text.

        Args:
            text: the part.
            offset: place of its first code point.
            tokens: behind it, marks before and after the text included.
            logits: of tags, a row for each token.
            whole: whether all of it is decoded; else only what may hold spans: decoding costs some
                15 µs a token.
        """
        own = [number for number, token in enumerate(tokens) if token.known]
        if not whole:
            low, high = _candidates(logits[own])
            own = own[low:high]
        rows = logits[own]
        guesses = []
        if own:
            ends = np.array([tokens[number][:3] for number in own], np.int32).T
            starts, stops = np.maximum(0, ends[1:] - offset)
            guesses = decoded(text, Encoding(ends[0], starts, stops), rows)
        found = fuse(text, guesses, find(text), self.package.calibration)
        return [span._replace(start=span.start + offset, end=span.end + offset) for span in found]

    def partial(self, live: Live, reading: Reading, spans: Sequence[Span]) -> Found:
        """What is found in a stream so far.

        Args:
            live: it.
            reading: of its current segment.
            spans: positions of what was found.
        """
        before = live.last
        segments = gravest(None if before is None else before.scores, reading.scores)
        chances = self.above.certainty.chances(live.outlined().read(segments).scores, live.tokens)
        return Found(self, live.opening, chances, tuple(spans), reading.memory)

    def final(self, known: Opening, last: Judgement, spans: Sequence[Span]) -> Found:
        """What is found in a stream that has ended.

        Args:
            known: of it.
            last: judgement of its last segment.
            spans: positions of what was found.
        """
        chances = self.package.calibration.chances(last.scores)
        return Found(self, known, chances, tuple(spans), last.memory)


@dataclass(frozen=True)
class Found:
    """What is found in a stream, and what is to be done about it.

    Attributes:
        model: that found it.
        known: of the stream.
        chances: of the document scores, [4].
        spans: positions of what was found.
        memory: vector of its text, [256].
    """

    model: StreamModel
    known: Opening
    chances: NDArray[np.floating]
    spans: tuple[Span, ...]
    memory: NDArray[np.float32]

    @cached_property
    def verdict(self) -> Verdict:
        """With all spans; scores, spans and audience decide."""
        pairs = zip(SCORES, self.chances, strict=True)
        scores = {name: float(chance) for name, chance in pairs}
        evidence = Evidence(
            scores,
            [(span.type, span.confidence, span.validated) for span in self.spans],
            audience(_message(self.known)),
        )
        decision, rationale = self.model.policy.decide(evidence)
        placed = _placed(self.spans)
        return Verdict(
            scores=scores,
            spans=placed,
            memory=self.memory,
            flags=flags_of(placed),
            decision=decision,
            rationale=rationale,
            early_exit=None,
            segments=(0, 0),
            model_version=self.model.package.version,
            policy_version=self.model.policy.version,
            model_hash=self.model.package.digest,
        )

    def verdict_of(self, spans: Sequence[Span]) -> Verdict:
        """The same with these of its spans only."""
        return replace(self.verdict, spans=_placed(spans))


def _placed(spans: Sequence[Span]) -> tuple[Placed, ...]:
    return tuple(Placed(FIELD, 0, *span) for span in spans)


def _message(known: Opening) -> Message:
    readers = () if known.external is None else (Recipient("", known.external),)
    return Message("", kind=known.kind, recipients=readers)


def _candidates(logits: NDArray[np.floating]) -> tuple[int, int]:
    """Tokens that may be part of a span: from the first of them to the last, and one beside."""
    if not len(logits):
        return 0, 0
    others = np.delete(logits, OUTSIDE, axis=1).max(1)
    found = np.flatnonzero(others + EAGERNESS > logits[:, OUTSIDE])
    return (max(0, int(found[0]) - 1), int(found[-1]) + 2) if len(found) else (0, 0)
