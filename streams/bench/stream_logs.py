"""What the logs of the token stream cost: ``python -m streams.bench.stream_logs``."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.bench import machine
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.observer import Encoded, StateType, Taken, Updated
from streams.hierarchy.settings import LogShares, StreamLogSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAM = "tenant/chat-4711"
CALLS = 300


class _Dropped(Counter[str]):
    """Counts what is written and what is not."""

    def logged(self, name: str, records: int) -> None:  # noqa: ARG002 - of all logs together
        self["written"] += records

    def log_dropped(self, name: str, reason: str, records: int) -> None:  # noqa: ARG002 - the same
        self["dropped"] += records


def calls(repeats: int) -> Iterator[dict[str, Any]]:
    """Microseconds of a call, best and median of blocks, where nothing and where all is logged."""
    for share in (1e-12, 1.0):
        shares = LogShares(input_stream=round(share), predictions=share, performance=share)
        settings = StreamLogSettings(shares=shares, queue_records=10**7)
        with tempfile.TemporaryDirectory() as folder:
            logs = StreamLogs(settings, Path(folder), _Dropped())
            for name, call in _calls(logs).items():
                times = [_block(call) for _ in range(repeats)]
                yield {
                    "call": name,
                    "share": round(share),
                    "best_us": round(min(times), 2),
                    "median_us": round(float(np.median(times)), 2),
                }
            logs.close()


def sustained(rate: int, seconds: float) -> dict[str, Any]:
    """What is dropped, and the thread's processor time, at so many tokens a second.

    Each token is logged with its latency, each tenth with an update: 2.1 records.
    """
    with tempfile.TemporaryDirectory() as folder:
        counts = _Dropped()
        logs = StreamLogs(StreamLogSettings(), Path(folder), counts)
        began, own = time.perf_counter(), time.thread_time()
        whole = _processor_s()
        for position in range(round(rate * seconds)):
            while time.perf_counter() - began < position / rate:
                time.sleep(0.001)
            logs.taken(Taken(STREAM, position, [7], ["word"], 100, "tokens-0", "someone"))
            logs.encoded(Encoded(STREAM, position, 1, 0.012, 0.004))
            if position % 10 == 0:
                logs.updated(Updated(STREAM, position, StateType.SENTENCE, 0.03))
        took, own = time.perf_counter() - began, time.thread_time() - own
        logs.close()
        spent = _processor_s() - whole - own
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return {
        "tokens_per_s": round(rate * seconds / took),
        "records": counts["written"],
        "dropped": counts["dropped"],
        "megabytes": round(size / 1e6, 1),
        "writer_core_share": round(spent / took, 3),
    }


def _calls(logs: StreamLogs) -> dict[str, Callable[[int], object]]:
    return {
        "taken": lambda place: logs.taken(Taken(STREAM, place, [7], ["word"], 100)),
        "wanted_states": lambda place: logs.wanted_states(STREAM, range(place, place + 1)),
        "encoded": lambda place: logs.encoded(Encoded(STREAM, place, 1, 0.012, 0.004)),
    }


def _block(call: Callable[[int], object]) -> float:
    began = time.perf_counter()
    for place in range(CALLS):
        call(place)
    return (time.perf_counter() - began) / CALLS * 1e6


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    print(json.dumps({"cores": machine.pin(), "load": machine.load()}))
    for figure in calls(options.repeats):
        print(json.dumps(figure), flush=True)
    for rate in (500, 2_000, 10_000, 30_000):
        print(json.dumps(sustained(rate, options.seconds)), flush=True)


if __name__ == "__main__":
    main()
