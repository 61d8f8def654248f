"""Drives many streams: what has come of them is read, encoded together, and told.

    1. a stream that is not in memory is rebuilt from its records
    2. pieces are read, stream by stream, up to where a partial verdict is due
    3. new tokens of all streams are encoded: together, or one stream at a time
    4. segments that are complete are scanned with full attention
    5. partial verdicts; then from 2 on, until all is read; at the end the final ones

No stream sees another. An exception in one stream's step is caught: what the step did is thrown
away, the stream is rebuilt from its records, and the step is tried again. After the third failure
in a row the stream is given up.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from operators.hierarchy.records import Head
from operators.hierarchy.told import PartialConfig
from state import stream_keys
from streams.hierarchy.live import Live
from streams.hierarchy.observer import Encoded, Failed, FailureType, Recovery, StreamObserver
from streams.hierarchy.step import Op, Outcome, Step, Table, gone, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from state.stream_keys import StreamKey
    from streams.hierarchy.encoder import Reading
    from streams.hierarchy.model import StreamModel

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""Failures in a row after which a stream is given up."""


@dataclass(frozen=True, slots=True)
class DriverConfig:
    """How streams are driven.

    Attributes:
        partials: when partial verdicts are given.
        edits: checkpoints of a stream that edits may go back to, at least 1.
        together: whether the new tokens of several streams are encoded in one call.
    """

    partials: PartialConfig = field(default_factory=PartialConfig)
    edits: int = 16
    together: bool = True


@dataclass(slots=True)
class _Failure:
    """What went wrong in an attempt.

    Attributes:
        error: it.
        during: what was being done.
        alone: whether it is sure to be the stream's own.
    """

    error: Exception
    during: FailureType
    alone: bool


