"""Holds back what aiokafka repeats: a hundred lines a second while a broker is away."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S: Final = 60.0

LOGGERS: Final = (
    "aiokafka",
    "aiokafka.conn",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


class OncePerPeriod(logging.Filter):
    """Lets each message of a logger through once in a while, whatever its arguments.

    Args:
        period_s: what "a while" is.
        clock: seconds that never go back.
    """

    def __init__(
        self, period_s: float = PERIOD_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._period_s = period_s
        self._clock = clock
        # Text without its arguments → when it was last let through, and how many were not since.
        self._last: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is let through; one that is tells how many were not before it."""
        text = str(record.msg)
        now = self._clock()
        since, held_back = self._last.get(text, (-self._period_s, 0))
        if now - since < self._period_s:
            self._last[text] = (since, held_back + 1)
            return False
        self._last[text] = (now, 0)
        if held_back:
            record.msg = f"{text} ({held_back} more like this were held back)"
        return True


def hold_back_repetitions() -> None:
    """Set it up for the loggers of aiokafka."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(OncePerPeriod())
