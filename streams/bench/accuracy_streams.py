"""Real streams that ship with River, as every contender of ``weir bench accuracy`` gets them.

Numbers are scaled by River's ``StandardScaler`` as the stream goes, one and the same for all: an
event is scaled by what came before it and by itself, as in River's own pipelines.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streams.bench.batches import keyed_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from operators.batch import EventBatch

    Floats = npt.NDArray[np.float64]

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"


class Stream(NamedTuple):
    """A stream in memory.

    Attributes:
        name: of the data set.
        task: ``BINARY``, ``MULTICLASS`` or ``REGRESSION``.
        rows: features of each event by name, scaled.
        labels: float64[n]; of classes their number.
        classes: how many classes there are; 0 for regression.
    """

    name: str
    task: str
    rows: list[dict[str, float]]
    labels: Floats
    classes: int


def streams() -> Iterator[Stream]:
    """Phishing, Bananas, ImageSegments and TrumpApproval."""
    import river.datasets  # noqa: PLC0415 - takes a second

    datasets: Any = river.datasets
    yield scaled("Phishing", BINARY, datasets.Phishing())
    yield scaled("Bananas", BINARY, datasets.Bananas())
    yield scaled("ImageSegments", MULTICLASS, datasets.ImageSegments())
    yield scaled("TrumpApproval", REGRESSION, datasets.TrumpApproval())


def scaled(name: str, task: str, dataset: Any) -> Stream:
    """Take a data set into memory, its numbers scaled as the stream goes.

    Args:
        name: of the data set.
        task: ``BINARY``, ``MULTICLASS`` or ``REGRESSION``.
        dataset: gives features by name and a label, row by row.
    """
    import river.preprocessing  # noqa: PLC0415 - takes a second

    scaler: Any = river.preprocessing.StandardScaler()
    rows, labels = [], []
    for x, y in dataset:
        numbers = {str(k): float(v) for k, v in x.items()}
        scaler.learn_one(numbers)
        rows.append(scaler.transform_one(numbers))
        labels.append(y)
    if task == REGRESSION:
        return Stream(name, task, rows, np.array(labels, np.float64), 0)
    kinds = sorted(set(labels))
    numbered = np.array([kinds.index(label) for label in labels], np.float64)
    return Stream(name, task, rows, numbered, len(kinds))


def as_events(stream: Stream, label: Floats) -> EventBatch:
    """The stream as a cell takes it: sparse features, and the same numbers as the key.

    A key has its expected squared norm at the norm guard's radius of 1 over tau, tau = sqrt(d).
    """
    names = sorted({name for row in stream.rows for name in row})
    ids = {name: _id_of(name) for name in names}
    d = len(names)
    key = np.array([[row.get(name, 0.0) for name in names] for row in stream.rows])
    features = [pair for row in stream.rows for pair in row.items()]
    return keyed_events(
        np.cumsum([0, *(len(row) for row in stream.rows)]).astype(np.int64),
        np.array([ids[name] for name, _ in features], np.uint64),
        np.array([x for _, x in features], np.float64),
        np.ascontiguousarray(key * d**-0.25),
        label,
    )


def _id_of(name: str) -> int:
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # never a reserved id
