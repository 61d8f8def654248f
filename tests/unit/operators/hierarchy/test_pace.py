"""A worker that falls behind does less in order, comes back, and does not waver."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import InvalidConfig, InvalidInput
from operators.hierarchy.pace import STEPS, Pace, PaceConfig, Plan, Step, Window, load, paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONFIG = PaceConfig()
BEHIND = Window(80.0, 0.0, 0)
ROOM = Window(5.0, 10.0, 3)
BETWEEN = Window(38.0, 10.0, 3)

windows = st.builds(
    Window, st.floats(0, 500), st.floats(0, 2_000), st.integers(0, 10 * CONFIG.backlog)
)


def run(given_windows: Iterable[Window], config: PaceConfig = CONFIG) -> list[Pace]:
    """Where the worker stands after each window."""
    return list(
        itertools.accumulate(
            given_windows, lambda pace, one: pace.next(one, config), initial=Pace()
        )
    )


def steps(paces: Iterable[Pace]) -> list[Step]:
    """The steps it went through, each once."""
    return [step for step, _ in itertools.groupby(pace.step for pace in paces)]


def answering(capacity: Callable[[Step], float], count: int) -> list[Pace]:
    """A worker whose tokens take as long as its step lets them."""
    pace, seen = Pace(), []
    for _ in range(count):
        pace = pace.next(Window(capacity(pace.step), 0.0, 0), CONFIG)
        seen.append(pace)
    return seen


@pytest.mark.parametrize(
    "window", [BEHIND, Window(0.0, 201.0, 0), Window(0.0, 0.0, CONFIG.backlog + 1)]
)
def test_steps_are_taken_in_their_order_and_end_with_the_last(window: Window) -> None:
    """Slow tokens, slow updates and what waits all lead through every step, and none beyond."""
    assert steps(run([window] * 50)) == list(STEPS)


def test_one_slow_window_changes_nothing() -> None:
    """A hiccup is no reason; two in a row are."""
    assert steps(run([BEHIND, ROOM] * 20)) == [Step.NORMAL]
    assert run([BEHIND, BEHIND])[-1].step is Step.LARGER_CHUNKS


def test_it_comes_back_step_by_step() -> None:
    """With room for long enough everything is done again, in the opposite order."""
    down = run([BEHIND] * 8)
    assert down[-1].step is Step.NO_TOPICS
    pace = down[-1]
    seen = []
    for _ in range(3 * CONFIG.calm_windows):
        pace = pace.next(ROOM, CONFIG)
        seen.append(pace)
    assert steps([down[-1], *seen]) == list(reversed(STEPS))


def test_between_the_marks_nothing_moves() -> None:
    """Neither over budget nor with room: the step stays, in whatever state it began."""
    for start in run([BEHIND] * 8):
        pace = start
        for _ in range(100):
            pace = pace.next(BETWEEN, CONFIG)
        assert pace.step is start.step


def test_room_has_to_last() -> None:
    """A window without room begins the count anew."""
    start = run([BEHIND] * 2)[-1]
    almost = [ROOM] * (CONFIG.calm_windows - 1)
    pace = start
    for window in [*almost, BETWEEN, *almost]:
        pace = pace.next(window, CONFIG)
    assert pace.step is Step.LARGER_CHUNKS
    assert pace.next(ROOM, CONFIG).step is Step.NORMAL


def test_a_step_that_helps_does_not_make_it_waver() -> None:
    """Behind without the step and with room in it: going back is tried ever less often."""
    paces = answering(lambda step: 90.0 if step is Step.NORMAL else 30.0, 5_000)
    changes = [place for place, (a, b) in enumerate(itertools.pairwise(paces)) if a.step != b.step]
    assert len(changes) < 2 * (5_000 / CONFIG.longest + 8)
    late = [gap for gap in (b - a for a, b in itertools.pairwise(changes)) if gap > CONFIG.patience]
    assert late[-1] == CONFIG.longest
    assert late == sorted(late)


def test_an_old_relapse_is_forgotten() -> None:
    """Once going back has held, the next time is the first again."""
    paces = answering(lambda step: 90.0 if step is Step.NORMAL else 30.0, 200)
    assert paces[-1].needed > CONFIG.calm_windows
    pace = paces[-1]
    for _ in range(3 * CONFIG.longest):
        pace = pace.next(ROOM, CONFIG)
    assert pace == Pace(Step.NORMAL, CONFIG.calm_windows)


def test_gathering_longer_does_not_make_itself_necessary() -> None:
    """What tokens wait on purpose counts neither as being behind nor against having room."""
    waited = Window(CONFIG.gather_longer_ms + 10.0, 0.0, 0)
    assert load(waited, Step.LARGER_CHUNKS, CONFIG) == pytest.approx(10.0 / 25.0)
    at_budget = Window(CONFIG.token_ms, 0.0, 0)
    for step in STEPS:
        assert load(at_budget, step, CONFIG) == pytest.approx(1.0)


def test_each_step_does_what_those_before_it_do() -> None:
    """What a step leaves out stays left out by the later ones."""
    plans = [Pace(step).plan(CONFIG) for step in STEPS]
    assert plans == [
        Plan(5.0, 500.0, topics=True),
        Plan(25.0, 500.0, topics=True),
        Plan(25.0, 2_000.0, topics=True),
        Plan(25.0, 2_000.0, topics=False),
    ]


@given(st.lists(windows, max_size=200))
def test_steps_change_by_one_and_not_sooner_than_they_may(measured: list[Window]) -> None:
    """Whatever is measured: neighbours only, and the same windows give the same steps."""
    paces = run(measured)
    since = CONFIG.calm_windows
    for before, after in itertools.pairwise(paces):
        since += 1
        moved = STEPS.index(after.step) - STEPS.index(before.step)
        assert abs(moved) <= 1
        if moved:
            assert since >= (CONFIG.patience if moved > 0 else CONFIG.calm_windows)
            since = 0
        assert CONFIG.calm_windows <= after.needed <= CONFIG.longest
    assert run(measured) == paces


@given(st.lists(st.integers(0, 40_000), max_size=100))
def test_a_partition_is_paused_from_one_mark_to_the_other(waiting: list[int]) -> None:
    """Never unpaused at or above the upper mark, never paused at or below the lower one."""
    was = False
    for count in waiting:
        now = paused(count, was, CONFIG)
        assert now or count < CONFIG.pause_at
        assert not now or count > CONFIG.resume_at
        if CONFIG.resume_at < count < CONFIG.pause_at:
            assert now is was
        was = now


@pytest.mark.parametrize("window", [(-1.0, 0.0, 0), (float("nan"), 0.0, 0), (0.0, 0.0, -1)])
def test_what_cannot_be_measured_is_refused(window: Any) -> None:
    """A clock that ran backwards is a fault of the caller, not a calm worker."""
    with pytest.raises(InvalidInput, match="not negative"):
        Pace().next(Window(*window), CONFIG)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"gather_longer_ms": 50.0}, "gathering alone takes the budget"),
        ({"partial_longer_ms": 400.0}, "no shorter"),
        ({"resume_at": 20_000}, "below pause_at"),
        ({"calm": 1.0}, "share of the budgets"),
        ({"patience": 0}, "above 0"),
        ({"longest": 5}, "at least calm_windows"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, Any], told: str) -> None:
    """The message names the setting and what it must be."""
    with pytest.raises(InvalidConfig, match=told):
        PaceConfig(**values)
