"""A thread that knows what progress is, and ends the worker when there is none.

Work without progress for ``watchdog_s`` means that something is stuck in a way nobody foresaw: all
stacks are dumped to the log and the process exits non-zero, so that its supervisor starts it anew.
A shard has work while a unit of work runs, or while committed records wait in its partition.
Transaction markers at the end of a partition look like lag; before the worker is ended, the records
that seem to wait are looked for with a reader of the watchdog's own.

The broker is asked on a second thread: no answer, however long it takes, keeps the watchdog from
looking at what it can see without one. While the broker does not answer, partitions cannot be seen
to lag, and the clocks of shards that only wait for events start anew. When it has not answered for
``broker_patience_s``, the worker ends, so that its supervisor tries elsewhere.
"""

from __future__ import annotations

import faulthandler
import math
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from schemas.errors import BrokerGone, BrokerUnavailable, StateError, WeirError
from streams.kafka.reader import PartitionReader
from streams.shard.shard import ShardState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.metrics import Metrics
    from streams.settings import Settings
    from streams.shard.shard import Shard

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
PATIENCE_S = 5
"""How long the watchdog's reader waits for a broker."""
LOST_S = 20.0
"""A topic that is gone or shorter than it was for this long is not coming back by itself."""
FROZEN_S = 5.0
"""More than this between two looks: the process was stopped, or the machine slept."""


class Stalled(WeirError):  # noqa: N818 - it names the condition
    """A shard has events to process and does not process them."""

    exit_code = 71


class Clocks:
    """Since when each shard has had work and stood still."""

    def __init__(self) -> None:
        # Shard → the offset at which it was seen, and since when.
        self._seen: dict[int, tuple[int | None, float]] = {}

    def standing_s(self, shard: int, reached: int | None, *, has_work: bool, now: float) -> float:
        """Take a look at a shard.

        Args:
            shard: its number.
            reached: the source offset at which it stands.
            has_work: whether it should move on.
            now: seconds on a clock that never goes back.

        Returns:
            For how many seconds it has had work and not moved.
        """
        offset, since = self._seen.get(shard, (None, now))
        if not has_work or offset != reached:
            since = now
        self._seen[shard] = (reached, since)
        return now - since

    def restart(self, shard: int) -> None:
        """Begin anew: it turned out that there was nothing to do."""
        self._seen.pop(shard, None)


def watchdog_of(
    settings: Settings,
    topic: str,
    shards: Callable[[], list[Shard]],
    metrics: Metrics,
    failed: Callable[[BaseException], None],
) -> Watchdog:
    """Return the watchdog of a worker's shards of a topic; arguments as for ``Watchdog``."""
    stream = settings.stream
    reader = PartitionReader(settings.broker, patience_s=PATIENCE_S)
    limits = stream.watchdog_s, stream.broker_patience_s
    return Watchdog(shards, reader, topic, *limits, metrics, failed)


