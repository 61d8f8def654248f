"""Where topics rested is known for as long as the text may be read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.hierarchy.rests import Rests

stretches = st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30)


def noted(of: list[tuple[int, bool]]) -> tuple[Rests, list[bool]]:
    """Stretches of text, each read resting or not; and code point by code point."""
    truth: list[bool] = []
    rests = Rests()
    for length, resting in of:
        rests = rests.go_on(len(truth), resting=resting)
        truth += [resting] * length
    return rests, truth


@given(stretches)
def test_each_boundary_belongs_to_the_stretch_that_made_it_certain(
    of: list[tuple[int, bool]],
) -> None:
    """The code point after which it is certain counts from 1, as boundaries do."""
    rests, truth = noted(of)
    assert [rests.at(certain) for certain in range(1, len(truth) + 1)] == truth
    assert rests.now is (of[-1][1] if of else False)
    assert list(rests.places) == sorted(set(rests.places))


@given(stretches, st.integers(0, 300))
def test_what_is_passed_is_forgotten_and_nothing_else(
    of: list[tuple[int, bool]], place: int
) -> None:
    """Behind the place all is told as before; of what is before it at most one place is left."""
    rests, truth = noted(of)
    since = rests.since(place)
    assert [since.at(n) for n in range(place + 1, len(truth) + 2)] == [
        rests.at(n) for n in range(place + 1, len(truth) + 2)
    ]
    assert since.now is rests.now
    assert sum(one < place for one in since.places) <= 1


@given(stretches, st.integers(0, 300), st.booleans())
def test_edit_takes_back_what_is_behind_it(
    of: list[tuple[int, bool]], place: int, resting: bool
) -> None:
    """Before it everything stays, also when less is known after it than it goes back to."""
    rests, truth = noted(of)
    edited = rests.before(place).go_on(place, resting=resting)
    low = min(place, len(truth))
    assert [edited.at(n) for n in range(1, low + 1)] == truth[:low]
    assert edited.at(place + 1) is resting
    later = edited.go_on(max(0, place - 5), resting=not resting)
    assert [later.at(n) for n in range(1, max(0, place - 5) + 1)] == [
        edited.at(n) for n in range(1, max(0, place - 5) + 1)
    ]
    assert list(later.places) == sorted(set(later.places))
    assert later.now is not resting
