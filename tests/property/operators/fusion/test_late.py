"""A label that comes late is what the plain-Python definition says, however the steps are cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidInput
from operators.fusion import layout as at
from operators.fusion.cell import Cell, CellConfig
from operators.fusion.outputs import STEP_DTYPE, Action
from tests.property.operators.fusion.events import (
    SEEDS,
    Event,
    batch_of,
    configs,
    events,
    unstable,
)
from tests.property.operators.fusion.reference import Made, Reference
from tests.property.operators.fusion.test_step import (
    TABLE_FIELDS,
    assert_same_state,
    crowded,
    patched,
    saved,
    untabled,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Rows = npt.NDArray[Any]
AT_ONCE, NEVER = 0, -1

thorough = settings(deadline=None, max_examples=100)
delays = st.lists(st.sampled_from([AT_ONCE, 1, 2, 7, 30, NEVER]), min_size=1, max_size=7)


class Step(NamedTuple):
    """An event as it is stepped, or, with ``y``, the label of the ``place``-th that was."""

    event: Event
    place: int
    y: float | None = None


def schedule(stream: list[Event], after: Iterable[int]) -> list[Step]:
    """Steps of a stream whose labels come so many events later."""
    due: dict[int, list[Step]] = {}
    steps = []
    for place, (event, delay) in enumerate(zip(stream, cycle(after), strict=False)):
        if event["label"] is not None and delay != AT_ONCE:
            hidden = event | {"label": None}
            if delay != NEVER:
                due.setdefault(place + delay, []).append(Step(hidden, place, event["label"]))
            steps.append(Step(hidden, place))
        else:
            steps.append(Step(event, place))
        steps += due.pop(place, [])
    return steps


def run(cell: Cell, steps: list[Step], kept: dict[int, npt.NDArray[np.float64]]) -> Rows:
    """Rows of steps, of which those of one kind that follow each other are one batch."""
    d_v = cell.config.sera.d_v
    rows = []
    for late, group in groupby(steps, key=lambda step: step.y is not None):
        part = list(group)
        if late:
            batch = batch_of([step.event | {"label": step.y} for step in part], d_v=d_v)
            rows.append(cell.learn_late(batch, np.stack([kept[step.place] for step in part])))
        else:
            keeping = np.full((len(part), cell.kept_width), np.nan)
            rows.append(cell.step_batch(batch_of([s.event for s in part], d_v=d_v), keeping))
            kept |= {step.place: row for step, row in zip(part, keeping, strict=True)}
    return np.concatenate(rows) if rows else np.zeros(0, STEP_DTYPE)


def assert_is_the_definition(config: CellConfig, steps: list[Step]) -> Rows:
    cell, reference = Cell(config, SEEDS), Reference(config, SEEDS)
    rows = untabled(run(cell, steps, {}))
    made: dict[int, Made] = {}
    for t, step in enumerate(steps):
        if step.y is None:
            wanted, made[step.place] = reference.predict(step.event, crowded=crowded(rows[t]))
        else:
            of = made[step.place]
            wanted = reference.late(step.event, step.y, of, crowded=crowded(rows[t]))
        assert set(wanted) == set(STEP_DTYPE.names or ()) - TABLE_FIELDS
        for name, value in wanted.items():
            got = rows[name][t]
            assert np.float64(got).tobytes() == np.float64(value).tobytes(), (t, name, got, value)
    ids, weights = cell.hlm.items()
    assert dict(zip(ids.tolist(), weights.tolist(), strict=True)) == reference.weights
    return rows


@thorough
@given(config=configs(), stream=events(), after=delays)
def test_a_late_label_is_the_definition_bit_for_bit(
    config: CellConfig, stream: list[Event], after: list[int]
) -> None:
    """Parts that had joined, inputs, errors, margin, controls and weights: all is recomputed."""
    assert_is_the_definition(config, schedule(stream, after))


@thorough
@given(config=configs(d_v=2), stream=events(d_v=2), after=delays)
def test_a_late_label_with_value_vectors_is_the_definition(
    config: CellConfig, stream: list[Event], after: list[int]
) -> None:
    """The same holds where values are vectors, which are ingested before the label comes."""
    assert_is_the_definition(config, schedule(stream, after))


@pytest.mark.parametrize(("d_v", "lowrank"), [(1, False), (2, True)])
def test_late_labels_meet_a_larger_sera(d_v: int, lowrank: bool) -> None:
    """Labels whose prediction another Sera made teach what was made then, and hand over as well."""
    config, stream = unstable(d_v, lowrank=lowrank)
    steps = schedule(stream, [7, AT_ONCE, 13, 2])
    rows = assert_is_the_definition(config, steps)
    late = np.array([step.y is not None for step in steps])
    handed = rows["actions"].astype(int) & Action.SERA_SUCCEEDED != 0
    assert handed.any()
    assert (late & handed).any() == (d_v == 1), "where a label is the value it is ingested late"


@thorough
@given(d_v=st.sampled_from([1, 2]), after=delays, data=st.data())
def test_batches_and_restarts_change_nothing(
    d_v: int, after: list[int], data: st.DataObject
) -> None:
    """One by one, saved at each step as changed blocks, rows and state are the same bytes."""
    config = data.draw(configs(d_v))
    steps = schedule(data.draw(events(d_v)), after)
    whole = Cell(config, SEEDS)
    rows = run(whole, steps, {})
    single, kept = Cell(config, SEEDS), dict[int, npt.NDArray[np.float64]]()
    copy: dict[str, bytes] = {}
    for t, step in enumerate(steps):
        assert run(single, [step], kept).tobytes() == rows[t].tobytes()
        state = saved(single)
        copy = {
            name: patched(copy.get(name, b""), state[name], single.block_bytes(name), blocks)
            for name, blocks in single.take_dirty().items()
        }
        if t % 8 == 0:
            arrays = {name: np.frombuffer(copy[name], state[name].dtype) for name in state}
            single = Cell.from_state(config, SEEDS, arrays)
    assert_same_state(single, whole)
    assert {name: array.tobytes() for name, array in saved(whole).items()} == copy


@thorough
@given(config=configs(), stream=events())
def test_a_label_right_after_its_event_teaches_what_it_would_have_at_once(
    config: CellConfig, stream: list[Event]
) -> None:
    """With nothing between, all that learns is left the same, bit for bit.

    But for the number of steps, and for what the controller does about the event before its label:
    Hlm's rate, a larger Sera and the bound of exponents are pinned here.
    """
    config = replace(
        config,
        sera=replace(config.sera, max_r=0, retune=False, tune_clip=False),
        fusion=replace(config.fusion, lr_calm=1.0),
    )
    last = stream[-1] | {"label": 1.0, "value": None}
    found = []
    for steps in (
        [Step(last, 0)],
        [Step(last | {"label": None}, 0), Step(last | {"label": None}, 0, 1.0)],
    ):
        cell = Cell(config, SEEDS)
        cell.step_batch(batch_of(stream[:-1]))
        row = run(cell, steps, {})[-1]
        state = {
            name: array.tobytes()
            for name, array in saved(cell).items()
            if not name.startswith(("hlm.", "fusion.tally"))
        }
        tally = saved(cell)["fusion.tally"]
        rolled = [*range(at.LABELLED, at.ADVANTAGE + 1), at.LABEL_MIN, at.LABEL_MAX]
        told = [row[name].tobytes() for name in ("error", "y_hat", "gate", "margin", "log_e", "lr")]
        weights = dict(zip(*(array.tolist() for array in cell.hlm.items()), strict=True))
        found.append((state, tally[rolled].tobytes(), weights, told))
    assert found[0] == found[1]


def test_what_does_not_fit_is_refused_before_anything_changes() -> None:
    """Kernels trust the shapes that they are given."""
    config, stream = unstable(1, lowrank=False)
    cell = Cell(config, SEEDS)
    batch = batch_of(stream[:3])
    before = saved(cell)
    for kept in (np.zeros((2, cell.kept_width)), np.zeros((3, cell.kept_width - 1)), np.zeros(3)):
        with pytest.raises(InvalidInput, match="what is kept of steps"):
            cell.step_batch(batch, kept)
        with pytest.raises(InvalidInput, match="what is kept of steps"):
            cell.learn_late(batch, kept)
    unlabelled = batch_of([event | {"label": None} for event in stream[:3]])
    with pytest.raises(InvalidInput, match="without a label"):
        cell.learn_late(unlabelled, np.zeros((3, cell.kept_width)))
    assert all(before[name].tobytes() == array.tobytes() for name, array in saved(cell).items())