class Driver:
    """The streams of one shard.

    Args:
        model: reads them.
        config: how.
        table: what was committed of them: all that `run` gave before it is called again.
        observer: told what happens to them.
        clock: seconds that never go back; for measurements alone.

    Attributes:
        nbytes: of those there are.
        evictions: streams that were let go of for want of memory.
    """

    def __init__(
        self,
        model: StreamModel,
        config: DriverConfig,
        table: Table,
        observer: StreamObserver,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._config = config
        self._table = table
        self._observer = observer
        self._clock = clock
        self._streams: OrderedDict[StreamKey, tuple[Live, int]] = OrderedDict()
        self.nbytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        """Streams in memory."""
        return len(self._streams)

    def run(self, ops: Mapping[StreamKey, Sequence[Op]]) -> dict[StreamKey, Outcome]:
        """Do what happens to streams, at least one thing to each.

        Args:
            ops: by stream, in order.
        """
        done: dict[StreamKey, Outcome] = {}
        failures: dict[StreamKey, int] = {}
        waiting = [list(ops)] if self._config.together else [[key] for key in ops]
        while waiting:
            batch = waiting.pop(0)
            found, failed = self._attempt({key: ops[key] for key in batch})
            done |= found
            for key, failure in failed.items():
                self.forget(key)
                if failure.alone:
                    failures[key] = failures.get(key, 0) + 1
                    self._tell_failure(key, failure, failures[key])
                if failures.get(key, 0) == ATTEMPTS:
                    done[key] = self._given_up(key, ops[key], failure.error)
                else:
                    waiting.append([key])  # alone from now on
        return done

    def stream(self, key: StreamKey) -> Live | None:
        """A stream as of the last unit of work; None: it is not open.

        Raises:
            StateError: its records cannot be read.
        """
        found = self._streams.get(key)
        live = found[0] if found is not None else self._restored(key)
        if live is not None:
            self._encode([Step(self._model, self._config.partials, self._table, key, [], live)])
        return live

    def forget(self, key: StreamKey) -> None:
        """Let go of a stream's memory; it is rebuilt when it is needed."""
        found = self._streams.pop(key, None)
        if found is not None:
            self.nbytes -= found[1]

    # -- one attempt ------------------------------------------------------------------------------

    def _attempt(
        self, ops: Mapping[StreamKey, Sequence[Op]]
    ) -> tuple[dict[StreamKey, Outcome], dict[StreamKey, _Failure]]:
        """Try what happens to streams; those that fail leave nothing behind but memory."""
        failed: dict[StreamKey, _Failure] = {}
        steps: dict[StreamKey, Step] = {}

        def each(
            keys: Iterable[StreamKey], during: FailureType, do: Callable[[Step], None]
        ) -> None:
            for key in keys:
                if key in failed:
                    continue
                try:
                    do(steps[key])
                except Exception as error:  # noqa: BLE001 - whatever it is, it is this stream's
                    failed[key] = _Failure(error, during, alone=True)

        for key, own in ops.items():
            try:
                live = self._opened(key, own[0])
                steps[key] = Step(
                    self._model, self._config.partials, self._table, key, list(own), live
                )
            except Exception as error:  # noqa: BLE001 - the same
                failed[key] = _Failure(error, FailureType.RESTORE, alone=True)
        active = list(steps)
        while active := [key for key in active if key not in failed]:
            each(active, FailureType.TOKENISE, Step.read)
            good = [steps[key] for key in active if key not in failed]
            try:
                self._encode(good)
                readings = self._readings(good)
            except Exception as error:  # noqa: BLE001 - the same, of one of them
                alone = len(good) == 1
                failed |= {s.key: _Failure(error, FailureType.ENCODE, alone) for s in good}
                break
            each(active, FailureType.FINAL, Step.judge)
            each(readings, FailureType.PREDICT, lambda step: step.tell(readings[step.key]))  # noqa: B023 - called at once
            each([key for key in active if not steps[key].left], FailureType.FINAL, Step.finish)
            active = [key for key in active if steps[key].left]
        found = {}
        for key, step in steps.items():
            if key not in failed:
                found[key] = step.outcome
                self._keep(step)
        return found, failed

    def _encode(self, steps: Sequence[Step]) -> None:
        """Encode all tokens that wait, segment by segment."""
        left = [step for step in steps if not step.ending]
        started = self._clock()
        while left:
            waiting = [(step, step.live.waiting()) for step in left]
            waiting = [(step, tokens) for step, tokens in waiting if tokens]
            left = [step for step, _ in waiting]
            ids = [np.array([token.id for token in tokens], np.int64) for _, tokens in waiting]
            begun = self._clock()
            found = self._model.steps.encode(
                [(step.live.cache, new) for step, new in zip(left, ids, strict=True)]
            )
            ended = self._clock()
            for step, encoded, new in zip(left, found, ids, strict=True):
                step.live.encoded(encoded.spans)
                self._observer.encoded(
                    Encoded(
                        step.key.stream_id,
                        step.live.tokens,
                        len(new),
                        ended - started,
                        ended - begun,
                    )
                )

    def _readings(self, steps: Sequence[Step]) -> dict[StreamKey, Reading]:
        """What the segments of streams say of which a partial verdict is due."""
        due = [step for step in steps if step.due and not step.ending]
        if not due:
            return {}
        found = self._model.steps.read([step.live.cache for step in due])
        return {step.key: reading for step, reading in zip(due, found, strict=True)}

    # -- memory -----------------------------------------------------------------------------------

    def _opened(self, key: StreamKey, first: Op) -> Live:
        found = self._streams.get(key)
        if found is not None:
            return found[0]
        return self._restored(key) or Live(self._model, first.opening, self._config.edits)

    def _restored(self, key: StreamKey) -> Live | None:
        return opened(self._table, self._model, key, self._config.edits)

    def _keep(self, step: Step) -> None:
        """Keep a stream that goes on; the one used last is the last to be evicted."""
        self.forget(step.key)
        if not step.outcome.ended:
            size = step.live.nbytes
            self._streams[step.key] = step.live, size
            self.nbytes += size

    def make_room(self, most_bytes: int) -> None:
        """Evict streams, those used longest ago first, until the others take no more than that.

        What they have done must have been committed.
        """
        while self.nbytes > most_bytes and self._streams:
            self.forget(next(iter(self._streams)))
            self.evictions += 1

    # -- failures ---------------------------------------------------------------------------------

    def _tell_failure(self, key: StreamKey, failure: _Failure, in_a_row: int) -> None:
        given_up = in_a_row == ATTEMPTS
        self._observer.failed(
            Failed(
                key.stream_id,
                0,
                failure.during,
                failure.error,
                in_a_row,
                Recovery.QUARANTINED if given_up else Recovery.REBUILT,
                recovered=not given_up,
            )
        )
        # The message of an exception may quote the text.
        log.error(
            "a stream's step failed",
            tenant=key.tenant,
            stream=key.stream_id,
            during=failure.during.value,
            error=type(failure.error).__name__,
            in_a_row=in_a_row,
            given_up=given_up,
        )

    def _given_up(self, key: StreamKey, ops: Sequence[Op], error: Exception) -> Outcome:
        """End a stream without a judgement: what is known of it goes to quarantine."""
        outcome = Outcome(ended=True, error=error)
        times = [op.piece.time_us for op in ops if op.piece is not None]
        record = self._table.get(stream_keys.head_key(key))
        head = None
        if record is not None:
            try:
                head = Head.from_bytes(record)
            except Exception:
                log.exception("the head of a stream that was given up cannot be read", stream=key)
            else:
                times.append(head.time_us)
                outcome.head = head
        outcome.time_us = max(times, default=0)
        outcome.state = gone(key, head, outcome.time_us)
        return outcome
