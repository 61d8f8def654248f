"""What the lines of the six logs hold: the fields of the seed's section 2.1, in its order.

A line is one record as a JSON object. Times are seconds since 1970 (UTC, wall clock). A session is
one run of a worker; `session_id` is the session, and after a slash the stream that the record is
of, so that boundaries, which have no field to say it, can be told apart too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Facts = Mapping[str, Any]


class InputStream(NamedTuple):
    """A token that was taken.

    Attributes:
        timestamp: when.
        session_id: see above.
        token_id: of the vocabulary; -1 where contents are redacted, for ids can be read back.
        token_text: what it stands for.
        token_position: its number in the stream, from 0.
        buffer_size: tokens in the buffer by then.
        metadata: ``source`` and ``user_id``.
    """

    timestamp: float
    session_id: str
    token_id: int
    token_text: str
    token_position: int
    buffer_size: int
    metadata: Facts


class ModelState(NamedTuple):
    """A representation, and what attention looked at.

    Attributes:
        timestamp: when.
        session_id: see above.
        state_type: ``token``, ``sentence``, ``paragraph``, ``topic`` or ``document``.
        representation: the vector, or its sketch where contents are redacted.
        attention_weights: of the last token over those before it; empty above the tokens.
        cache_size_mb: of the stream's caches, in 10^6 bytes.
        metadata: ``position``, and ``form``: ``sketch`` or ``vector``.
    """

    timestamp: float
    session_id: str
    state_type: str
    representation: Sequence[float]
    attention_weights: Sequence[float]
    cache_size_mb: float
    metadata: Facts


class Prediction(NamedTuple):
    """A verdict that was sent.

    Attributes:
        timestamp: when.
        session_id: see above.
        prediction_id: number of the verdict in its stream, from 0.
        prediction_type: ``partial`` or ``final``.
        output: ``decision``, ``scores`` by name, ``spans`` with id, type, place and confidence.
        confidence: of the decision.
        buffer_state: ``first`` token, ``tokens`` and ``characters`` in the buffer.
        latency_ms: from the last token that it rests on until it was ready.
        metadata: ``characters`` of the stream so far, ``revised`` and ``withdrawn`` spans,
            ``step`` of the worker, ``model`` and ``policy``.
    """

    timestamp: float
    session_id: str
    prediction_id: int
    prediction_type: str
    output: Facts
    confidence: float
    buffer_state: Facts
    latency_ms: float
    metadata: Facts


class Performance(NamedTuple):
    """A measurement.

    Attributes:
        timestamp: when.
        session_id: see above; the session alone where it is of the worker.
        metric_name: see `streams.hierarchy.observer.Metric`.
        metric_value: the figure.
        unit: of the figure.
        context: what it was measured on.
    """

    timestamp: float
    session_id: str
    metric_name: str
    metric_value: float
    unit: str
    context: Facts


class Failure(NamedTuple):
    """An exception in one stream's step, and what was done about it.

    Attributes:
        timestamp: when.
        session_id: see above.
        failure_id: ``<position>.<number in a row>``; one of its own with the session id.
        failure_type: what was being done.
        exception: class and message; of the message its length where contents are redacted.
        stack_trace: files, lines and functions; no values.
        context: ``position`` and ``in_a_row``.
        recovery_action: what was done.
        recovery_success: whether the stream goes on.
    """

    timestamp: float
    session_id: str
    failure_id: str
    failure_type: str
    exception: str
    stack_trace: str
    context: Facts
    recovery_action: str
    recovery_success: bool


class Boundary(NamedTuple):
    """Where a sentence, paragraph or topic ended.

    Attributes:
        timestamp: when it was certain.
        session_id: see above.
        boundary_type: ``sentence``, ``paragraph`` or ``topic``.
        position: place after its last code point, in code points of the stream's text.
        confidence: 1 by rule, else the classifier's chance.
        detected_by: ``rule`` or ``model``.
        context_before: text that ends there.
        context_after: text that begins there, as far as it had come.
    """

    timestamp: float
    session_id: str
    boundary_type: str
    position: int
    confidence: float
    detected_by: str
    context_before: str
    context_after: str


Record = InputStream | ModelState | Prediction | Performance | Failure | Boundary

LOGS: Final[Mapping[type[Record], str]] = {
    InputStream: "input_stream",
    ModelState: "model_state",
    Prediction: "predictions",
    Performance: "performance",
    Failure: "failures",
    Boundary: "boundaries",
}
"""Names of the logs, as in their files' names."""

NAMES: Final = tuple(LOGS.values())

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def line(record: Record) -> bytes:
    """One line of a log, its end included.

    Raises:
        ValueError: a number in it is not finite.
        TypeError: something in it is no JSON.
    """
    return f"{_encode(record._asdict())}\n".encode()
