"""What a cell says of why it predicted what it did adds up to the prediction."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidInput
from operators.fusion.cell import Cell, CellConfig, FusionConfig
from operators.fusion.explanation import TRUST
from operators.hlm.config import HlmConfig
from operators.numerics import log, sigmoid
from operators.sera.config import SeraConfig
from tests.property.operators.fusion.events import SEEDS, D, Event, batch_of


def stream(n: int) -> list[Event]:
    """Events whose labels both halves can tell."""
    rng = np.random.default_rng(2)
    made: list[Event] = []
    for _ in range(n):
        x, key = rng.normal(size=2), rng.normal(size=D)
        made.append(
            {
                "features": [(1, float(x[0])), (2, float(x[1]))],
                "label": float(x[0] + key[0] > 0.0),
                "key": key.tolist(),
                "query": None,
                "value": None,
                "context": [7, 9],
            }
        )
    return made


def taught(rollout: str, link: str = "logistic") -> tuple[Cell, Event]:
    """A cell that has learnt something in all its parts, and an event to explain."""
    config = CellConfig(
        hlm=HlmConfig(link=link),  # type: ignore[arg-type]
        sera=SeraConfig(d=D, r=64, prior=0.5),
        fusion=FusionConfig(rollout=rollout, gate_lr=0.5),  # type: ignore[arg-type]
    )
    cell = Cell(config, SEEDS)
    events = stream(301)
    cell.step_batch(batch_of(events[:-1]))
    return cell, events[-1]


def added(terms: dict[str, float]) -> float:
    """Sum in order."""
    total = 0.0
    for term in terms.values():
        total += term
    return total


def test_terms_add_up_to_the_prediction() -> None:
    """Linear half, gate and correction can each be put together from their terms, exactly."""
    cell, event = taught("all")
    why = cell.explain(batch_of([event]))
    row = cell.predict_batch(batch_of([event]))[0]
    score = why.linear.score + added(dict(why.attention))
    assert sigmoid(score) == row["y_feature"]
    trust, learnt = why.gate[TRUST], dict(why.gate)
    del learnt[TRUST]
    assert min(max(sigmoid(trust + added(learnt)), 0.01), 0.99) == row["gate"]
    p = row["y_gate"]
    assert sigmoid(log(p / (1.0 - p)) + added(dict(why.meta))) == row["y_meta"]
    assert all(why.attention.values())
    assert all(value for name, value in learnt.items() if name != "error")
    assert [name for name in learnt if name.startswith("context.")] == [
        "context.0000000000000007",
        "context.0000000000000009",
    ]


def test_terms_are_in_the_unit_of_the_label() -> None:
    """With the identity link what the parts add is what the predictions differ by."""
    cell, event = taught("all", "identity")
    why = cell.explain(batch_of([event]))
    row = cell.predict_batch(batch_of([event]))[0]
    assert added(dict(why.meta)) == pytest.approx(row["y_meta"] - row["y_gate"], rel=1e-9)
    assert added(dict(why.attention)) == pytest.approx(row["y_feature"] - row["y_hlm"], rel=1e-9)
    assert abs(added(dict(why.attention))) > 1e-3


def test_what_a_step_refuses_is_not_explained() -> None:
    """There is no prediction to explain, whatever is wrong with the event."""
    cell, event = taught("all")
    for wrong, status in (
        ({"key": [float("nan")] * D}, "NON_FINITE_VECTOR"),
        ({"features": [(1, 1e101)]}, "TOO_LARGE"),
        ({"features": [(0xFFFF << 48, 1.0)]}, "RESERVED_ID"),
    ):
        with pytest.raises(InvalidInput, match=status):
            cell.explain(batch_of([event | wrong]))


def test_parts_that_have_not_joined_add_nothing() -> None:
    """At the first stage of the roll-out only the halves and the correction explain anything."""
    cell, event = taught("staged")
    why = cell.explain(batch_of([event]))
    assert set(why.gate) == {TRUST}
    assert not why.attention
    assert all(why.meta.values())


def test_explaining_changes_nothing() -> None:
    """The state is the same, to the byte."""
    cell, event = taught("all")
    before = {name: array.tobytes() for name, array in cell.to_state().items()}
    cell.explain(batch_of([event]))
    assert {name: array.tobytes() for name, array in cell.to_state().items()} == before


def test_an_explanation_is_of_one_event() -> None:
    """Two events have no common explanation."""
    cell, event = taught("all")
    with pytest.raises(InvalidInput, match="one event, not of 2"):
        cell.explain(batch_of([event, event]))
