"""The logs are written beside the stream: bounded, rotated, whole, and never in its way."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.hierarchy.logs import records
from streams.hierarchy.logs.files import LogFile, name_of, new_session, prune
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.logs.writer import Item, Writer
from streams.hierarchy.observer import Metric, Taken
from streams.hierarchy.settings import StreamLogSettings
from tests.unit.streams.hierarchy.logs.happenings import Counted, everything, lines, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

SESSION = "20261122T180000Z-0123abcd"


def measured(value: float) -> records.Performance:
    """A record."""
    return records.Performance(1.0, SESSION, Metric.LOAD.value, value, "share", {})


class Slow:
    """A file whose disk waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.written: list[bytes] = []

    def append(self, lines: Iterable[bytes]) -> int:
        """Wait, then write."""
        self.go.wait()
        self.written += lines
        return 0

    def close(self) -> None:
        """There is nothing to do."""


def writer(file: Any, counts: Counted, most: int = 10) -> Writer:
    """A writer of one log."""
    return Writer(
        {"performance": file},
        records.line,
        most,
        counts,
        (lambda lost, count: measured(-count), "performance"),  # noqa: ARG005 - the count is enough
        lambda: None,
    )


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def one(value: float) -> Item:
    """An item of one record."""
    return Item("performance", 1, 1, lambda: [measured(value)])


def test_a_full_queue_drops_counts_and_never_waits() -> None:
    """However slow the disk: memory is bounded, the caller goes on, the loss is told."""
    slow, counts = Slow(), Counted()
    under_test = writer(slow, counts)
    under_test.offer(one(0))
    until(lambda: under_test._weight == 0)  # noqa: SLF001 - the thread now waits for the disk
    began = time.perf_counter()
    for number in range(1, 1_001):
        under_test.offer(one(number))
    assert time.perf_counter() - began < 5
    slow.go.set()
    assert under_test.close(60)
    assert counts.dropped == {("performance", "queue"): 990}
    values = [float(line.split(b'"metric_value":')[1].split(b",")[0]) for line in slow.written]
    assert values == [0.0, -990.0, *map(float, range(1, 11))]
    assert counts.written["performance"] == 12


def test_what_weighs_more_takes_more_room() -> None:
    """Vectors count by their size, or a queue of records would bound nothing."""
    slow, counts = Slow(), Counted()
    under_test = writer(slow, counts)
    under_test.offer(one(0))
    until(lambda: under_test._weight == 0)  # noqa: SLF001 - the same
    for weight in (4, 4, 4, 2, 1):
        under_test.offer(Item("performance", 1, weight, lambda: [measured(weight)]))  # noqa: B023 - any will do
    slow.go.set()
    assert under_test.close(60)
    assert counts.dropped == {("performance", "queue"): 2}


def test_what_is_larger_than_the_queue_is_taken_alone() -> None:
    """A document that comes in one piece is logged, if nothing else waits."""
    slow, counts = Slow(), Counted()
    slow.go.set()
    under_test = writer(slow, counts)
    under_test.offer(Item("performance", 50, 50, lambda: [measured(1)] * 50))
    assert under_test.close(60)
    assert counts.written["performance"] == 50


def test_after_closing_nothing_is_taken() -> None:
    """What comes too late is counted."""
    counts = Counted()
    slow = Slow()
    slow.go.set()
    under_test = writer(slow, counts)
    assert under_test.close(60)
    under_test.offer(one(1))
    assert slow.written == []
    assert counts.dropped == {("performance", "queue"): 1}


def test_files_rotate_by_size_and_lose_nothing(tmp_path: Path) -> None:
    """Every file is within the size, all but one are closed under numbers, lines stay whole."""
    counts = Counted()
    settings = StreamLogSettings(rotate_bytes=2_000, keep_bytes=10**9)
    logs = StreamLogs(settings, tmp_path, counts)
    for number in range(200):
        logs.sent(verdict(number=number))
    logs.close()
    found = sorted(path for path in tmp_path.iterdir() if path.name.startswith("predictions"))
    assert len(found) > 20
    assert all(path.stat().st_size <= 2_000 for path in found)
    assert [path.name for path in found if "." not in path.stem] == [
        f"predictions_{logs.session}.jsonl"
    ]
    assert [line["prediction_id"] for line in lines(tmp_path, "predictions")] == list(range(200))
    assert counts.written["predictions"] == 200


def test_a_packed_file_is_read_in_its_place(tmp_path: Path) -> None:
    """Closed files keep their names, so that anybody may pack them."""
    settings = StreamLogSettings(rotate_bytes=2_000, keep_bytes=10**9)
    logs = StreamLogs(settings, tmp_path, Counted())
    for number in range(50):
        logs.sent(verdict(number=number))
    logs.close()
    first = tmp_path / f"predictions_{logs.session}.000001.jsonl"
    first.with_suffix(".jsonl.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    assert [line["prediction_id"] for line in lines(tmp_path, "predictions")] == list(range(50))


def test_a_record_larger_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    """It is neither cut nor lost."""
    file = LogFile(tmp_path, "predictions", SESSION, 10, 0o600)
    assert file.append([b"0123456789abcdef\n", b"x\n", b"y\n", b"0123456789\n"]) == 2
    file.close()
    texts = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert texts == [b"0123456789abcdef\n", b"x\ny\n", b"0123456789\n"]


def test_the_oldest_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    """Files go, oldest first, of whatever session; what is no log stays."""
    names = [
        "predictions_20261120T000000Z-00000000.jsonl",
        "boundaries_20261120T000000Z-00000000.000001.jsonl",
        "predictions_20261121T000000Z-00000000.000001.jsonl.gz",
        f"predictions_{SESSION}.000001.jsonl",
        "notes.jsonl",
    ]
    for age, name in enumerate(names):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1_000 + age, 1_000 + age))
    deleted = prune(tmp_path, 250)
    assert [path.name for path in deleted] == names[:2]
    assert {path.name for path in tmp_path.iterdir()} == set(names[2:])


