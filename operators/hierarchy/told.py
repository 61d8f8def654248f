"""What has been told of a stream, and when there is something to tell again.

A partial verdict is given at most every `every_us` of the stream's time, if what would be said
differs from what was said last, and if it is sure enough; of its spans, those that are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from operators.hierarchy.spans import Named, Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.dlp.fuse import Span


@dataclass(frozen=True, slots=True)
class PartialConfig:
    """When partial verdicts are given (seed section 1.1).

    Attributes:
        every_us: least time between two, in microseconds of the stream's time.
        confidence: least confidence of a decision or span that is told before the end.
    """

    every_us: int = 500_000
    confidence: float = 0.7


class Called(NamedTuple):
    """A span and the name that it is told by."""

    name: int
    span: Span


@dataclass(frozen=True, slots=True)
class Told:
    """What has been told of a stream; plain values.

    Attributes:
        verdicts: how many have been given.
        looked_us: time of the piece at which it was last looked whether there is one to give.
        decision: of the last one; empty before the first.
        decisions: how often a decision was told that differed from the one before.
        names: of the spans.
    """

    verdicts: int = 0
    looked_us: int = -1
    decision: str = ""
    decisions: int = 0
    names: Names = field(default_factory=Names)

    def is_due(self, config: PartialConfig, time_us: int) -> bool:
        """Whether it is time to look."""
        return self.looked_us < 0 or time_us - self.looked_us >= config.every_us

    def partial(
        self,
        config: PartialConfig,
        time_us: int,
        spans: Sequence[Span],
        decision: str,
        confidence: float,
    ) -> tuple[Told, list[Called] | None]:
        """Look whether there is a partial verdict to give.

        Args:
            config: when there is.
            time_us: of the newest piece.
            spans: found so far, in order, none overlapping another.
            decision: as of now.
            confidence: of the decision.

        Returns:
            What has been told then, and the verdict's spans; None for no verdict.
        """
        looked = replace(self, looked_us=time_us)
        if confidence < config.confidence:
            return looked, None
        sure = [span for span in spans if span.confidence >= config.confidence]
        places = [one[1:] for one in self.names.known]
        if self.verdicts and decision == self.decision and places == [one[:3] for one in sure]:
            return looked, None
        return looked.tell(sure, decision)

    def tell(self, spans: Sequence[Span], decision: str) -> tuple[Told, list[Called]]:
        """Give a verdict, whatever was told before."""
        names, called = self.names.call(spans)
        turned = bool(self.verdicts) and decision != self.decision
        after = replace(
            self, verdicts=self.verdicts + 1, decision=decision, names=names,
            decisions=self.decisions + turned,
        )  # fmt: skip
        return after, [Called(*pair) for pair in zip(called, spans, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        values = {name: getattr(self, name) for name in self.__slots__}
        names = {name: getattr(self.names, name) for name in self.names.__slots__}
        return {**values, "names": names}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The state again."""
        names = values["names"]
        known = tuple(Named(*one) for one in names["known"])
        return cls(**{**values, "names": Names(**{**names, "known": known})})
