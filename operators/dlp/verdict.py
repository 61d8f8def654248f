"""What the scanner says of a message: scores, places and a decision, never the values."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from operators.dlp.fuse import Origin
    from operators.dlp.policy import Decision


class Placed(NamedTuple):
    """A span in a field of a message, as ranges of what was sent.

    Attributes:
        field: ``subject``, ``body``, ``attachment`` or ``link``.
        index: which attachment or link; 0 for the others.
        start: first code point.
        end: code point after the last one.
        type: one of `operators.dlp.tags.TYPES`.
        confidence: probability.
        origin: whether the model, a rule or both found it.
        validated: whether a checksum, a numbering plan or a vendor's format confirms it.
        rule: name of the rule, or empty.
    """

    field: str
    index: int  # type: ignore[assignment]
    start: int
    end: int
    type: str
    confidence: float
    origin: Origin
    validated: bool
    rule: str

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "type": self.type,
            "start": self.start,
            "end": self.end,
            "field": self.field,
            "index": self.index,
            "confidence": round(self.confidence, 4),
            "origin": str(self.origin),
            "validated": self.validated,
            "rule": self.rule,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and what is to be done.

    Attributes:
        scores: calibrated probability of each of `operators.dlp.tags.SCORES`.
        spans: in the order of fields and places.
        memory: float32 [256], for the next message of the thread.
        flags: what the message holds, as booleans.
        decision: by the policy.
        rationale: why.
        early_exit: ``allow`` or ``block`` where the model stopped before the end, else None.
        segments: how many segments the model read, and how many there are.
        model_version: of the model.
        policy_version: of the policy.
        model_hash: SHA-256 of the model's manifest.
    """

    scores: Mapping[str, float]
    spans: tuple[Placed, ...]
    memory: NDArray[np.float32]
    flags: Mapping[str, bool]
    decision: Decision
    rationale: tuple[str, ...]
    early_exit: str | None
    segments: tuple[int, int]
    model_version: str
    policy_version: str
    model_hash: bytes

    def to_json(self) -> dict[str, Any]:
        """The response of the seed's section 7, and beside it what else is known."""
        packed = base64.b64encode(self.memory.astype("<f4").tobytes()).decode()
        return {
            "scores": {name: round(score, 6) for name, score in self.scores.items()},
            "spans": [span.to_json() for span in self.spans],
            "memory": {"vec": packed, "flags": dict(self.flags)},
            "decision": str(self.decision),
            "rationale": list(self.rationale),
            "early_exit": self.early_exit,
            "segments": {"read": self.segments[0], "all": self.segments[1]},
            "model_version": self.model_version,
            "policy_version": self.policy_version,
        }
