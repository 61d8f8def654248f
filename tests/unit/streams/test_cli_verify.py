"""Which constants ``weir verify`` recomputes levels with."""

from __future__ import annotations

import pytest

from schemas.errors import ConfigError
from state.audit.rj_policy import RjPolicy
from streams.cli.verify import policy_of
from streams.settings import load_settings


def test_own_trail_is_held_to_the_settings() -> None:
    """Constants and diagnostic are those that the learner runs with."""
    settings = load_settings(learner={"sera": {"policy": "rj_gap", "c_red": 3.0}})
    assert policy_of(settings, None, own=True) == RjPolicy(1.0, 3.0, 0.05, 1e-6, "rj_gap")
    assert policy_of(settings, None, own=False) is None


def test_constants_may_be_given() -> None:
    """Four numbers, and after them the diagnostic."""
    settings = load_settings()
    assert policy_of(settings, "1,2,0.05,1e-6", own=False) == RjPolicy(1.0, 2.0, 0.05, 1e-6)
    given = policy_of(settings, "1,2,0.05,1e-6,rj_gap", own=False)
    assert given == RjPolicy(1.0, 2.0, 0.05, 1e-6, "rj_gap")


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,rj_gap"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    """The message says what is due."""
    with pytest.raises(ConfigError, match="C_YELLOW,C_RED,DELTA,EPSILON"):
        policy_of(load_settings(), text, own=False)
