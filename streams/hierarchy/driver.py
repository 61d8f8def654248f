"""Drives many streams: what has come of them is read, encoded together, and told.

    1. a stream that is not in memory is rebuilt from its records
    2. pieces are read, stream by stream, up to where a partial verdict is due
    3. new tokens of all streams are encoded: together, or one stream at a time
    4. segments that are complete are scanned with full attention: on other threads, and waited for
       where the next one is complete, or the stream ends
    5. partial verdicts; then from 2 on, until all is read; at the end the final ones

No stream sees another. An exception in one stream's step is caught: what the step did is thrown
away, the stream is rebuilt from its records, and the step is tried again. After the third failure
in a row the stream is given up.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from operators.hierarchy.records import Head
from operators.hierarchy.told import PartialConfig
from state import stream_keys
from streams.hierarchy.attempt import Attempt, Failure
from streams.hierarchy.live import Live
from streams.hierarchy.observer import Failed, Recovery, StreamObserver
from streams.hierarchy.step import Op, Outcome, Said, Step, Table, gone, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from state.stream_keys import StreamKey
    from streams.hierarchy.model import StreamModel

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""Failures in a row after which a stream is given up."""


class _Closed(NamedTuple):
    """A stream that has ended and waits for word that it was judged.

    Attributes:
        live: it; only `job` may touch it until it is done. None: it was let go of.
        size: bytes in memory.
        job: what judges it; None: nothing does, and it is scanned where word of it comes.
    """

    live: Live | None
    size: int
    job: Future[None] | None


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


