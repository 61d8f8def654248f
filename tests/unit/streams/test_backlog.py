"""A shard takes records in the order of the log, in portions of its own size."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.shard.backlog import Backlog


@given(
    fetches=st.lists(st.integers(0, 9), max_size=9),
    portions=st.lists(st.integers(1, 12), max_size=12),
)
def test_portions_cut_across_fetches_without_loss_or_repetition(
    fetches: list[int], portions: list[int]
) -> None:
    """What goes in comes out once and in order, however fetches and units are cut."""
    backlog = Backlog()
    total = 0
    for size in fetches:
        backlog.add(list(range(total, total + size)))
        total += size
    assert len(backlog) == total
    taken: list[int] = []
    for most in portions:
        portion = backlog.take(most)
        assert len(portion) == min(most, total - len(taken))
        taken += portion
        assert len(backlog) == total - len(taken)
    assert taken == list(range(len(taken)))


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    bound=st.integers(0, 20),
    most=st.integers(1, 8),
)
def test_a_bound_in_bytes_cuts_portions_and_lets_a_large_record_alone(
    sizes: list[int], bound: int, most: int
) -> None:
    """As many as fit, at least one, none lost."""
    backlog = Backlog(bound)
    records = [Sized(bytes(size)) for size in sizes]
    for start in range(0, len(records), 3):
        backlog.add(records[start : start + 3])
    taken: list[Sized] = []
    while len(backlog):
        portion = backlog.take(most)
        assert portion
        assert len(portion) == 1 or sum(len(one.value) for one in portion) <= bound
        taken += portion
        following = records[len(taken) : len(taken) + 1]
        if following and len(portion) < most:
            assert sum(len(one.value) for one in [*portion, *following]) > bound
    assert taken == records


class Sized(NamedTuple):
    """A record, as far as the bound looks."""

    value: bytes


def test_what_was_dropped_does_not_come_back() -> None:
    """After a pause the queue begins anew, in the middle of a fetch too."""
    backlog = Backlog()
    backlog.add([1, 2, 3])
    assert backlog.take(1) == [1]
    backlog.clear()
    assert (len(backlog), backlog.take(5)) == (0, [])
    backlog.add([4])
    assert backlog.take(5) == [4]
