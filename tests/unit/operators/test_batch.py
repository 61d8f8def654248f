from __future__ import annotations

import numpy as np
import pytest

from operators.batch import EventBatch


@pytest.fixture
def batch() -> EventBatch:
    """Four events with 2, 0, 3 and 1 features and 1, 0, 0 and 2 context keys."""
    return EventBatch(
        indptr=np.array([0, 2, 2, 5, 6], np.int64),
        ids=np.arange(10, 16, dtype=np.uint64),
        values=np.arange(6, dtype=np.float64),
        time_us=np.arange(4, dtype=np.int64),
        label=np.arange(4, dtype=np.float64),
        has_label=np.array([1, 0, 1, 0], np.uint8),
        key=np.arange(8, dtype=np.float64).reshape(4, 2),
        has_key=np.array([0, 1, 0, 1], np.uint8),
        query=np.arange(8, 16, dtype=np.float64).reshape(4, 2),
        has_query=np.array([1, 1, 0, 0], np.uint8),
        value=np.arange(4, dtype=np.float64).reshape(4, 1),
        has_value=np.array([0, 0, 1, 1], np.uint8),
        ctx_indptr=np.array([0, 1, 1, 1, 3], np.int64),
        ctx_ids=np.array([100, 101, 102], np.uint64),
    )


def test_empty_batch_has_no_events_and_all_columns() -> None:
    """A batch without events has the widths that the configuration asks for."""
    empty = EventBatch.empty(d=3, dv=2)

    assert empty.events == 0
    assert empty.key.shape == empty.query.shape == (0, 3)
    assert empty.value.shape == (0, 2)
    assert empty.indptr.tolist() == empty.ctx_indptr.tolist() == [0]


def test_selected_rows_keep_what_belongs_to_them(batch: EventBatch) -> None:
    """Selecting events, in any order and more than once, takes their features and context along."""
    chosen = batch.select([3, 2, 3, 1])

    assert chosen.indptr.tolist() == [0, 1, 4, 5, 5]
    assert chosen.ids.tolist() == [15, 12, 13, 14, 15]
    assert chosen.values.tolist() == [5.0, 2.0, 3.0, 4.0, 5.0]
    assert chosen.ctx_indptr.tolist() == [0, 2, 2, 4, 4]
    assert chosen.ctx_ids.tolist() == [101, 102, 101, 102]
    assert chosen.time_us.tolist() == [3, 2, 3, 1]
    assert chosen.has_label.tolist() == [0, 1, 0, 0]
    assert chosen.key.tolist() == [[6, 7], [4, 5], [6, 7], [2, 3]]
    assert chosen.value.tolist() == [[3], [2], [3], [1]]


def test_mask_selects_like_its_indices(batch: EventBatch) -> None:
    """A mask and the indices of its true elements select the same events."""
    by_mask = batch.select(np.array([True, False, True, False]))
    by_index = batch.select([0, 2])

    for name in EventBatch._fields:
        masked, indexed = getattr(by_mask, name), getattr(by_index, name)
        np.testing.assert_array_equal(masked, indexed)
        assert masked.dtype == indexed.dtype
        assert masked.flags.c_contiguous


def test_selecting_nothing_gives_an_empty_batch(batch: EventBatch) -> None:
    """Selecting no event gives a batch of none, in the types that kernels are compiled for."""
    nothing = batch.select(np.zeros(0, np.int64))

    for name in EventBatch._fields:
        column, reference = getattr(nothing, name), getattr(EventBatch.empty(d=2, dv=1), name)
        assert column.shape == reference.shape
        assert column.dtype == reference.dtype


def test_row_that_does_not_exist_is_refused(batch: EventBatch) -> None:
    """An index past the last event is an error, not another event."""
    with pytest.raises(IndexError):
        batch.select([4])