def test_a_file_that_a_worker_writes_is_not_deleted(tmp_path: Path) -> None:
    """However old its last line is, and whoever prunes; once it is closed it may go."""
    file = LogFile(tmp_path, "failures", SESSION, 1_000, 0o600)
    file.append([b"x\n"])
    os.utime(file.path, (1, 1))
    assert prune(tmp_path, 0) == []
    file.append([b"y\n"])
    assert file.path.read_bytes() == b"x\ny\n"
    file.close()
    assert prune(tmp_path, 0) == [file.path]


def test_disk_use_stays_bounded_while_a_session_writes(tmp_path: Path) -> None:
    """A session deletes its own oldest files, too."""
    settings = StreamLogSettings(rotate_bytes=2_000, keep_bytes=24_000)
    logs = StreamLogs(settings, tmp_path, Counted())
    for number in range(400):
        logs.sent(verdict(number=number))
    logs.close()
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size <= 24_000 + 2_000
    kept = [line["prediction_id"] for line in lines(tmp_path, "predictions")]
    assert kept == list(range(kept[0], 400))


def test_a_disk_that_refuses_costs_records_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails in the middle tears one line; later ones stand on lines of their own."""
    counts = Counted()
    file = LogFile(tmp_path, "performance", SESSION, 10_000, 0o600)
    under_test = writer(file, counts)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _first_then_full(os.write))
        under_test.offer(one(1))
        until(lambda: counts.dropped["performance", "disk"] == 2)  # the record, and the note of it
    under_test.offer(one(2))
    assert under_test.close(60)
    torn, *whole = file.path.read_bytes().split(b"\n")
    assert torn == records.line(measured(1))[:20]
    assert records.line(measured(2)).rstrip() in whole
    assert all(not line or line.endswith(b"}") for line in whole)


def _first_then_full(real: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    calls: list[int] = []

    def write(handle: int, data: Any) -> int:
        calls.append(handle)
        if len(calls) == 1:
            return real(handle, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    return write


def test_a_fault_in_the_thread_does_not_end_the_logs() -> None:
    """What was lost to it is counted, and the next records are written."""
    counts = Counted()
    broken = Slow()
    broken.go.set()
    faults = iter([True, False])

    def rotated() -> None:
        if next(faults, False):
            raise RuntimeError

    broken.append = lambda lines: broken.written.extend(lines) or 1  # type: ignore[method-assign, func-returns-value]
    under_test = Writer(
        {"performance": broken},  # type: ignore[dict-item]
        records.line,
        10,
        counts,
        (lambda lost, count: measured(-count), "performance"),  # noqa: ARG005 - the count is enough
        rotated,
    )
    under_test.offer(one(1))
    until(lambda: len(broken.written) == 1)
    under_test.offer(one(2))
    assert under_test.close(60)
    assert counts.dropped == {("performance", "record"): 1}
    assert any(b'"metric_value":2' in line for line in broken.written)


def test_a_killed_worker_leaves_whole_lines(tmp_path: Path) -> None:
    """A kill loses at most what still waited: what is there can be read."""
    program = textwrap.dedent(
        f"""
        import itertools, sys, time
        from pathlib import Path
        from streams.hierarchy.logs.stream_logs import StreamLogs
        from streams.hierarchy.settings import StreamLogSettings
        from tests.unit.streams.hierarchy.logs.happenings import Counted, verdict
        logs = StreamLogs(StreamLogSettings(), Path({str(tmp_path)!r}), Counted())
        for number in itertools.count():
            logs.sent(verdict(number=number))
            time.sleep(0.0005)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[5])
    try:
        until(lambda: any(path.stat().st_size > 50_000 for path in tmp_path.iterdir()))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    numbers = [line["prediction_id"] for line in lines(tmp_path, "predictions")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 50


def test_offers_from_many_threads_arrive_once_each(tmp_path: Path) -> None:
    """Agents of several partitions share the logs."""
    counts = Counted()
    logs = StreamLogs(StreamLogSettings(), tmp_path, counts)

    def tell(stream: str) -> None:
        for first in range(0, 200, 2):
            logs.taken(Taken(stream, first, [1, 2], ["a", "b"], 2))

    threads = [threading.Thread(target=tell, args=(f"s{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs.close()
    found = [
        (line["session_id"], line["token_position"]) for line in lines(tmp_path, "input_stream")
    ]
    assert len(found) == len(set(found)) == 8 * 200
    assert counts.dropped == {}


def test_sessions_sort_by_time_and_files_are_told_by_their_names() -> None:
    """Names are what a report knows the order from."""
    session = new_session()
    assert name_of(Path(f"failures_{session}.jsonl")) == ("failures", session, 1_000_000)
    assert name_of(Path(f"failures_{session}.000012.jsonl.gz")) == ("failures", session, 12)
    for stranger in ("failures_x.jsonl", f"other_{session}.jsonl", f"failures_{session}.txt"):
        assert name_of(Path(stranger)) is None


def test_at_the_end_all_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file that was written is brought to the disk before close returns."""
    synced: set[int] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    logs = StreamLogs(StreamLogSettings(), tmp_path, Counted())
    everything(logs, "text")
    logs.close()
    assert synced >= {path.stat().st_ino for path in tmp_path.iterdir()}
