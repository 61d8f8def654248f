"""What happens to streams, and who is told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from operators.hierarchy.pace import Step, Window


class StateType(StrEnum):
    """What a representation is of."""

    TOKEN = "token"  # noqa: S105 - no password
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    TOPIC = "topic"
    DOCUMENT = "document"


class BoundaryType(StrEnum):
    """What ended."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    TOPIC = "topic"


class PredictionType(StrEnum):
    """Whether a verdict is the last one of its stream."""

    PARTIAL = "partial"
    FINAL = "final"


class Metric(StrEnum):
    """What is measured; the names in the performance log."""

    TOKEN = "token_latency"  # noqa: S105 - no password
    UPDATE = "hierarchical_update_latency"
    PACE = "pace_step"
    LOAD = "pace_load"
    WAITING = "waiting_tokens"
    PAUSED = "partition_paused"
    DROPPED = "log_records_dropped"


class FailureType(StrEnum):
    """What was being done when an exception came."""

    DECODE = "decode"
    TOKENISE = "tokenise"
    ENCODE = "encode"
    LEVELS = "levels"
    PREDICT = "predict"
    FINAL = "final"
    RESTORE = "restore"


class Recovery(StrEnum):
    """What was done about it."""

    REBUILT = "rebuilt_from_checkpoint"
    QUARANTINED = "quarantined"


class Taken(NamedTuple):
    """New tokens of a stream.

    Attributes:
        stream: its name, unlike that of any other stream of the worker: tenant and id.
        first: number of the first one in the stream, from 0.
        ids: of the vocabulary.
        texts: what each stands for.
        buffered: tokens in the buffer after the last one.
        source: where they come from; topic and partition, say.
        user: who wrote them, if known.
    """

    stream: str
    first: int
    ids: Sequence[int]
    texts: Sequence[str]
    buffered: int
    source: str = ""
    user: str = ""


class State(NamedTuple):
    """A representation. The arrays must not be changed afterwards.

    Attributes:
        stream: its id.
        position: number of the last token in it.
        type: what it is of.
        representation: [width].
        attention: of that token over its segment up to itself, mean over heads and layers,
            [tokens]; None above tokens.
        cache_bytes: of the stream's caches.
    """

    stream: str
    position: int
    type: StateType
    representation: NDArray[np.floating]
    attention: NDArray[np.floating] | None
    cache_bytes: int


class SentSpan(NamedTuple):
    """A span of a verdict, in code points of the stream's text.

    Attributes:
        id: the same in later verdicts that revise it.
        type: one of `operators.dlp.tags.TYPES`.
        start: first code point.
        end: code point after the last one.
        confidence: probability.
    """

    id: int
    type: str
    start: int
    end: int
    confidence: float


class Verdict(NamedTuple):
    """A verdict that was sent.

    Attributes:
        stream: its id.
        number: of the verdict in the stream, from 0.
        type: partial or final.
        decision: of the policy, or ``ERROR``.
        confidence: of the decision.
        scores: probability by name.
        spans: all that it holds.
        revised: spans that an earlier verdict had elsewhere, or of another type.
        withdrawn: spans that the verdict before had and this one has not.
        latency_s: from the last token that it rests on until it was ready.
        buffer: ``first`` token, ``tokens`` and ``characters`` in the buffer.
        characters: of the stream so far.
        step: of the worker.
        model: version.
        policy: version.
    """

    stream: str
    number: int
    type: PredictionType
    decision: str
    confidence: float
    scores: Mapping[str, float]
    spans: Sequence[SentSpan]
    revised: int
    withdrawn: int
    latency_s: float
    buffer: Mapping[str, int]
    characters: int
    step: Step
    model: str
    policy: str


class Encoded(NamedTuple):
    """Tokens of a stream were encoded.

    Attributes:
        stream: its id.
        position: number of the last one.
        tokens: how many, in one call.
        seconds: the longest that one of them took, from when the worker had it.
        within: seconds of it that were the call's.
    """

    stream: str
    position: int
    tokens: int
    seconds: float
    within: float


class Updated(NamedTuple):
    """Levels above the tokens were updated.

    Attributes:
        stream: its id.
        position: number of the last token before.
        type: the highest level that took part.
        seconds: from when the worker had those tokens until it was done.
    """

    stream: str
    position: int
    type: StateType
    seconds: float


