"""A thread that knows what progress is, and ends the worker when there is none.

Lag without progress for ``watchdog_s`` means that something is stuck in a way nobody foresaw: all
stacks are dumped to the log and the process exits non-zero, so that its supervisor starts it anew.
Transaction markers at the end of a partition look like lag; before the worker is ended, the records
that seem to wait are looked for with a reader of the watchdog's own.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from typing import TYPE_CHECKING

import structlog

from schemas.errors import WeirError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.reader import PartitionReader
    from streams.metrics import Metrics
    from streams.shard.shard import Shard

log = structlog.get_logger(__name__)

PERIOD_S = 2.0


class Stalled(WeirError):  # noqa: N818 - it names the condition
    """A shard has events to process and does not process them."""

    exit_code = 71


class Watchdog(threading.Thread):
    """Watches lag and progress of the worker's shards.

    Args:
        shards: gives the shards that the worker owns at the time of the call.
        reader: the watchdog's own; nobody else may use it.
        topic: the source topic.
        limit_s: lag without progress for this long is a stall.
        metrics: told of end offsets and lags.
        stalled: called with the error; it must end the process.
    """

    def __init__(
        self,
        shards: Callable[[], list[Shard]],
        reader: PartitionReader,
        topic: str,
        limit_s: float,
        metrics: Metrics,
        stalled: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._shards = shards
        self._reader = reader
        self._topic = topic
        self._limit_s = limit_s
        self._metrics = metrics
        self._stalled = stalled
        self._done = threading.Event()
        # Shard → the offset it was last seen to move to (or to have no lag at), and when.
        self._standing: dict[int, tuple[int | None, float]] = {}

    def stop(self) -> None:
        """End the thread."""
        self._done.set()

    def run(self) -> None:
        """Look every ``PERIOD_S``."""
        while not self._done.wait(PERIOD_S):
            try:
                self._look()
            except WeirError as error:
                # No answer from the broker is no stall; the shards' own calls will say so in time.
                log.warning("watchdog cannot see the end offsets", reason=str(error))

    def _look(self) -> None:
        shards = self._shards()
        if not shards:
            return
        ends = self._reader.stable_end(self._topic, [shard.number for shard in shards])
        now = time.monotonic()
        for shard in shards:
            end = ends[shard.number]
            self._metrics.ends(shard, end)
            reached, since = self._standing.get(shard.number, (None, now))
            if reached != shard.next_offset or end <= (reached or 0):
                self._standing[shard.number] = (shard.next_offset, now)
            elif now - since > self._limit_s:
                if self._waits(shard, end):
                    self._end(shard, end, now - since)
                self._standing[shard.number] = (shard.next_offset, now)

    def _end(self, shard: Shard, end: int, quiet_s: float) -> None:
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        self._stalled(
            Stalled(
                f"shard {shard.number} ({self._topic}[{shard.number}]) stands at offset "
                f"{shard.next_offset} of {end} without progress for {quiet_s:.0f} s "
                f"(state {shard.state.value}, {shard.queued} queued); stacks are above. The worker "
                "ends: restarted, it goes on from the last commit. Raise stream.watchdog_s if a "
                "unit of work may take longer"
            )
        )

    def _waits(self, shard: Shard, end: int) -> bool:
        """Tell whether a committed record waits between the shard's offset and the end."""
        batches = self._reader.read(self._topic, shard.number, shard.next_offset, end)
        return any(True for _ in batches)
