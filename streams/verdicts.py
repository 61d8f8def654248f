"""Verdicts as records of the topic ``verdicts`` and as steps of the tenant's audit chain.

A verdict's leaf holds the SHA-256 of its bare Avro bytes, and these hold the hash of the model, the
version of the policy and the digest of what was scanned: who has the message, the verdict and the
chain can show what was decided on what grounds. Neither holds a character of the text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.dlp.policy import GRAVITY, Decision
from state.audit.leaf import VERDICT, blank_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dlp.verdict import Placed, Verdict

MESSAGE: Final = "MESSAGE"
STREAM: Final = "STREAM"
FINAL: Final = "FINAL"
PARTIAL: Final = "PARTIAL"
ERROR: Final = "ERROR"
"""Decision about what could not be judged."""


class Target(NamedTuple):
    """What was scanned.

    Attributes:
        tenant: whose it is.
        kind: ``MESSAGE`` or ``STREAM``.
        id: of the message or stream.
    """

    tenant: str
    kind: str
    id: str


class Judge(NamedTuple):
    """What judged.

    Attributes:
        model_hash: SHA-256 of the model's manifest, 32 bytes.
        policy_version: as the policy's file names it.
    """

    model_hash: bytes
    policy_version: str


def verdict_record(
    target: Target,
    judge: Judge,
    found: Verdict,
    *,
    span_ids: Sequence[str],
    time_us: int,
    position: int,
    sequence: int = 0,
    status: str = FINAL,
    **more: Any,
) -> dict[str, Any]:
    """Return a verdict as a record of the schema ``verdict``.

    Args:
        target: what was scanned.
        judge: by what.
        found: what the scanner says of it.
        span_ids: a name for each of its spans.
        time_us: time of the newest input.
        position: code points seen.
        sequence: number of the verdict among those of its target.
        status: ``FINAL`` or ``PARTIAL``.
        **more: further fields of the schema.
    """
    return {
        **_head(target, judge, time_us, position, sequence, status),
        "decision": str(found.decision),
        "confidence": confidence(found),
        "scores": dict(found.scores),
        "spans": [
            span_record(span, name) for span, name in zip(found.spans, span_ids, strict=True)
        ],
        "rationales": list(found.rationale),
        "flags": dict(found.flags),
        "memory_vec": found.memory.astype("<f4").tobytes(),
        "early_exit": found.early_exit is not None,
        **more,
    }


def error_record(
    target: Target,
    judge: Judge,
    why: str,
    *,
    time_us: int,
    position: int,
    sequence: int = 0,
    **more: Any,
) -> dict[str, Any]:
    """Return the verdict on what could not be judged.

    Args:
        target: what was scanned.
        judge: by what.
        why: in a sentence that quotes nothing.
        time_us: time of the newest input.
        position: code points seen.
        sequence: number of the verdict among those of its target.
        **more: further fields of the schema.
    """
    return {
        **_head(target, judge, time_us, position, sequence, FINAL),
        "decision": ERROR,
        "confidence": 0.0,
        "rationales": [why],
        **more,
    }


def _head(
    target: Target, judge: Judge, time_us: int, position: int, sequence: int, status: str
) -> dict[str, Any]:
    return {
        "tenant": target.tenant,
        "target": target.kind,
        "target_id": target.id,
        "sequence": sequence,
        "status": status,
        "time_us": time_us,
        "position": position,
        "model_hash": judge.model_hash,
        "policy_version": judge.policy_version,
    }


def span_record(span: Placed, name: str) -> dict[str, Any]:
    """Return a span as the schema has it.

    Args:
        span: where and what.
        name: of the span, kept through all verdicts of its target.
    """
    return {
        "span_id": name,
        "type": span.type,
        "field": span.field,
        "index": span.index,
        "start": span.start,
        "end": span.end,
        "confidence": float(span.confidence),
        "origin": str(span.origin).upper(),
        "validated": span.validated,
    }


def span_name(span: Placed) -> str:
    """Return a name for a span that is found once: its place."""
    return f"{span.field}:{span.index}:{span.start}"


def confidence(found: Verdict) -> float:
    """Probability that a decision will stand.

    Of one to hold something back: that something is there, by the score or the surest span. Of one
    to let it pass: that nothing is.
    """
    sensitive = found.scores["sensitivity"]
    if GRAVITY[found.decision] < GRAVITY[Decision.REVIEW]:
        return 1.0 - sensitive
    return max([sensitive, *(float(span.confidence) for span in found.spans)])


def verdict_digest(value: bytes) -> bytes:
    """Return what a verdict's leaf holds of it.

    Args:
        value: its bare Avro bytes, without wire header.
    """
    return hashlib.sha256(value).digest()


def verdict_leaves(steps: int, times: Sequence[int], digests: Sequence[bytes]) -> Any:
    """Make the leaves of verdicts, ``LEAF_DTYPE[n]``; ``prev`` is the chain's to fill.

    Args:
        steps: verdicts in the chain before them.
        times: event time of each, microseconds.
        digests: ``verdict_digest`` of each.
    """
    rows = blank_rows(len(digests))
    rows["format"] = VERDICT
    rows["step"] = np.arange(steps + 1, steps + 1 + len(digests))
    rows["time_us"] = times
    rows["event_digest"] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    return rows