class Watchdog(threading.Thread):
    """Watches lag and progress of the worker's shards.

    Args:
        shards: gives the shards that the worker owns at the time of the call.
        reader: the watchdog's own; nobody else may use it.
        topic: the source topic.
        limit_s: work without progress for this long is a stall.
        patience_s: without an answer of the broker for this long the worker ends.
        metrics: shown each shard, and where its partition ends.
        failed: called with the error; it must end the process.
    """

    def __init__(
        self,
        shards: Callable[[], list[Shard]],
        reader: PartitionReader,
        topic: str,
        limit_s: float,
        patience_s: float,
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._shards = shards
        self._reader = reader
        self._topic = topic
        self._limit_s = limit_s
        self._patience_s = patience_s
        self._metrics = metrics
        self._failed = failed
        self._done = threading.Event()
        self._clocks = Clocks()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="watchdog-asks")
        self._answer: Future[dict[int, int]] | None = None
        # End of each shard's partition as of the last answer; nothing while the broker is away.
        self._ends: dict[int, int] = {}
        self._blind_since: float | None = None
        self._cut = Clocks()
        self._looked_at: float | None = None
        # When the broker answered again, or the process went on, after the last time it did not.
        self._back_at = -math.inf
        self._answered_at: float | None = None

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self._asking.shutdown(wait=False, cancel_futures=True)

    def run(self) -> None:
        """Look every ``PERIOD_S``."""
        while not self._done.wait(PERIOD_S):
            try:
                self.look(time.monotonic())
            except Exception as error:  # noqa: BLE001 - a watchdog that dies unseen is worse than none
                if not self._done.is_set():
                    self._failed(error)

    def look(self, now: float) -> None:
        """Look once at every shard.

        Args:
            now: seconds on a clock that never goes back.
        """
        if self._has_slept(now):
            return
        shards = self._shards()
        if self._blind_since is None:
            # While the broker is away, no call returns.
            for shard in shards:
                if (error := shard.overdue(now, self._back_at)) is not None:
                    self._failed(error)
        # A worker without shards waits for the broker, too.
        self._ask([shard.number for shard in shards] or [0], now)
        for shard in shards:
            end = self._ends.get(shard.number)
            self._show(shard, end)
            reached = shard.next_offset
            self._check_log(shard.number, reached, end, now)
            running = shard.state is ShardState.RUNNING
            lags = end is not None and end > (reached or 0)
            standing_s = self._clocks.standing_s(
                shard.number, reached, has_work=running or lags, now=now
            )
            if standing_s <= self._limit_s:
                continue
            if running or (end is not None and self._waits(shard, end)):
                self._end(shard, standing_s)
            self._clocks.restart(shard.number)

    def _has_slept(self, now: float) -> bool:
        """Tell whether the process was frozen; what seems late is then only not done yet."""
        before, self._looked_at = self._looked_at, now
        if before is None:
            self._answered_at = now
        elif now - before > FROZEN_S:
            self._clocks, self._cut = Clocks(), Clocks()
            self._answered_at = self._back_at = now
            return True
        return False

    def _show(self, shard: Shard, end: int | None) -> None:
        """Update the shard's gauges; a display must not decide over the worker's life."""
        try:
            self._metrics.looked_at(shard, end)
        except Exception as error:  # noqa: BLE001 - whatever it is: the shard may be closing
            log.debug("a shard could not be looked at", shard=shard.number, error=str(error))

    def _check_log(self, shard: int, reached: int | None, end: int | None, now: float) -> None:
        """End the worker if a partition ends before what has been learnt from it."""
        cut = end is not None and reached is not None and end < reached
        if self._cut.standing_s(shard, end, has_work=cut, now=now) > LOST_S:
            self._failed(
                StateError(
                    f"{self._topic}[{shard}] ends at offset {end}, but its events up to {reached} "
                    "have been learnt: the topic was deleted and made anew, or lost its end. State "
                    "and log belong together: bring the log back, or begin anew under another "
                    "application_id"
                )
            )

    def _ask(self, shards: list[int], now: float) -> None:
        """Take the broker's answer where there is one, and ask again; never wait."""
        if self._answer is not None:
            if not self._answer.done():
                self._require_broker(now, "a question has not returned")
                return
            answer, self._answer = self._answer, None
            try:
                self._ends = answer.result()
            except WeirError as error:
                self._ends = {}
                self._not_answered(error, now)
            else:
                self._answered_at = now
                if self._blind_since is not None:
                    log.warning("the broker answers again")
                    self._back_at = now
                self._blind_since = None
        self._answer = self._asking.submit(self._reader.stable_end, self._topic, shards)

    def _not_answered(self, error: WeirError, now: float) -> None:
        if self._blind_since is None:
            self._blind_since = now
            log.warning("the broker does not answer; shards wait", reason=str(error))
        if isinstance(error, BrokerUnavailable):
            self._require_broker(now, str(error))
        elif now - self._blind_since > LOST_S:
            # The topic is gone, or the right to read it: waiting does not bring it back.
            self._failed(error)

    def _require_broker(self, now: float, said: str) -> None:
        """End the worker if the broker has not answered for too long."""
        assert self._answered_at is not None
        silent_s = now - self._answered_at
        if silent_s > self._patience_s:
            self._failed(
                BrokerGone(
                    f"the broker has not answered for {silent_s:.0f} s (stream.broker_patience_s "
                    f"is {self._patience_s:.0f}): {said}. What is committed is safe; restarted, "
                    "the worker goes on from there"
                )
            )

    def _waits(self, shard: Shard, end: int) -> bool:
        """Tell whether a committed record waits between the shard's offset and the end."""
        try:
            batches = self._reader.read(self._topic, shard.number, shard.next_offset, end)
            return any(True for _ in batches)
        except BrokerUnavailable:
            return False

    def _end(self, shard: Shard, standing_s: float) -> None:
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        self._failed(
            Stalled(
                f"shard {shard.number} ({self._topic}[{shard.number}]) stands at offset "
                f"{shard.next_offset} without progress for {standing_s:.0f} s (state "
                f"{shard.state.value}, {shard.queued} queued); stacks are above. The worker ends: "
                "restarted, it goes on from the last commit. Raise stream.watchdog_s if a unit of "
                "work may take longer"
            )
        )
