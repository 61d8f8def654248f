"""What the causal graphs with caches cost on one core, beside running whole segments again.

    python -m streams.bench.steps --folder MODEL

A model that was exported without them gets them by ``python -m streams.train.step_graphs``. Times
are processor times of the process, medians, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.segments import LENGTHS
from operators.hierarchy.cache import GRANULE
from streams.bench import machine
from streams.dlp.inference import Engine
from streams.hierarchy.encoder import StepEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_NEW: Final = (1, 8, 32, 64)
_ROWS: Final = (1, 4, 16)
_PASTS: Final = (64, 384)
_PARTIALS: Final = (1, 3, 8, 32)
"""New tokens per partial verdict; at five tokens a second, three come in 500 ms."""
_STREAMS: Final = (1, 16)
_RERUNS: Final = 16
_WORDS: Final = 16_000


def figures(folder: Path, repeats: int) -> Iterator[dict[str, Any]]:
    """One entry a figure, as soon as it is known."""
    engine = Engine(folder)
    steps = StepEngine(engine)
    engine.warm()
    steps.warm()
    ids = np.random.default_rng(0).integers(3, _WORDS, LENGTHS[-1])
    for size in _NEW:
        for past in _PASTS:
            for rows in _ROWS:
                spent = _call(steps, ids, size, past, rows, repeats)
                at = {"new": size, "past": past, "rows": rows}
                yield at | {"ms": spent, "ms_per_token": round(spent / size / rows, 3)}
    cache = steps.begin()
    steps.encode([(cache, ids)])
    yield {"cache_bytes": cache.nbytes, "tokens": cache.count}
    for every in _PARTIALS:
        for streams in _STREAMS:
            yield _against_rerun(engine, steps, ids, every, streams)


def _call(
    steps: StepEngine, ids: NDArray[np.int64], size: int, past: int, rows: int, repeats: int
) -> float:
    """Milliseconds to encode new tokens of some streams that are so far."""
    first = steps.begin()
    steps.encode([(first, ids[:past])])
    first.reserve(max(size, GRANULE))
    caches = [copy.deepcopy(first) for _ in range(rows)]
    new = ids[past : past + size]
    return _median(lambda: steps.encode([(copy.copy(cache), new) for cache in caches]), repeats)


def _against_rerun(
    engine: Engine, steps: StepEngine, ids: NDArray[np.int64], every: int, streams: int
) -> dict[str, Any]:
    """Tokens a second where each stream has a verdict every so many tokens, both ways.

    Running again means running the segment's graph over what there is of the segment; it is timed
    at places spread over the segment, in turn with the steps.
    """
    state = engine.start(None)
    caches = [steps.begin() for _ in range(streams)]
    stepped, again = 0.0, []
    partials = range(0, len(ids) - every + 1, every)
    for number, low in enumerate(partials):
        began = time.process_time()
        steps.encode([(cache, ids[low : low + every]) for cache in caches])
        steps.read(caches)
        stepped += time.process_time() - began
        if number % max(1, len(partials) // _RERUNS) == 0:
            row = np.zeros((1, next(size for size in LENGTHS if size >= low + every)), np.int64)
            row[0, : low + every] = ids[: low + every]
            began = time.process_time()
            engine.run(row, state)
            again.append(time.process_time() - began)
    rate = streams * every * len(partials) / stepped
    rerun = every / float(np.mean(again))
    return {
        "tokens_per_partial": every,
        "streams": streams,
        "tokens_per_s": round(rate, 1),
        "rerun_tokens_per_s": round(rerun, 1),
        "ratio": round(rate / rerun, 1),
    }


def _median(run: Callable[[], object], repeats: int) -> float:
    run()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return round(float(np.median(times)) * 1e3, 2)


def main() -> None:
    """Measure and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(json.dumps({"cores": machine.pin(), "load": machine.load()}))
    for figure in figures(options.folder, options.repeats):
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
