"""Turns what happens to streams into records of the six logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

from operators.hierarchy.pace import STEPS
from schemas.errors import StateError
from streams.hierarchy.logs import records
from streams.hierarchy.logs.files import LogFile, make_folder, new_session, prune
from streams.hierarchy.logs.redaction import Redactor, rounded
from streams.hierarchy.logs.sampling import Sampler
from streams.hierarchy.logs.writer import Item, Writer
from streams.hierarchy.observer import Metric, PredictionType, StreamObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from streams.hierarchy.logs.writer import Counts, Lost
    from streams.hierarchy.observer import (
        Encoded,
        Ended,
        Failed,
        Paced,
        State,
        Taken,
        Updated,
        Verdict,
    )
    from streams.hierarchy.settings import StreamLogSettings
    from streams.settings import Settings

log = structlog.get_logger(__name__)

CONTEXT: Final = 40
"""Code points of a text on each side of a boundary."""

CLOSE_S: Final = 10.0
_MS: Final = 1_000.0
_MB: Final = 1e6
_STATE_BYTES: Final = 512
"""Of arrays, that weigh as much as a record of average size."""


class StreamLogs(StreamObserver):
    """The six logs of a session; an observer of streams.

    Args:
        settings: of the logs.
        folder: where they go.
        counts: told of records written and dropped.
        clock: seconds since 1970.
        redactor: by default one with a key of its own.

    May be called from several threads; of the worker's streams, names must differ.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(
        self,
        settings: StreamLogSettings,
        folder: Path,
        counts: Counts,
        clock: Callable[[], float] = time.time,
        redactor: Redactor | None = None,
    ) -> None:
        self.session = new_session()
        mode = int(settings.file_mode, 8)
        self._folder = folder
        self._keep_bytes = settings.keep_bytes
        self._clock = clock
        self._hide = redactor or Redactor(raw=settings.contents == "raw")
        make_folder(folder, mode)
        self._samplers = {
            name: Sampler(share) for name, share in settings.shares.model_dump().items()
        }
        self._prune()
        self._writer = Writer(
            {
                name: LogFile(folder, name, self.session, settings.rotate_bytes, mode)
                for name in records.NAMES
            },
            records.line,
            settings.queue_records,
            counts,
            (self._lost, records.LOGS[records.Performance]),
            self._prune,
        )

    @classmethod
    def open(cls, settings: Settings, counts: Counts) -> Self | None:
        """The logs of a worker; None where they are switched off.

        Raises:
            StateError: they cannot be written where they should be.
        """
        if not settings.stream_logs.enabled:
            return None
        folder = settings.stream_logs_dir
        try:
            return cls(settings.stream_logs, folder, counts)
        except OSError as error:
            raise StateError(
                f"stream logs cannot be written to {folder}: {error.strerror}. Set "
                "stream_logs.directory, or stream_logs.enabled = false"
            ) from error

    def close(self) -> None:
        """Write what waits and bring it to the disk."""
        if not self._writer.close(CLOSE_S):
            log.error("the stream logs were not written to their end", seconds=CLOSE_S)

    # -- StreamObserver ---------------------------------------------------------------------------

    def taken(self, what: Taken) -> None:
        """Log tokens: which of them are, the thread works out."""
        if self._samplers["input_stream"].takes_any:
            count = len(what.ids)
            now = self._clock()
            self._offer(records.InputStream, count, count, lambda: self._tokens(now, what))

    def wanted_states(self, stream: str, positions: range) -> Sequence[int]:
        """At which of some positions representations are logged."""
        return self._samplers["model_state"].taken(stream, positions)

    def state(self, what: State) -> None:
        """Log a representation."""
        now = self._clock()
        attention = 0 if what.attention is None else what.attention.nbytes
        weight = 1 + (what.representation.nbytes + attention) // _STATE_BYTES
        self._offer(records.ModelState, 1, weight, lambda: [self._state(now, what)])

    def sent(self, what: Verdict) -> None:
        """Log a verdict; a final one always is."""
        if what.type is PredictionType.FINAL or self._takes(
            "predictions", what.stream, what.number
        ):
            now = self._clock()
            weight = 1 + len(what.spans)
            self._offer(records.Prediction, 1, weight, lambda: [self._prediction(now, what)])

    def encoded(self, what: Encoded) -> None:
        """Log how long tokens took."""
        if self._takes("performance", what.stream, what.position):
            context = {
                "position": what.position,
                "tokens": what.tokens,
                "within_ms": round(what.within * _MS, 3),
            }
            self._measured(Metric.TOKEN, what.seconds * _MS, "ms", context, what.stream)

    def updated(self, what: Updated) -> None:
        """Log how long an update took."""
        if self._takes("performance", what.stream, what.position):
            context = {"position": what.position, "level": what.type.value}
            self._measured(Metric.UPDATE, what.seconds * _MS, "ms", context, what.stream)

    def ended(self, what: Ended) -> None:
        """Log a boundary."""
        if self._takes("boundaries", what.stream, what.position):
            now = self._clock()
            self._offer(records.Boundary, 1, 1, lambda: [self._boundary(now, what)])

    def failed(self, what: Failed) -> None:
        """Log a failure; its trace is taken now, for frames would keep alive what they hold."""
        made = records.Failure(
            self._clock(),
            self._id(what.stream),
            f"{what.position}.{what.in_a_row}",
            what.type.value,
            self._hide.exception(what.error),
            self._hide.trace(what.error),
            {"position": what.position, "in_a_row": what.in_a_row},
            what.recovery.value,
            what.recovered,
        )
        self._offer(records.Failure, 1, 1, lambda: [made])

    def paced(self, what: Paced) -> None:
        """Log load and backlog of the worker, and its step."""
        context = {"step": what.step.value, "before": what.before.value}
        for metric, value, unit in (
            (Metric.PACE, STEPS.index(what.step), "step"),
            (Metric.LOAD, what.load, "share"),
            (Metric.WAITING, what.window.waiting, "tokens"),
        ):
            self._measured(metric, float(value), unit, context)

    def paused(self, partition: int, *, paused: bool) -> None:
        """Log that a partition was paused or resumed."""
        self._measured(Metric.PAUSED, float(paused), "", {"partition": partition})

    # -- what is called by the thread -------------------------------------------------------------

    def _tokens(self, now: float, what: Taken) -> Iterator[records.InputStream]:
        session = self._id(what.stream)
        metadata = {"source": what.source, "user_id": self._hide.identity(what.user)}
        takes = self._samplers["input_stream"].takes
        before = what.buffered - len(what.ids)
        for place, (token, text) in enumerate(zip(what.ids, what.texts, strict=True)):
            if takes(what.stream, what.first + place):
                yield records.InputStream(
                    now,
                    session,
                    self._hide.token_id(token),
                    self._hide.text(text),
                    what.first + place,
                    before + place + 1,
                    metadata,
                )

    def _state(self, now: float, what: State) -> records.ModelState:
        return records.ModelState(
            now,
            self._id(what.stream),
            what.type.value,
            self._hide.vector(what.representation),
            [] if what.attention is None else rounded(what.attention),
            what.cache_bytes / _MB,
            {"position": what.position, "form": "vector" if self._hide.raw else "sketch"},
        )

    def _prediction(self, now: float, what: Verdict) -> records.Prediction:
        output = {
            "decision": str(what.decision),
            "scores": {name: round(float(score), 6) for name, score in what.scores.items()},
            "spans": [
                {**span._asdict(), "confidence": round(float(span.confidence), 4)}
                for span in what.spans
            ],
        }
        metadata = {
            "characters": what.characters,
            "revised": what.revised,
            "withdrawn": what.withdrawn,
            "step": what.step.value,
            "model": what.model,
            "policy": what.policy,
        }
        return records.Prediction(
            now,
            self._id(what.stream),
            what.number,
            what.type.value,
            output,
            round(float(what.confidence), 6),
            dict(what.buffer),
            round(what.latency_s * _MS, 3),
            metadata,
        )

    def _boundary(self, now: float, what: Ended) -> records.Boundary:
        ruled = what.confidence is None
        return records.Boundary(
            now,
            self._id(what.stream),
            what.type.value,
            what.position,
            1.0 if what.confidence is None else round(float(what.confidence), 4),
            "rule" if ruled else "model",
            self._hide.text(what.before[-CONTEXT:]),
            self._hide.text(what.after[:CONTEXT]),
        )

    # -- ------------------------------------------------------------------------------------------

    def _takes(self, name: str, stream: str, position: int) -> bool:
        return self._samplers[name].takes(stream, position)

    def _measured(
        self,
        metric: Metric,
        value: float,
        unit: str,
        context: Mapping[str, Any],
        stream: str | None = None,
    ) -> None:
        made = self._performance(metric, value, unit, context, stream)
        self._offer(records.Performance, 1, 1, lambda: [made])

    def _performance(
        self,
        metric: Metric,
        value: float,
        unit: str,
        context: Mapping[str, Any],
        stream: str | None = None,
    ) -> records.Performance:
        return records.Performance(
            self._clock(), self._id(stream), metric.value, round(value, 4), unit, context
        )

    def _lost(self, lost: Lost, count: int) -> records.Performance:
        name, reason = lost
        context = {"log": name, "reason": reason}
        return self._performance(Metric.DROPPED, float(count), "records", context)

    def _offer(
        self,
        kind: type[records.Record],
        count: int,
        weight: int,
        make: Callable[[], Sequence[records.Record] | Iterator[records.Record]],
    ) -> None:
        self._writer.offer(Item(records.LOGS[kind], count, weight, make))

    def _id(self, stream: str | None) -> str:
        return self.session if stream is None else f"{self.session}/{stream}"

    def _prune(self) -> None:
        try:
            deleted = prune(self._folder, self._keep_bytes)
        except OSError as error:
            log.error("old stream logs could not be deleted", reason=str(error))  # noqa: TRY400 - the stack says nothing
        else:
            if deleted:
                log.info("old stream logs deleted", files=len(deleted), upto=deleted[-1].name)
