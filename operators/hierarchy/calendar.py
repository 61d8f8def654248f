"""Which streams of a shard are idle, and which ended marks have expired, by the shard's own time.

A shard's time is the latest that a piece of its log has had. So which piece a stream times out
before follows from the log alone, whatever the clocks of workers say.

    state    event                                    next     what happens
    -        piece                                    OPEN
    OPEN     piece                                    OPEN     the deadline moves on
    OPEN     the shard's time reaches the deadline    ENDED    it is told as idle
    OPEN     end                                      ENDED
    ENDED    piece                                    ENDED    it comes too late
    ENDED    `keep_us` later                          -        the mark is told as expired
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Calendar(Generic[K]):
    """Deadlines of a shard's streams.

    Args:
        idle_us: of the shard's time without a piece after which a stream is idle.
        keep_us: how long it is remembered that a stream has ended.

    Attributes:
        now_us: the shard's time; -1 before the first piece.
    """

    def __init__(self, idle_us: int, keep_us: int) -> None:
        self._idle_us = idle_us
        self._keep_us = keep_us
        self.now_us = -1
        self._open: dict[K, int] = {}
        self._ended: dict[K, int] = {}
        # (deadline, number, stream), some of them outdated; the number keeps the order of the log.
        self._deadlines: list[tuple[int, int, K]] = []
        self._marks: list[tuple[int, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        """Streams that are open."""
        return len(self._open)

    def has_ended(self, stream: K) -> bool:
        """Whether a stream has ended, as far as that is remembered."""
        return stream in self._ended

    def touch(self, stream: K, time_us: int) -> None:
        """A piece of an open or new stream has come. O(log n)."""
        latest = max(time_us, self._open.get(stream, time_us))
        self._open[stream] = latest
        heapq.heappush(self._deadlines, self._numbered(latest + self._idle_us, stream))
        self.now_us = max(self.now_us, time_us)

    def end(self, stream: K, time_us: int) -> None:
        """A stream has ended."""
        self._open.pop(stream, None)
        self._ended[stream] = time_us
        heapq.heappush(self._marks, self._numbered(time_us + self._keep_us, stream))

    def forget(self, stream: K) -> None:
        """A stream has not begun after all."""
        self._open.pop(stream, None)

    def drop(self, unwanted: Callable[[K], bool]) -> None:
        """Forget streams, open or ended. O(streams).

        Args:
            unwanted: which of them.
        """
        for stream in list(filter(unwanted, self._open)):
            del self._open[stream]
        for stream in list(filter(unwanted, self._ended)):
            del self._ended[stream]

    def advance(self, time_us: int) -> list[K]:
        """Let the shard's time reach that of a piece; O(log n) for each stream told.

        Returns:
            Streams that are idle by then, the earliest deadline first; they have ended.
        """
        self.now_us = max(self.now_us, time_us)
        idle = []
        while self._deadlines and self._deadlines[0][0] <= self.now_us:
            deadline, _, stream = heapq.heappop(self._deadlines)
            if self._open.get(stream) == deadline - self._idle_us:
                idle.append(stream)
                self.end(stream, self.now_us)
        return idle

    def expired(self) -> list[K]:
        """Ended streams that are no longer remembered from now on."""
        gone = []
        while self._marks and self._marks[0][0] <= self.now_us:
            mark, _, stream = heapq.heappop(self._marks)
            if self._ended.get(stream) == mark - self._keep_us:
                del self._ended[stream]
                gone.append(stream)
        return gone

    def newest(self, stream: K) -> int | None:
        """Time of the newest piece of an open stream; None: it is not open."""
        return self._open.get(stream)

    def open_since(self) -> dict[K, int]:
        """Open streams and the time of their newest piece."""
        return dict(self._open)

    def _numbered(self, deadline: int, stream: K) -> tuple[int, int, K]:
        self._count += 1
        return deadline, self._count, stream
