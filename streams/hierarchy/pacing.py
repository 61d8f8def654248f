"""Measures how a worker keeps up with its streams, and says what it is to do less.

The decisions are `operators.hierarchy.pace`; here are the clock and the windows.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from operators.hierarchy import pace
from operators.hierarchy.pace import Pace, Plan, Window
from streams.hierarchy.observer import Paced, StreamObserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.hierarchy.pace import PaceConfig
    from streams.hierarchy.observer import Encoded, Updated

log = structlog.get_logger(__name__)

WINDOW_S: Final = 0.5
_MS: Final = 1_000.0
_TAIL: Final = 0.99


class Pacing(StreamObserver):
    """The pace of one worker; an observer, so that it measures what all others are told.

    May be called from several threads.

    Args:
        config: budgets and steps.
        clock: seconds, never backwards.
    """

    def __init__(self, config: PaceConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.config = config
        self.pace = Pace()
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: list[tuple[float, int]] = []
        self._updates: list[tuple[float, int]] = []
        self._ends = clock() + WINDOW_S
        self._paused: set[int] = set()

    def encoded(self, what: Encoded) -> None:
        """Measure tokens."""
        with self._lock:
            self._tokens.append((what.seconds, what.tokens))

    def updated(self, what: Updated) -> None:
        """Measure an update."""
        with self._lock:
            self._updates.append((what.seconds, 1))

    @property
    def now(self) -> Plan:
        """What is to be done at the step that was reached last."""
        return self.pace.plan(self.config)

    def plan(self, waiting: int, observer: StreamObserver) -> Plan:
        """What is to be done now. Call it before each round of calls, and while nothing comes.

        Args:
            waiting: pieces of the worker that wait.
            observer: told when a window has ended.
        """
        with self._lock:
            ended = self._clock() >= self._ends
            if ended:
                before, window = self.pace, self._window(waiting)
                self.pace = before.next(window, self.config)
            now = self.pace
        if ended:
            share = pace.load(window, before.step, self.config)
            observer.paced(Paced(before.step, now.step, window, share))
            if before.step is not now.step:
                _say(before, now, window, share)
        return now.plan(self.config)

    def pauses(self, partition: int, waiting: int, observer: StreamObserver) -> bool:
        """Whether a partition is to be paused; ask whenever its waiting pieces have changed.

        Args:
            partition: of the tokens.
            waiting: its pieces that wait.
            observer: told when the answer changes.
        """
        with self._lock:
            was = partition in self._paused
            now = pace.paused(waiting, was, self.config)
            (self._paused.add if now else self._paused.discard)(partition)
        if now is not was:
            observer.paused(partition, paused=now)
            log.info(
                "partition of tokens paused" if now else "partition of tokens resumed",
                partition=partition,
                waiting=waiting,
            )
        return now

    def forget(self, partition: int, observer: StreamObserver) -> None:
        """A partition is another worker's now."""
        with self._lock:
            was = partition in self._paused
            self._paused.discard(partition)
        if was:
            observer.paused(partition, paused=False)

    def _window(self, waiting: int) -> Window:
        tokens, self._tokens = self._tokens, []
        updates, self._updates = self._updates, []
        self._ends = self._clock() + WINDOW_S
        return Window(_tail(tokens) * _MS, _tail(updates) * _MS, waiting)


def _say(before: Pace, now: Pace, window: Window, share: float) -> None:
    less = share > 1.0
    (log.warning if less else log.info)(
        "the token stream does less" if less else "the token stream does more again",
        step=now.step.value,
        before=before.step.value,
        token_p99_ms=round(window.token_ms, 1),
        update_p99_ms=round(window.update_ms, 1),
        waiting=window.waiting,
    )


def _tail(measured: list[tuple[float, int]]) -> float:
    """The 99th percentile of seconds with their counts; 0 of none. Time is n log n."""
    beyond = (1 - _TAIL) * sum(count for _, count in measured)
    for seconds, count in sorted(measured, reverse=True):
        beyond -= count
        if beyond < 0:
            return seconds
    return 0.0
