"""Verdicts as events, so that analysts' labels teach the tenant's learner about them.

Of a verdict the linear half reads the scores, the spans by type and the decision; attention reads
the scanner's memory, brought to the length of its keys by a fixed projection of random signs (W.
Johnson, J. Lindenstrauss, 1984; D. Achlioptas, 2003), scaled to length 1.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.gate.memory import MEMORY_WIDTH

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.dlp.verdict import Verdict
    from streams.verdicts import Target

PREFIX: Final = "dlp."
"""Begins the names of all features, so that they meet none of the tenant's own."""

_SIGNS: Final = b"weir/verdict-key/v1"


def event_of(
    target: Target, entity: str, time_us: int, kind: str, verdict: Verdict, dimension: int
) -> dict[str, Any]:
    """Return the event of a verdict, an observation without label.

    Args:
        target: what was scanned.
        entity: the event's id: the thread of a message, or else the target's own.
        time_us: event time of the verdict, microseconds.
        kind: of the message or stream, for the learner's context.
        verdict: what was said of it.
        dimension: length of the learner's keys.
    """
    key = key_of(verdict.memory, dimension).astype("<f8").tobytes()
    return {
        "kind": "OBSERVATION",
        "tenant": target.tenant,
        "id": entity,
        "event_id": target.id,
        "time_us": time_us,
        "features": features_of(verdict),
        "key": key,
        "query": key,
        "context": {"source": "verdict", "kind": kind},
    }


def features_of(verdict: Verdict) -> dict[str, float]:
    """Return the sparse features of a verdict: scores, the surest span of each type, decision."""
    surest: dict[str, float] = {}
    for span in verdict.spans:
        name = f"{PREFIX}span.{span.type}"
        surest[name] = max(surest.get(name, 0.0), float(span.confidence))
    return {
        **{f"{PREFIX}{name}": float(score) for name, score in verdict.scores.items()},
        **surest,
        f"{PREFIX}decision.{verdict.decision}": 1.0,
    }


def key_of(memory: npt.NDArray[np.float32], dimension: int) -> npt.NDArray[np.float64]:
    """Return the attention key of a memory vector, float64 [dimension], of length 1 or 0.

    Sums are taken in one order, so that every machine gives the same bits.
    """
    key = np.zeros(dimension)
    for value, row in zip(memory.astype(np.float64), _signs(dimension), strict=True):
        key += value * row
    length = math.sqrt(math.fsum((key * key).tolist()))
    if length > 0.0:
        key /= length
    return key


@cache
def _signs(dimension: int) -> npt.NDArray[np.float64]:
    """Return ±1, float64 [256, dimension]; the same on every machine and in every release."""
    count = MEMORY_WIDTH * dimension
    drawn = hashlib.shake_256(_SIGNS + dimension.to_bytes(4, "little")).digest(-(-count // 8))
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8), count=count).astype(np.float64)
    signs: npt.NDArray[np.float64] = (2.0 * bits - 1.0).reshape(MEMORY_WIDTH, dimension)
    return signs
