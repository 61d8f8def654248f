"""Rows, statuses and actions: the form that others rely on."""

from __future__ import annotations

from operators.fusion.outputs import (
    CAUSES,
    FIELDS,
    QUARANTINE_STATUS,
    STEP_DTYPE,
    Action,
    Status,
    reasons_for,
)


def test_rows_are_packed_little_endian() -> None:
    """A row is its status byte and its doubles with nothing between them, on every machine."""
    assert STEP_DTYPE.itemsize == 1 + 8 * len(FIELDS)
    assert all(STEP_DTYPE[name].str == "<f8" for name in FIELDS)


def test_every_refusal_has_a_reason() -> None:
    """Each status but OK has a reason code, and the codes never change their numbers."""
    assert QUARANTINE_STATUS == {
        1: "NON_FINITE_FEATURE",
        2: "NON_FINITE_VECTOR",
        3: "NON_FINITE_LABEL",
        4: "RESERVED_ID",
        5: "LABEL_OUT_OF_RANGE",
        6: "TOO_LARGE",
    }
    assert int(Status.OK) == 0


def test_action_bits_are_distinct() -> None:
    """Each action is one bit of its own, exact as a double."""
    values = [action.value for action in Action]
    assert sum(values) == (1 << len(values)) - 1


def test_every_action_of_a_record_has_its_reason_beside_it() -> None:
    """Who reads a record reads what was done and why, and nothing that is not so."""
    assert reasons_for(0.0) == {}
    mask = Action.MARGIN_ALARM | Action.GATE_STEPPED_DOWN | Action.LR_REDUCED | Action.GATE_CLAMPED
    assert reasons_for(float(mask)) == {
        "GATE_CLAMPED": (),
        "GATE_STEPPED_DOWN": ("MARGIN_ALARM",),
        "LR_REDUCED": ("MARGIN_ALARM",),
    }
    mask = Action.HLM_PRESSURE | Action.REBUILD_REQUESTED | Action.CAPACITY_RAISED
    assert reasons_for(float(mask)) == {
        "REBUILD_REQUESTED": ("HLM_PRESSURE",),
        "CAPACITY_RAISED": ("HLM_PRESSURE",),
    }
    assert reasons_for(float(CAUSES)) == {}, "what an event showed is no action"
