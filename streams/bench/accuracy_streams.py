"""Real streams that ship with River, as every contender of ``weir bench accuracy`` gets them.

Numbers are scaled by River's ``StandardScaler`` as the stream goes, one and the same for all: an
event is scaled by what came before it and by itself, as in River's own pipelines.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.batch import EventBatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

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
    yield _scaled("Phishing", BINARY, datasets.Phishing())
    yield _scaled("Bananas", BINARY, datasets.Bananas())
    yield _scaled("ImageSegments", MULTICLASS, datasets.ImageSegments())
    yield _scaled("TrumpApproval", REGRESSION, datasets.TrumpApproval())


def _scaled(name: str, task: str, dataset: Any) -> Stream:
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
    d, n = len(names), len(stream.rows)
    key = np.array([[row.get(name, 0.0) for name in names] for row in stream.rows])
    return EventBatch(
        indptr=np.cumsum([0, *(len(row) for row in stream.rows)]).astype(np.int64),
        ids=np.array([ids[name] for row in stream.rows for name in row], np.uint64),
        values=np.array([x for row in stream.rows for x in row.values()], np.float64),
        time_us=np.arange(n, dtype=np.int64),
        label=label,
        has_label=np.ones(n, np.uint8),
        key=np.ascontiguousarray(key * d**-0.25),
        has_key=np.ones(n, np.uint8),
        query=np.zeros((n, d)),
        has_query=np.zeros(n, np.uint8),
        value=np.zeros((n, 1)),
        has_value=np.zeros(n, np.uint8),
        ctx_indptr=np.zeros(n + 1, np.int64),
        ctx_ids=np.zeros(0, np.uint64),
    )


def _id_of(name: str) -> int:
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # never a reserved id
