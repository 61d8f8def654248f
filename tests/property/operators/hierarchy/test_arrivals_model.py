"""Positions against a model that remembers every unit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import InvalidInput
from operators.hierarchy.arrivals import MOST_GAPS, Arrivals, admit

PIECES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=30)


@given(PIECES)
def test_every_unit_is_taken_once_in_order_or_counted(pieces: list[tuple[int, int]]) -> None:
    """Taken, missing, late and repeated are what a set of units says they are."""
    state, passed = Arrivals(), 0
    taken: list[int] = []
    late: set[int] = set()
    repeated = 0
    for position, units in pieces:
        state, admitted = admit(state, position, units)
        state = Arrivals.from_json(json.loads(json.dumps(state.to_json())))
        seen = set(taken) | late
        old = [unit for unit in range(position, position + units) if unit < passed]
        assert admitted.skip == len(old)
        assert admitted.late == len([unit for unit in old if unit not in seen])
        assert admitted.gap == max(0, position - passed)
        repeated += len([unit for unit in old if unit in seen])
        late |= {unit for unit in old if unit not in seen}
        taken += range(position + admitted.skip, position + units)
        passed = max(passed, position + units)
        assert state.expected == passed
        assert state.late == len(late)
        assert state.repeated == repeated
        assert state.missing == passed - len(taken) - len(late)
    assert taken == sorted(set(taken))


def test_gaps_that_are_remembered_are_bounded() -> None:
    """What comes for a gap that is forgotten counts as repeated, and stays missing."""
    state = Arrivals()
    for number in range(MOST_GAPS + 1):
        state, _ = admit(state, 2 * number + 1, 1)
    assert len(state.gaps) == MOST_GAPS
    state, admitted = admit(state, 0, 1)
    assert (admitted.late, admitted.repeated) == (0, 1)
    state, admitted = admit(state, 2, 1)
    assert (admitted.late, admitted.repeated) == (1, 0)
    assert state.missing == MOST_GAPS


@pytest.mark.parametrize(("position", "units"), [(-1, 1), (0, -1)])
def test_negative_positions_are_refused(position: int, units: int) -> None:
    """They are a producer's mistake, to be quarantined by who reads the topic."""
    with pytest.raises(InvalidInput, match="negative"):
        admit(Arrivals(), position, units)
