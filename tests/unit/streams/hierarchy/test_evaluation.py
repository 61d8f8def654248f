"""What is said of partial verdicts follows from what they said."""

from __future__ import annotations

import numpy as np
import pytest

from operators.dlp.fuse import Origin, Span
from operators.dlp.policy import Audience, Decision
from operators.dlp.tags import TypedSpan
from operators.hierarchy.certainty import AFTER, READ, Certainty
from streams.dlp import policy_file
from streams.hierarchy.evaluation import STEPS, Followed, figures, right_so_far
from streams.hierarchy.following import Seen

NEUTRAL = Certainty(
    np.tile([1.0, 0.0], (len(READ), 4, 1)), np.tile([1.0, 0.0], (len(AFTER), 1)), 0.5
)
TRUE = TypedSpan(20, 40, "SECRET")
HARMLESS = np.array([-9.0, -9.0, 9.0, -9.0])


def seen(step: int, *spans: Span) -> Seen:
    """What is found after some twentieths of a text of 200 code points."""
    of = HARMLESS.astype(np.float32)
    return Seen(10 * step, 3 * step, of, HARMLESS, spans, (0,) * len(spans), (), ())


def secret(end: int, confidence: float = 0.95) -> Span:
    """A span of the model."""
    return Span(20, end, "SECRET", confidence, Origin.MODEL, validated=False, rule="")


def followed() -> Followed:
    """Found too early and too short, then right; something else is taken back."""
    steps = [seen(step) for step in (1, 2)]
    steps.append(seen(3, secret(28)))
    steps.append(seen(4, secret(40), secret(40)._replace(start=50, end=60)))
    steps += [
        seen(step, secret(40), secret(40, 0.5)._replace(start=70, end=80)) for step in range(5, 21)
    ]
    labels = np.tile([False, False, True, False], (STEPS, 1))
    return Followed(tuple(steps), (TRUE,), labels, (), Audience.UNKNOWN, Decision.REVIEW, (TRUE,))


def test_earliness_and_revisions() -> None:
    """Given at 15 %; one of two spans revised, one taken back, and the unsure one never told."""
    found = figures([followed()], NEUTRAL, policy_file.load())
    assert found["earliness"]["first"]["mean"] == pytest.approx(0.15)
    assert found["earliness_not_allowed"]["for_good"]["mean"] == pytest.approx(0.15)
    assert found["agreement"] == [0.0] + [1.0] * 9
    assert found["revisions"] == {"spans": 2, "revised": 0.5, "withdrawn": 0.5}


def test_spans_count_once_they_have_come() -> None:
    """Not while the true one is still arriving, right afterwards; what is not told is missed."""
    found = figures([followed()], NEUTRAL, policy_file.load())
    assert found["spans"]["exact_f1"][2:] == [1.0] * 8
    assert found["spans_without_lookahead"]["exact_f1"][2:] == [0.0] * 8
    assert found["ece"]["sensitivity"] == pytest.approx([0.0] * 10, abs=1e-3)


def test_a_span_is_right_as_far_as_the_true_one_has_come() -> None:
    """Half of what there is of it, of the same type."""
    assert right_so_far(secret(28), [TRUE], 30)
    assert not right_so_far(secret(28), [TRUE], 40)
    assert right_so_far(secret(31), [TRUE], 40)
    assert not right_so_far(secret(40)._replace(type="NAME"), [TRUE], 40)