class Ended(NamedTuple):
    """A sentence, paragraph or topic ended.

    Attributes:
        stream: its id.
        type: what ended.
        position: place after its last code point.
        confidence: None by rule, else the classifier's chance.
        before: text that ends there; some 40 code points are enough.
        after: text that begins there, as far as it has come.
    """

    stream: str
    type: BoundaryType
    position: int
    confidence: float | None
    before: str
    after: str


class Failed(NamedTuple):
    """An exception in one stream's step.

    Attributes:
        stream: its id.
        position: number of the token that was next.
        type: what was being done.
        error: the exception.
        in_a_row: how many there have been, this one included.
        recovery: what was done.
        recovered: whether the stream goes on.
    """

    stream: str
    position: int
    type: FailureType
    error: BaseException
    in_a_row: int
    recovery: Recovery
    recovered: bool


class Paced(NamedTuple):
    """A window of the worker ended.

    Attributes:
        before: step in it.
        step: step from now on.
        window: what was measured.
        load: share of the budgets.
    """

    before: Step
    step: Step
    window: Window
    load: float


class StreamObserver:
    """Is told what happens to streams, and does nothing about it; those who do, override.

    Calls are cheap, wait for nothing and raise nothing.
    """

    def taken(self, what: Taken) -> None:
        """Tokens are in the buffer."""

    def wanted_states(self, stream: str, positions: range) -> Sequence[int]:  # noqa: ARG002 - others ask for both
        """At which of some positions representations are to be told; and attention, of tokens."""
        return ()

    def state(self, what: State) -> None:
        """A representation that was wanted."""

    def sent(self, what: Verdict) -> None:
        """A verdict has been committed."""

    def encoded(self, what: Encoded) -> None:
        """Tokens have been encoded."""

    def updated(self, what: Updated) -> None:
        """Levels have been updated."""

    def ended(self, what: Ended) -> None:
        """A boundary is certain."""

    def failed(self, what: Failed) -> None:
        """A stream's step has failed, and what could be done has been done."""

    def paced(self, what: Paced) -> None:
        """A window of the worker has ended."""

    def paused(self, partition: int, *, paused: bool) -> None:
        """A partition has been paused or resumed."""

    def left_out(self, pieces: int) -> None:
        """Pieces have come of streams that had ended."""


class Observers(StreamObserver):
    """Several observers as one.

    Args:
        told: each of them, in order.
    """

    def __init__(self, *told: StreamObserver) -> None:
        self._told = told

    def taken(self, what: Taken) -> None:
        """Tokens are in the buffer."""
        for one in self._told:
            one.taken(what)

    def wanted_states(self, stream: str, positions: range) -> Sequence[int]:
        """At which of some positions anyone wants the representations."""
        wanted: set[int] = set()
        for one in self._told:
            wanted.update(one.wanted_states(stream, positions))
        return sorted(wanted) if wanted else ()

    def state(self, what: State) -> None:
        """A representation that was wanted."""
        for one in self._told:
            one.state(what)

    def sent(self, what: Verdict) -> None:
        """A verdict has been committed."""
        for one in self._told:
            one.sent(what)

    def encoded(self, what: Encoded) -> None:
        """Tokens have been encoded."""
        for one in self._told:
            one.encoded(what)

    def updated(self, what: Updated) -> None:
        """Levels have been updated."""
        for one in self._told:
            one.updated(what)

    def ended(self, what: Ended) -> None:
        """A boundary is certain."""
        for one in self._told:
            one.ended(what)

    def failed(self, what: Failed) -> None:
        """A stream's step has failed."""
        for one in self._told:
            one.failed(what)

    def paced(self, what: Paced) -> None:
        """A window of the worker has ended."""
        for one in self._told:
            one.paced(what)

    def paused(self, partition: int, *, paused: bool) -> None:
        """A partition has been paused or resumed."""
        for one in self._told:
            one.paused(partition, paused=paused)

    def left_out(self, pieces: int) -> None:
        """Pieces have come of streams that had ended."""
        for one in self._told:
            one.left_out(pieces)
