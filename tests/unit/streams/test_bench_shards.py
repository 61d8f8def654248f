"""``weir bench shards``: the parts are those that there would be, and one of them is the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.bench import shards
from streams.bench.accuracy import ours, scored
from streams.bench.accuracy_streams import BINARY, MULTICLASS, REGRESSION, Stream, streams
from streams.bench.shards import (
    CELLS,
    LATE,
    ONE,
    Sharded,
    by_shard,
    by_tenant,
    losses,
    predictions,
    run_shards,
)
from streams.feed import murmur2_partition

if TYPE_CHECKING:
    from pathlib import Path

N = 96
IDS = [b"%d" % (n % 24) for n in range(N)]


def made(task: str) -> Stream:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 2))
    y = x[:, 0] - x[:, 1]
    labels = {BINARY: y > 0, MULTICLASS: np.digitize(y, [-0.5, 0.5]), REGRESSION: y}[task]
    rows = [{"a": float(a), "b": float(b)} for a, b in x]
    return Stream("made", task, rows, labels.astype(np.float64), 3)


def test_shards_are_those_of_producers_and_tenants_are_others() -> None:
    """An id has one shard and one tenant, and one does not follow from the other."""
    ids = [b"%d" % n for n in range(400)]
    by = by_shard(ids, 4)
    assert by.tolist() == [murmur2_partition(one, 4) for one in ids]
    assert {(a, b) for a, b in zip(by.tolist(), by_tenant(ids, 4).tolist(), strict=True)} == {
        (a, b) for a in range(4) for b in range(4)
    }


def test_one_cell_is_the_learner_of_the_accuracy_figures() -> None:
    """What is compared with is what `weir bench accuracy` shows."""
    stream = next(streams())
    p = predictions(stream, np.zeros(len(stream.labels), np.int64), 1)
    assert scored(stream, p) == ours(stream)["fused"]


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_a_part_learns_from_itself_alone(task: str) -> None:
    """Labels of one part do not change what another predicts."""
    stream = made(task)
    parts = by_shard(IDS, 4)
    p = predictions(stream, parts, 4)
    mine = parts == parts[0]
    flipped = np.where(mine, stream.labels, stream.labels[::-1])
    other = predictions(stream._replace(labels=flipped), parts, 4)
    np.testing.assert_array_equal(p[mine], other[mine])
    assert (p[~mine] != other[~mine]).any()


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_losses_add_up_to_the_score(task: str) -> None:
    """The picture and the table say the same."""
    stream = made(task)
    p = predictions(stream, by_shard(IDS, 4), 4)
    mean = losses(stream, p).mean()
    loss = scored(stream, p).loss
    assert mean == pytest.approx(loss**2 if task == REGRESSION else loss)


def test_each_split_is_compared_with_one_cell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two scores of the whole and of the last quarter, at 1, 4 and 16 cells; and a picture."""
    one = Sharded(made(BINARY), IDS, "row")
    monkeypatch.setattr(shards, "sharded_streams", lambda: iter([one]))
    picture = tmp_path / "shards.png"
    lines = list(run_shards(picture, lambda _: None))
    assert picture.stat().st_size > 10_000
    assert len(lines) == (len(CELLS) + len(CELLS) - 1) * 4
    assert {line.params["cells"] for line in lines} == set(CELLS)
    for line in lines:
        assert line.against == (None if line.params["cells"] == 1 else ONE)
        assert line.params["events"] == (N // 4 if line.params["part"] == LATE else N)
        assert line.params["entities"] == 24
