"""Records that a shard has been given and has not taken up yet."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any


class Backlog:
    """A queue of records in the order of the log, filled by fetches and emptied by units of work.

    It holds the fetches' own lists: an operation a record would cost more than the framework does.

    Args:
        most_bytes: of values that are taken at once, but one record always is; None: no bound.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self._most_bytes = most_bytes
        self._fetches: deque[list[Any]] = deque()
        self._taken = 0  # records of the first fetch that are gone
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, records: list[Any]) -> None:
        """Put records at the end; the list must not be changed afterwards."""
        if records:
            self._fetches.append(records)
            self._count += len(records)

    def take(self, most: int) -> list[Any]:
        """Remove and return records from the front: all, or as many as asked for."""
        taken: list[Any] = []
        while self._fetches and len(taken) < most:
            first = self._fetches[0]
            end = min(len(first), self._taken + most - len(taken))
            if self._most_bytes is not None and (fits := self._fitting(taken)) < end - self._taken:
                if not fits:
                    break
                end = self._taken + fits
            taken += first[self._taken : end]
            self._taken = end
            if end == len(first):
                self._fetches.popleft()
                self._taken = 0
        self._count -= len(taken)
        return taken

    def _fitting(self, taken: list[Any]) -> int:
        """Return how many records of the first fetch may be taken beside those that are."""
        assert self._most_bytes is not None
        left = self._most_bytes - sum(len(record.value or b"") for record in taken)
        fits = 0
        for record in islice(self._fetches[0], self._taken, None):
            left -= len(record.value or b"")
            if left < 0 and (taken or fits):
                break
            fits += 1
        return fits

    def clear(self) -> None:
        """Drop everything."""
        self._fetches.clear()
        self._taken = self._count = 0
