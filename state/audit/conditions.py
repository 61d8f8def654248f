"""What the contents of a record must fulfil, checked a block at a time (seed, section 8).

These are the conditions that one can check from the records alone: known format, step numbers
without a gap, finite numbers, probe counts within the configured constants, a level of the
half-split policy that exists, and the mandated reaction to every margin below zero: the clamp of
the gate is lowered, or held where it was lowered already. Which level is right follows from
constants that a record does not hold; who knows them gives them as ``RjPolicy``.

Marks (``leaf.MARKS``) stand between the steps and are checked for their place alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from state.audit.leaf import COLUMN, EPOCH, ERASURE, MARKS, NUMBERS, STEPS
from state.audit.report import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.audit.rj_policy import RjPolicy

    Numbers = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

STEPPED_DOWN: Final = 2
"""Bit of ``actions``: the gate's upper clamp was lowered (``operators.fusion.codes``)."""
HELD: Final = 4
"""Bit of ``actions``: the lowered clamp stays."""
_MANDATED: Final = STEPPED_DOWN | HELD
_MAX_ACTIONS: Final = 2.0**53

LEVELS: Final = (0.0, 1.0, 2.0)  # green, yellow, red
_LEVEL: Final = COLUMN["rj_level"]
_MARGIN: Final = COLUMN["margin"]
_ACTIONS: Final = COLUMN["actions"]
_GAPS: Final = (COLUMN["rj_gap"], COLUMN["half_diff"])
# NaN in an event without a label; infinite never.
_WITHOUT_LABEL: Final = [COLUMN["label"], COLUMN["error"]]
_BOUNDS: Final = (
    (COLUMN["c_lookup"], COLUMN["c_lookup_max"]),
    (COLUMN["c_insert"], COLUMN["c_insert_max"]),
)


class Violation(NamedTuple):
    """A condition that one record of a block breaks."""

    place: int
    reason: Reason
    detail: str


class Conditions:
    """Checks the records of one log block by block, carrying over what the next block needs.

    Args:
        policy: constants of the half-split policy, where they are known.
    """

    __slots__ = ("_awaits_reaction", "_last_step", "_policy")

    def __init__(self, policy: RjPolicy | None) -> None:
        self._policy = policy
        self._last_step = 0.0
        self._awaits_reaction = False

    def check(self, numbers: Numbers) -> Iterator[Violation]:
        """Check the next records.

        Args:
            numbers: the numbers of n > 0 leaves, float64[n, len(NUMBERS)], following those of the
                last call.

        Yields:
            What is broken, condition by condition, each in order of the records.
        """
        formats = numbers[:, COLUMN["format"]]
        marks = np.isin(formats, MARKS)
        # The bytes of a record of another format mean something else: nothing more to say of it.
        known = np.isin(formats, STEPS)
        for index in _where(~(known | marks)):
            yield Violation(index, Reason.FORMAT, f"format {formats[index]:g} is unknown here")
        yield from self._step_numbers(numbers, known, marks)
        if marks.any():
            places = np.flatnonzero(~marks)
            if not len(places):
                return
            for place, reason, detail in self._contents(numbers[places], known[places]):
                yield Violation(int(places[place]), reason, detail)
        else:
            yield from self._contents(numbers, known)

    def _contents(self, numbers: Numbers, known: Mask) -> Iterator[Violation]:
        yield from _finite(numbers, known)
        yield from _probe_bounds(numbers, known)
        yield from _levels(numbers, known)
        if self._policy is not None:
            yield from self._policy_levels(self._policy, numbers, known)
        yield from self._reactions(numbers, known)

    def _step_numbers(self, numbers: Numbers, known: Mask, marks: Mask) -> Iterator[Violation]:
        steps = numbers[:, COLUMN["step"]]
        before = np.empty_like(steps)
        before[0] = self._last_step
        before[1:] = steps[:-1]
        due = np.where(marks, before, before + 1.0)
        wrong = (steps != due) & (known | marks)
        if marks.any():  # an epoch goes back, never ahead
            epochs = numbers[:, COLUMN["format"]] == EPOCH
            wrong &= ~(epochs & (steps >= 0.0) & (steps <= before) & (steps == np.floor(steps)))
            wrong &= ~((numbers[:, COLUMN["format"]] == ERASURE) & (steps == 0.0))
        for index in _where(wrong):
            detail = f"step {steps[index]:.17g} where {due[index]:.17g} was due"
            yield Violation(index, Reason.STEP, detail)
        self._last_step = float(steps[-1])

    @staticmethod
    def _policy_levels(policy: RjPolicy, numbers: Numbers, known: Mask) -> Iterator[Violation]:
        least, most = policy.levels(numbers)
        levels = numbers[:, _LEVEL]
        for index in _where(((levels < least) | (levels > most)) & known):
            detail = f"level {levels[index]:g}, by the policy's constants it is {least[index]:g}"
            yield Violation(index, Reason.RJ_POLICY, detail)

    def _reactions(self, numbers: Numbers, known: Mask) -> Iterator[Violation]:
        below = numbers[:, _MARGIN] < 0.0
        if not (self._awaits_reaction or below.any()):
            return
        idle = _without_reaction(numbers[:, _ACTIONS])
        awaits = below & idle & known
        missed = idle.copy()
        missed[0] &= self._awaits_reaction
        missed[1:] &= awaits[:-1]
        for index in _where(missed):
            detail = (
                "the margin was below zero at the step before, and the gate's clamp was neither "
                "lowered nor held"
            )
            yield Violation(index, Reason.NO_REACTION, detail)
        self._awaits_reaction = bool(awaits[-1])


def _without_reaction(actions: Numbers) -> Mask:
    """Tell where none of the mandated bits is set; a number that is no mask has none."""
    masks = np.where((actions >= 0.0) & (actions < _MAX_ACTIONS), actions, 0.0).astype(np.int64)
    idle: Mask = (masks & _MANDATED) == 0
    return idle


def _where(mask: Mask) -> Iterator[int]:
    if mask.any():  # by far the most blocks have nothing to show
        yield from np.flatnonzero(mask).tolist()


def _finite(numbers: Numbers, known: Mask) -> Iterator[Violation]:
    finite = np.isfinite(numbers)
    finite[:, _WITHOUT_LABEL] |= np.isnan(numbers[:, _WITHOUT_LABEL])
    for index in _where(~finite.all(axis=1) & known):
        fields = ", ".join(NUMBERS[column] for column in np.flatnonzero(~finite[index]))
        yield Violation(index, Reason.NON_FINITE, f"NaN or infinite: {fields}")


def _probe_bounds(numbers: Numbers, known: Mask) -> Iterator[Violation]:
    for observed, bound in _BOUNDS:
        for index in _where((numbers[:, observed] > numbers[:, bound]) & known):
            detail = (
                f"{NUMBERS[observed]} is {numbers[index, observed]:g} and its bound "
                f"{numbers[index, bound]:g}"
            )
            yield Violation(index, Reason.PROBE_BOUND, detail)


def _levels(numbers: Numbers, known: Mask) -> Iterator[Violation]:
    levels = numbers[:, _LEVEL]
    for index in _where(~np.isin(levels, LEVELS) & known):
        yield Violation(index, Reason.RJ_POLICY, f"{levels[index]:g} is no level: 0, 1 or 2 are")
    for gap in _GAPS:
        for index in _where((numbers[:, gap] < 0.0) & known):
            detail = f"{NUMBERS[gap]} is {numbers[index, gap]:g}: a norm is not below zero"
            yield Violation(index, Reason.RJ_POLICY, detail)