class Driver:
    """The streams of one shard.

    Args:
        model: reads them.
        config: how.
        table: what was committed of them: all that `run` gave before it is called again.
        observer: told what happens to them.
        executor: where segments are scanned meanwhile.
        judged: told, on any thread, when a stream that has ended has been judged: its final verdict
            is given where an op says so (`closes`). None: it is given where the stream ends, and
            waited for.
        clock: seconds that never go back; for measurements alone.

    Attributes:
        partials: when partial verdicts are given; may be changed between two runs.
        topics: whether topics begin and end, or rest; the same.
        nbytes: of those there are.
        evictions: streams that were let go of for want of memory.
    """

    def __init__(
        self,
        model: StreamModel,
        config: DriverConfig,
        table: Table,
        observer: StreamObserver,
        executor: Executor,
        judged: Callable[[StreamKey], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._config = config
        self._table = table
        self._observer = observer
        self._executor = executor
        self._judged = judged
        self._clock = clock
        self._streams: OrderedDict[StreamKey, tuple[Live, int]] = OrderedDict()
        self._closed: dict[StreamKey, _Closed] = {}
        self.partials = config.partials
        self.topics = True
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
            attempt = self._attempt({key: ops[key] for key in batch})
            for key, step in attempt.done.items():
                done[key] = step.outcome
                self._keep(step)
            for key, failure in attempt.failed.items():
                self.forget(key)
                if failure.alone:
                    failures[key] = failures.get(key, 0) + 1
                    self._tell_failure(key, failure, failures[key])
                if failures.get(key, 0) == ATTEMPTS:
                    done[key] = self._given_up(key, ops[key], failure.error)
                else:
                    waiting.append([key])  # alone from now on
        return done

    def seen(self, key: StreamKey) -> Said | None:
        """What there is to say of a stream now; None: it is not open. Nothing changes.

        Raises:
            StateError: its records cannot be read.
        """
        kept = self._streams.get(key)
        live = kept[0] if kept is not None else self._restored(key)
        if live is None:
            return None
        step = self._step(key, [], live)
        Attempt(self._model, self._observer, self._clock).encode([step])
        return step.seen(self._model.steps.read([live.cache])[0])

    def closes(self, key: StreamKey) -> bool:
        """Whether a stream has ended, and its final verdict has not been given."""
        return key in self._closed

    def resume(self, key: StreamKey) -> None:
        """Judge a stream that had ended before a restart."""
        try:
            live = self._restored(key)
        except Exception as error:  # noqa: BLE001 - it is this stream's: told where word of it comes
            log.warning("a stream that had ended cannot be read", error=type(error).__name__)
            live = None
        if live is not None:
            self._close(key, live)
        else:
            self._closed[key] = _Closed(None, 0, None)
            self._tell(key)

    def _close(self, key: StreamKey, live: Live) -> None:
        size = live.nbytes
        job = self._executor.submit(live.settle)
        self._closed[key] = _Closed(live, size, job)
        self.nbytes += size
        job.add_done_callback(lambda done: None if done.cancelled() else self._tell(key))

    def _tell(self, key: StreamKey) -> None:
        assert self._judged is not None, "only who waits for word closes streams"
        self._judged(key)

    def _let_go(self, key: StreamKey) -> bool:
        """Let go of the memory of a stream that waits for word, unless it is being scanned."""
        closed = self._closed[key]
        if closed.live is None or closed.job is None:
            return False
        if not (closed.job.cancel() or closed.job.done()):
            return False
        self._closed[key] = _Closed(None, 0, None)
        self.nbytes -= closed.size
        if closed.job.cancelled():
            self._tell(key)
        return True

    def forget(self, key: StreamKey) -> None:
        """Let go of a stream's memory; it is rebuilt when it is needed."""
        found = self._streams.pop(key, None)
        if found is not None:
            self.nbytes -= found[1]
        closed = self._closed.pop(key, None)
        if closed is not None:
            self.nbytes -= closed.size
            if closed.job is not None:
                closed.job.cancel()

    def forget_all(self, unwanted: Callable[[StreamKey], bool]) -> None:
        """Let go of the memory of some streams, also of those that are being judged."""
        for key in [key for key in (*self._streams, *self._closed) if unwanted(key)]:
            self.forget(key)

    def _attempt(self, ops: Mapping[StreamKey, Sequence[Op]]) -> Attempt:
        """Try what happens to streams."""
        attempt = Attempt(self._model, self._observer, self._clock)
        for key, own in ops.items():
            attempt.add(key, partial(self._begun, key, own))
        attempt.run()
        return attempt

    def _begun(self, key: StreamKey, ops: Sequence[Op]) -> Step:
        live = self._opened(key, ops[0])
        if not live.ended:
            live.rest(topics=self.topics)
        return self._step(key, ops, live)

    def _step(self, key: StreamKey, ops: Sequence[Op], live: Live) -> Step:
        closed, defers = self._closed.get(key), self._judged is not None
        return Step(
            self._model,
            self.partials,
            self._table,
            key,
            list(ops),
            live,
            None if closed is None else closed.job,
            defers=defers,
        )

    # -- memory -----------------------------------------------------------------------------------

    def _opened(self, key: StreamKey, first: Op) -> Live:
        found = self._streams.get(key)
        if found is not None:
            return found[0]
        closed = self._closed.get(key)
        if closed is not None and closed.live is not None:
            return closed.live
        return self._restored(key) or Live(self._model, first.opening, self._config.edits)

    def _restored(self, key: StreamKey) -> Live | None:
        return opened(self._table, self._model, key, self._config.edits)

    def _keep(self, step: Step) -> None:
        """Keep a stream that goes on; the one used last is the last to be evicted."""
        closed = self._closed.get(step.key)
        if closed is not None and closed.live is step.live and not step.outcome.ended:
            return  # it is being judged
        self.forget(step.key)
        if step.live.ended and not step.outcome.ended:
            self._close(step.key, step.live)
        elif not step.outcome.ended:
            step.live.judge_with(self._executor)
            size = step.live.nbytes
            self._streams[step.key] = step.live, size
            self.nbytes += size

    def make_room(self, most_bytes: int) -> None:
        """Evict streams, those used longest ago first, until the others take no more than that.

        What they have done must have been committed. Of those that wait for word, the last ones go
        first: it is longest until their turn to be scanned.
        """
        while self.nbytes > most_bytes and self._streams:
            self.forget(next(iter(self._streams)))
            self.evictions += 1
        for key in reversed(list(self._closed)):
            if self.nbytes <= most_bytes:
                return
            self.evictions += self._let_go(key)

    # -- failures ---------------------------------------------------------------------------------

    def _tell_failure(self, key: StreamKey, failure: Failure, in_a_row: int) -> None:
        given_up = in_a_row == ATTEMPTS
        self._observer.failed(
            Failed(
                key.name,
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
                if head.ending is not None:
                    times.append(head.ending.time_us)
                outcome.head = head
        outcome.time_us = max(times, default=0)
        outcome.state = gone(key, head, outcome.time_us)
        return outcome
