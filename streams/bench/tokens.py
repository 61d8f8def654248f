"""``weir bench tokens``: streams of text that are read while they arrive.

Latency is measured on two cores, without a broker: records in, verdicts and changes of the table
out, at the rate of the streams. Throughput is on one core, against what one would do without
caches: running the whole segment again for every partial verdict, with the same rules and the same
policy. What is compared runs in turn within each repeat; times are processor times.
"""

from __future__ import annotations

import resource
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.hierarchy.buffer import BufferConfig, Flush, Reason, Token
from operators.hierarchy.places import Places
from operators.hierarchy.text import Closed
from streams.bench import machine
from streams.bench.dlp import texts
from streams.bench.measured import Measured, measured
from streams.bench.token_load import Clocked, Latencies, Load, Writer, filled
from streams.hierarchy.in_memory import ShardInMemory
from streams.hierarchy.model import StreamModel
from streams.hierarchy.observer import StreamObserver
from streams.hierarchy.worker import give_way
from streams.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.stream_keys import StreamKey
    from streams.settings import Settings

BENCH: Final = "tokens"
STREAMS: Final = 100
RATE: Final = 5
SHARDS: Final = 2
WARM_S: Final = 40.0
"""Streams have some text at once before; a flush later all of it has come token by token, as that
of a stream which is typed."""
MEASURED_S: Final = 20.0
PER_PARTIAL: Final = 12
"""Code points between two partial verdicts of a stream: some three tokens, as 500 ms bring."""
TOGETHER: Final = 16
"""Streams of the throughput."""
PARTIALS: Final = 120
MEMORY: Final = 512_000_000


def run_tokens(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: of each comparison.
        say: told what is going on.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    settings = load_settings()
    model = StreamModel.load(BufferConfig())
    model.warm()
    say(f"{STREAMS} streams at {RATE} pieces/s")
    runs = [_latencies(settings, model, number) for number in range(repeats)]
    at = {**params, "streams": STREAMS, "pieces_per_s": STREAMS * RATE}
    for what in Latencies._fields:
        name = f"{what.removesuffix('s')}_latency"
        for share in (50, 95, 99):
            found = [float(np.percentile(getattr(run, what), share)) * 1e3 for run in runs]
            yield measured(BENCH, f"{name}_p{share}_ms", "ms", found, at)
    say("tokens/s, and with running again")
    pairs = [_throughput(settings, model, number) for number in range(repeats)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    at = {**params, "streams": TOGETHER, "code_points_per_partial": PER_PARTIAL}
    yield measured(BENCH, "tokens_per_s", "tokens/s", ours, at, "rerun", theirs)
    say("streams in memory")
    yield _held(settings, model, params)


def _latencies(settings: Settings, model: StreamModel, seed: int) -> Latencies:
    loads = []
    with ThreadPoolExecutor(SHARDS, initializer=give_way) as executor:
        for number in range(SHARDS):
            clocked = Clocked()
            words: deque[StreamKey] = deque()
            shard = ShardInMemory(
                settings,
                model,
                number=number,
                executor=executor,
                observer=clocked,
                most_bytes=MEMORY // SHARDS,
                judged=words.append,
            )
            names = range(number, STREAMS, SHARDS)
            writers = [Writer(model, f"{seed}-{name}", name, 1 / RATE) for name in names]
            filled(shard, writers, seed)
            gather_s = settings.pace.gather_ms / 1e3
            loads.append(Load(shard, clocked, writers, WARM_S, MEASURED_S, gather_s, words))
        for load in loads:
            load.start()
        for load in loads:
            load.join()
    found = [load.found for load in loads]
    return Latencies(
        [one for run in found for one in run.tokens], [one for run in found for one in run.updates]
    )


class Counted(StreamObserver):
    """Counts tokens."""

    def __init__(self) -> None:
        self.tokens = 0

    def encoded(self, what: Any) -> None:
        """Tokens have been encoded."""
        self.tokens += what.tokens


def _throughput(settings: Settings, model: StreamModel, seed: int) -> tuple[float, float]:
    """Tokens a second, a partial verdict looked for every few: with caches, and running again."""
    counted = Counted()
    shard = ShardInMemory(settings, model, observer=counted)
    writers = [Writer(model, f"{seed}-{name}", name, 0.5) for name in range(TOGETHER)]
    filled(shard, writers, seed)
    counted.tokens = 0
    began = time.process_time()
    for _ in range(PARTIALS):
        shard.take([writer.piece(PER_PARTIAL)[1] for writer in writers])
    ours = counted.tokens / (time.process_time() - began)
    return ours, _rerun(model, seed)


def _rerun(model: StreamModel, seed: int) -> float:
    """Tokens a second where each partial verdict runs its segment again, as far as it has come."""
    reading = model.reading
    [text] = texts(6_000, 1)
    tokens = reading.tokenizer.encode(text)
    spent, count = 0.0, 0
    most = reading.config.most
    for size in np.linspace(most // 16, most, 16).astype(int):
        low = (seed * 37) % (len(tokens.ids) - most)
        places = range(low, low + int(size))
        known = tuple(
            Token(int(tokens.ids[at]), int(tokens.starts[at]), end := int(tokens.ends[at]), end)
            for at in places
        )
        part = text[known[0].start : known[-1].end]
        flush = Flush(Reason.END, 0, len(known), len(known), known)
        closed = Closed(flush, part, known[0].start, known[0].start, None)
        began = time.process_time()
        model.judge(closed, Places(), None)
        spent += time.process_time() - began
        count += 1
    new = PER_PARTIAL * len(tokens.ids) / len(text)
    return new * count / spent


def _held(settings: Settings, model: StreamModel, params: dict[str, Any]) -> Measured:
    """Streams of any length that are in memory when it is full, and what the process grew by."""
    before = _resident()
    shard = ShardInMemory(settings, model, most_bytes=MEMORY)
    driver = shard.engine.driver
    writers: list[Writer] = []
    while not driver.evictions:
        more = [Writer(model, f"held-{len(writers) + n}", n + len(writers), 0.5) for n in range(8)]
        writers += more
        filled(shard, more, len(writers))
    held = len(driver)
    grown = _resident() - before
    at = {
        **params, "counted_mb": round(driver.nbytes / 1e6, 1), "resident_mb": round(grown / 1e6, 1),
    }  # fmt: skip
    return measured(BENCH, "streams_in_512mb", "streams", [float(held)], at)


def _resident() -> int:
    """Bytes of the process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
