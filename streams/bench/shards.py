"""``weir bench shards``: what it costs in accuracy to learn a stream in several parts.

Each shard learns from its own events alone, and so does each tenant in it. The same stream is
learnt by one cell, and by 4 and 16 that have a part of it each, and all predictions are scored
together. Each event is predicted before it is learnt from.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.fusion.cell import Cell
from streams.bench.accuracy import METRICS, SEEDS, Scores, config_for, scored, targets_of
from streams.bench.accuracy_streams import (
    BINARY,
    REGRESSION,
    Stream,
    as_events,
    scaled,
    streams,
)
from streams.bench.measured import Measured, measured
from streams.feed import murmur2_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.bench.accuracy_streams import Floats

BENCH: Final = "shards"
CELLS: Final = (1, 4, 16)
ONE: Final = "one_cell"
WHOLE, LATE = "whole", "last_quarter"
_LATE_SHARE: Final = 0.25
_FIRST_DRAWN: Final = 50  # before that a mean says little


class Sharded(NamedTuple):
    """A stream and the entities of its events.

    Attributes:
        stream: the events.
        ids: of their entities, one an event.
        entity: what an entity is.
    """

    stream: Stream
    ids: list[bytes]
    entity: str


def sharded_streams() -> Iterator[Sharded]:
    """The streams of ``weir bench accuracy``, Shuttle, and ChickWeights, whose entities are real.

    Where the data have no entities each row is one, as ``weir produce`` makes it.
    """
    import river.datasets  # noqa: PLC0415 - takes a second

    datasets: Any = river.datasets
    for stream in (*streams(), scaled("Shuttle", BINARY, datasets.Shuttle())):
        yield Sharded(stream, [b"%d" % row for row in range(len(stream.labels))], "row")
    rows = list(datasets.ChickWeights())
    named = [({"time": float(x["time"]), f"diet{x['diet']}": 1.0}, y) for x, y in rows]
    ids = [b"%d" % x["chick"] for x, _ in rows]
    yield Sharded(scaled("ChickWeights", REGRESSION, named), ids, "chick")


def by_shard(ids: list[bytes], cells: int) -> np.ndarray:
    """Return the shard of each id, int64[n], as producers choose it."""
    return np.array([murmur2_partition(one, cells) for one in ids], np.int64)


def by_tenant(ids: list[bytes], cells: int) -> np.ndarray:
    """Return a tenant of each id, int64[n]: another hash, so that tenants are no shards."""
    digests = (blake2b(one, digest_size=8).digest() for one in ids)
    return np.array([int.from_bytes(one, "little") % cells for one in digests], np.int64)


SPLITS: Final = {"shards": by_shard, "tenants": by_tenant}


def run_shards(plot: Path | None, say: Callable[[str], None]) -> Iterator[Measured]:
    """Yield the errors of each stream at 1, 4 and 16 shards, and at as many tenants.

    Args:
        plot: file for a picture of how the errors go on; PNG, SVG or PDF by its name.
        say: told what is being measured.
    """
    curves: dict[str, dict[str, Floats]] = {}
    for one in sharded_streams():
        whole = None
        for split, choose in SPLITS.items():
            for cells in CELLS:
                if cells == 1 and whole is not None:
                    continue  # one shard and one tenant are the same cell
                say(f"{one.stream.name}, {cells} {split}")
                p = predictions(one.stream, choose(one.ids, cells), cells)
                whole = p if whole is None else whole
                yield from _figures(one, split, cells, p, whole)
                if plot is not None:
                    curve = curves.setdefault(one.stream.name, {})
                    curve[f"{cells} {split}"] = losses(one.stream, p)
    if plot is not None:
        draw(curves, plot)


def predictions(stream: Stream, cell_of: np.ndarray, cells: int) -> Floats:
    """Predict a stream in parts.

    Args:
        stream: whole.
        cell_of: int64[n], who learns each event.
        cells: how many there are.

    Returns:
        float64[n, k], as ``scored`` takes it, in the order of the stream.
    """
    config = config_for(stream)
    targets = targets_of(stream)
    found = np.zeros((len(stream.labels), len(targets)))
    for column, target in enumerate(targets):
        batch = as_events(stream, target)
        for cell in range(cells):
            rows = np.flatnonzero(cell_of == cell)
            seeds = replace(SEEDS, prf=SEEDS.prf + cell, hash_salt=SEEDS.hash_salt + cell)
            found[rows, column] = Cell(config, seeds).step_batch(batch.select(rows))["y_hat"]
    return found


def _figures(one: Sharded, split: str, cells: int, p: Floats, whole: Floats) -> Iterator[Measured]:
    stream = one.stream
    late = slice(int(len(stream.labels) * (1.0 - _LATE_SHARE)), None)
    for part, rows in ((WHOLE, slice(None)), (LATE, late)):
        ours, single = (_scores(stream, q, rows) for q in (p, whole))
        params = {
            "data": stream.name,
            "split": split,
            "cells": cells,
            "part": part,
            "events": len(stream.labels[rows]),
            "entity": one.entity,
            "entities": len(set(one.ids)),
        }
        for (metric, unit), mine, theirs in zip(METRICS[stream.task], ours, single, strict=True):
            if cells == 1:
                yield measured(BENCH, metric, unit, [mine], params)
            else:
                yield measured(BENCH, metric, unit, [mine], params, ONE, [theirs])


def _scores(stream: Stream, p: Floats, rows: slice) -> Scores:
    return scored(stream._replace(rows=stream.rows[rows], labels=stream.labels[rows]), p[rows])


def losses(stream: Stream, p: Floats) -> Floats:
    """Return the loss of each event: nats, or in regression the squared error."""
    one = [_scores(stream, p, slice(n, n + 1)).loss for n in range(len(stream.labels))]
    return np.array(one) ** 2 if stream.task == REGRESSION else np.array(one)


def draw(curves: dict[str, dict[str, Floats]], file: Path) -> None:
    """Draw the mean loss so far over that of one cell, one panel a stream."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - takes a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(11, 6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3).ravel()
    figure.suptitle(
        "Mean loss so far (squared error in the lower left and right), times one cell's"
    )
    for panel, (name, of) in zip(panels, curves.items(), strict=False):
        so_far = {
            label: np.cumsum(loss) / np.arange(1, loss.size + 1) for label, loss in of.items()
        }
        single = next(iter(so_far.values()))
        events = np.arange(1, single.size + 1)
        for label, mean in list(so_far.items())[1:]:
            style = "-" if label.endswith("shards") else ":"
            colour = "tab:blue" if label.startswith("4 ") else "tab:orange"
            panel.plot(events, mean / single, style, color=colour, label=label, linewidth=1.2)
        panel.axhline(1.0, color="grey", linewidth=0.8)
        panel.set_title(name, fontsize=10)
        panel.set_xscale("log")
        panel.minorticks_off()
        panel.set_xlim(left=min(_FIRST_DRAWN, single.size))
        panel.legend(fontsize=8)
    for panel in panels[3:]:
        panel.set_xlabel("events")
    figure.savefig(file, dpi=110)
