"""docs/benchmarks.md: the figures of one run, with machine, versions and commands."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
from typing import TYPE_CHECKING, Any

from deploy.broker.jars import KAFKA_VERSION
from streams.bench import machine, peers
from streams.bench.bars import bars_of
from streams.bench.measured import SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.bench.measured import Measured

OURS = ("weir", "faust-streaming", "aiokafka", "confluent-kafka", "numba", "numpy", "fastavro")
THEIRS = ("quixstreams", "river", "confluent-kafka")

WHOLE = 1_000
"""Figures from here on are shown without decimals."""

# What a line's parameters say beside its name; the others are the same for all lines of a bench.
TELLING = ("stage", "of", "worker", "rate", "ids", "features", "mode", "during")
TELLING_OF = {
    "sera": ("d", "r", "dv"),
    "fuse": ("d", "r", "dv"),
    "accuracy": ("data",),
    "drift": ("phase",),
    "shards": ("data", "split", "cells", "part"),
    "durable": ("weights", "source", "bytes", "records"),
}


def render(lines: Sequence[Measured], commands: Iterable[str]) -> str:
    """Return the page."""
    today = dt.datetime.now(tz=dt.UTC).date()
    parts = [
        "# Benchmarks\n",
        f"Made by `weir bench all` on {today}. What is compared with what, and how, is said in the",
        "[notes](#how-it-is-measured) at the end.\n",
        "## Machine and versions\n",
        *(f"- {name}: {value}" for name, value in machine.describe().items()),
        f"- Apache Kafka: {KAFKA_VERSION}",
        *(f"- {name}: {importlib.metadata.version(name)}" for name in OURS),
        *(f"- {name} (peer): {peers.versions()[name]}" for name in THEIRS),
        "",
    ]
    for bench in dict.fromkeys(line.bench for line in lines):
        parts += _section([line for line in lines if line.bench == bench])
    parts += ["## Commands\n", "```", *commands, "```\n", NOTES]
    return "\n".join(parts)


def _section(lines: Sequence[Measured]) -> list[str]:
    first = lines[0]
    common = {
        name: value
        for name, value in first.params.items()
        if name not in SPREAD and all(line.params.get(name) == value for line in lines)
    }
    return [
        f"## {first.bench}\n",
        ", ".join(f"{name} = {value}" for name, value in common.items()) + "\n",
        "| figure | value | least to most | against | value | times better | bar |",
        "| --- | ---: | ---: | --- | ---: | ---: | --- |",
        *(_row(line) for line in lines),
        "",
    ]


def _row(line: Measured) -> str:
    verdicts = [f"{bar.words}: {'met' if bar.met(line) else 'missed'}" for bar in bars_of(line)]
    cells = [
        label(line),
        f"{number(line.value)} {line.unit}",
        f"{number(line.params['min'])} to {number(line.params['max'])}",
        line.against or "",
        "" if line.against_value is None else number(line.against_value),
        "" if line.ratio is None else number(line.ratio),
        "; ".join(verdicts),
    ]
    return f"| {' | '.join(cells)} |"


def label(line: Measured) -> str:
    """Return the name of a figure with the parameters that tell it from others."""
    names = TELLING_OF.get(line.bench, TELLING)
    telling = [str(line.params[name]) for name in names if name in line.params]
    return f"{line.metric} ({', '.join(telling)})" if telling else line.metric


def number(value: Any) -> str:
    """Return a figure as one reads it: 31,240 or 0.4021."""
    return f"{value:,.0f}" if abs(value) >= WHOLE else f"{value:.4g}"


NOTES = """\
## How it is measured

- One machine, one run: broker, contenders and measuring programs share the same two cores (the \
process binds itself and all that it starts to them where there are more). Nothing is bound to one \
core alone. `load_before` is the load average before it began; on an idle machine it is near 0.
- In each repeat every contender runs once, as a fresh process with a fresh consumer group, on the \
same topic with the same events. Figures are medians of the repeats.
- Rates are counted from the committed offsets: from the end of the warm-up, a fifth of the \
events, to the last event; process start is outside. Behind that event the topic goes on, so that \
no contender lives on what it fetched during the warm-up.
- Each run is checked: one prediction for each committed event, none twice. A wrong run is an error.
- `quix_river` is a Quix Streams application with exactly-once and state on and River's logistic \
regression; what was done to make it fast is at the head of `streams/bench/quix_river.py`.
- `raw_transactional` consumes with confluent-kafka and sends, for each event, a prediction and an \
audit record that a worker made, in transactions with the offsets and with the worker's gathering: \
one process, one consumer, one transactional producer (four of each, as the worker has, are \
slower). \
It sends with the worker's own producer settings, and its fetcher does not pause when much waits; \
with the library's default it would be half as fast.
- `null_events_per_s` is the worker with a kernel that copies rows; all else is the same.
- Latency counts from when an event was due by the schedule to when a read_committed consumer has \
its prediction. The schedule does not wait for anybody.
- `sera` runs on one core, BLAS included. `blas` is NumPy on the same arithmetic without \
compensation: features, decay and rank-one update, readout; no diagnostics. Both go through the \
same vectors one by one. `p99_over_p50` is of single calls from Python, `drift_in_t` the last \
tenth of a million events over the first, medians of blocks; once where a million take long. \
`lambda_*` is averaged, which the floor does not.
- `fuse` is the whole step of a cell with all parts of the fusion joined: 30 features of 10^4 ids, \
predict and learn, margin and controller included. `river_pipeline` predicts and learns with \
logistic regression on the features and with a nearest-neighbour regressor on the keys, at River's \
defaults (an approximate search among the last thousand keys); `river_pipeline_same_window` looks \
for neighbours among as many keys as the cell's window holds, 50, and one by one.
- `accuracy` is progressive: each event is predicted before it is learnt, and errors are means \
over the whole stream. All contenders get the same features, scaled as the stream goes, and run at \
their defaults. `linear_alone` and `attention_alone` are the halves, each trained without the other.
- `drift` is the scenario that `streams/bench/scenario.py` describes; `--plot FILE` draws it.
- `shards` is progressive as well: the same stream, learnt by one cell, or split among 4 or 16 by \
murmur2 of the entity's id (as shards are) or by another hash of it (as tenants might be), each \
with seeds of its own. `last_quarter` are the errors of the last quarter of the stream.
- `durable`: a cost is the share of throughput that a worker without the part does more, round \
by round; of encryption, what a worker with it does less. `restore_s` is by weights, place and \
records of the changelog; `raw_read` takes the same records and does nothing with them.
- `share` is of the time of the four shards: what each stage of a unit of work took by the clock, \
waiting for the interpreter and for the broker included. `rest` is waiting for events and turns.
- `cpu_per_event` is processor time of the worker's or the broker's process, user and system.
"""
