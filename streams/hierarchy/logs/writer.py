"""The thread that writes the logs, and the bounded queue before it.

    state      offer                              the thread
    open       queued, or dropped if it is full   takes all that waits, some times a second
    closing    dropped                            takes what still waits, then syncs and ends
    closed     dropped                            has ended

What is dropped is counted by log and reason: `queue` (full, or closing), `disk` (it could not be
written), `record` (it could not be encoded). Nothing that happens here reaches who offers.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.hierarchy.logs.files import LogFile
    from streams.hierarchy.logs.records import Record

log = structlog.get_logger(__name__)

INTERVAL_S: Final = 0.2
SLICE: Final = 32
"""Items after which the interpreter is offered to the other threads: some 0.3 ms."""

Lost = tuple[str, str]
"""Log and reason."""


class Counts(Protocol):
    """Who counts what is written and what is not."""

    def logged(self, name: str, records: int) -> None:
        """Records of a log have been written."""

    def log_dropped(self, name: str, reason: str, records: int) -> None:
        """Records of a log are not in it."""


class Item(NamedTuple):
    """What waits to be written.

    Attributes:
        log: name of the log that it goes to.
        records: how many at most it will be.
        weight: what it counts in the queue; a record of average size is 1.
        make: makes them; called once, by the thread.
    """

    log: str
    records: int
    weight: int
    make: Callable[[], Iterable[Record]]


class Writer:
    """Writes what it is offered.

    Args:
        files: by the logs' names.
        encode: makes a line of a record.
        most: weight that may wait; as much again may be being written.
        counts: told.
        note: makes a record that says what was dropped, for the log named second.
        rotated: called after files were closed as full.
    """

    def __init__(
        self,
        files: Mapping[str, LogFile],
        encode: Callable[[Record], bytes],
        most: int,
        counts: Counts,
        note: tuple[Callable[[Lost, int], Record], str],
        rotated: Callable[[], None],
    ) -> None:
        self._files = files
        self._encode = encode
        self._most = most
        self._counts = counts
        self._note, self._note_log = note
        self._rotated = rotated
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: list[Item] = []
        self._weight = 0
        self._closing = False
        self._dropped: Counter[Lost] = Counter()
        self._told: set[Lost] = set()
        self._thread = threading.Thread(target=self._run, name="stream-logs", daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Queue an item, or drop it; never waits for the disk.

        One that is larger than the queue is taken if nothing else waits.
        """
        with self._lock:
            closing = self._closing
            full = self._waiting and self._weight + item.weight > self._most
            if closing or full:
                self._dropped[item.log, "queue"] += item.records
            else:
                self._waiting.append(item)
                self._weight += item.weight
            wake = 2 * self._weight > self._most
        if closing:
            self._tell()  # the thread might have done so for the last time
        elif wake:
            self._wake.set()

    def close(self, patience_s: float) -> bool:
        """Write what waits, bring it to the disk and end; tell whether that was done in time."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            with self._lock:
                closing = self._closing
                batch, self._waiting, self._weight = self._waiting, [], 0
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - a fault here must not end the logs for good
                for item in batch:
                    self._lose(item.log, "record", item.records, type(error).__name__)
        for name, file in self._files.items():
            try:
                file.close()
            except OSError as error:
                log.error("a log may not be on the disk", log=name, reason=str(error))  # noqa: TRY400 - the stack says nothing
        self._tell()

    def _write(self, batch: Sequence[Item]) -> None:
        lines: dict[str, list[bytes]] = {}
        for place, item in enumerate(batch):
            try:
                made = [self._encode(record) for record in item.make()]
            except Exception as error:  # noqa: BLE001 - one record must not end the logs of all
                self._lose(item.log, "record", item.records, type(error).__name__)
            else:
                lines.setdefault(item.log, []).extend(made)
            if place % SLICE == SLICE - 1:
                time.sleep(0)
        for name, of_log in lines.items():
            self._append(name, of_log)
        if dropped := self._tell():
            notes = [self._encode(self._note(lost, count)) for lost, count in dropped.items()]
            self._append(self._note_log, notes)

    def _tell(self) -> Counter[Lost]:
        """Have counted what was dropped since the last time."""
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
        for lost, count in dropped.items():
            self._counts.log_dropped(*lost, count)
        return dropped

    def _append(self, name: str, lines: list[bytes]) -> None:
        try:
            full = self._files[name].append(lines)
            if full:
                self._rotated()
        except OSError as error:
            self._lose(name, "disk", len(lines), str(error))
        else:
            self._told.discard((name, "disk"))
            self._counts.logged(name, len(lines))

    def _lose(self, name: str, reason: str, records: int, why: str) -> None:
        with self._lock:
            self._dropped[name, reason] += records
        if (name, reason) not in self._told:
            self._told.add((name, reason))
            log.error("records of a log are lost", log=name, cause=reason, reason=why)
