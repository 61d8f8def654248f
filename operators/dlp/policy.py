"""What is decided about a message, by a policy that a person can read and change.

A policy is a list of rules. Each names the conditions under which it holds, all of which must; the
gravest decision of those that hold is taken, and each says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from operators.dlp.thresholds import shifted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.dlp.dsl import Message


class Decision(StrEnum):
    """What happens to a message, from harmless to grave."""

    ALLOW = "ALLOW"
    ALLOW_WITH_WARNING = "ALLOW_WITH_WARNING"
    REVIEW = "REVIEW"
    BLOCK = "BLOCK"


GRAVITY: Final = {decision: rank for rank, decision in enumerate(Decision)}


class Audience(StrEnum):
    """Who reads a message, as far as its recipients say."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy.

    Attributes:
        name: for reports.
        decision: taken where the rule holds.
        rationale: why, in a sentence for the person who wrote the message.
        types: tags of which spans count; all where empty.
        count: how many such spans there must be at least; 0 asks for none.
        validated: whether only spans count that a checksum or a format confirms.
        confidence: least confidence of a span that counts.
        above: for scores, the probability that must be exceeded.
        below: for scores, the probability that must not be reached.
        audience: readers for which the rule is meant; all where empty.
    """

    name: str
    decision: Decision
    rationale: str
    types: frozenset[str] = frozenset()
    count: int = 0
    validated: bool = False
    confidence: float = 0.0
    above: Mapping[str, float] | None = None
    below: Mapping[str, float] | None = None
    audience: frozenset[Audience] = frozenset()


class Evidence:
    """What a policy looks at.

    Args:
        scores: probability of each score.
        spans: type, confidence and whether validated, of each span.
        audience: who reads the message.
        shift: by how many logits rules are stricter than they say; see `thresholds`. It moves the
            probabilities that rules name, and no rule that names none.
    """

    def __init__(
        self,
        scores: Mapping[str, float],
        spans: Sequence[tuple[str, float, bool]],
        audience: Audience,
        shift: float = 0.0,
    ) -> None:
        self.scores = scores
        self.spans = spans
        self.audience = audience
        self.shift = shift

    def holds(self, rule: Rule) -> bool:
        """Whether every condition of a rule is met."""
        least_sure = shifted(rule.confidence, -self.shift)
        counted = sum(
            (not rule.types or kind in rule.types)
            and sure >= least_sure
            and (valid or not rule.validated)
            for kind, sure, valid in self.spans
        )
        return (
            counted >= rule.count
            and (not rule.audience or self.audience in rule.audience)
            and all(
                self.scores[name] > shifted(least, -self.shift)
                for name, least in (rule.above or {}).items()
            )
            and all(
                self.scores[name] < shifted(most, self.shift)
                for name, most in (rule.below or {}).items()
            )
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules and the version that verdicts carry."""

    version: str
    rules: tuple[Rule, ...]

    def decide(self, evidence: Evidence) -> tuple[Decision, tuple[str, ...]]:
        """The gravest decision, and the rationales of every rule that holds, gravest first."""
        held = [rule for rule in self.rules if evidence.holds(rule)]
        held.sort(key=lambda rule: -GRAVITY[rule.decision])
        decision = held[0].decision if held else Decision.ALLOW
        return decision, tuple(dict.fromkeys(rule.rationale for rule in held))


def audience(message: Message) -> Audience:
    """Who reads a message: external as soon as one recipient is."""
    known = {recipient.external for recipient in message.recipients}
    if True in known:
        return Audience.EXTERNAL
    return Audience.INTERNAL if known == {False} else Audience.UNKNOWN
