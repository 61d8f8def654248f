from __future__ import annotations

import math
from typing import Any

import pytest

from operators.errors import InvalidConfig
from operators.hlm.config import HlmConfig


def test_defaults_are_the_seeds() -> None:
    """Whoever sets nothing gets the constants of the seed's section 9.1, and bounds that follow."""
    config = HlmConfig()

    assert (config.choices, config.bucket, config.stash) == (2, 4, 8)
    assert (config.relocations, config.ring) == (8, 16)
    assert (config.tau_low, config.tau_high) == (0.6, 0.8)
    assert config.table_bound == 2 * 4 + 8 + 16 + 1
    assert config.lookup_bound == 2 * config.table_bound
    assert config.insert_bound == config.lookup_bound + 8 + 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"capacity": 5000}, "capacity"),
        ({"capacity": 4}, "capacity"),
        ({"capacity": 1 << 29}, "capacity"),
        ({"subtable": 1 << 13}, "subtable"),
        ({"subtable": 4}, "subtable"),
        ({"rebuild_events": 1}, "rebuild_events"),
        ({"rebuild_keys_per_event": 0}, "rebuild_keys_per_event"),
        ({"rate": "adam"}, "rate"),
        ({"arithmetic": "half"}, "arithmetic"),
        ({"arithmetic": "single", "link": "logistic"}, "arithmetic"),
        ({"arithmetic": "single", "rate": "adagrad"}, "arithmetic"),
        ({"arithmetic": "single", "compensated": True}, "arithmetic"),
        ({"order": "mine"}, "order"),
        ({"order": "river", "link": "logistic"}, "order"),
        ({"order": "river", "arithmetic": "single"}, "order"),
        ({"choices": 1}, "choices"),
        ({"choices": 5}, "choices"),
        ({"bucket": 3}, "bucket"),
        ({"bucket": 32}, "bucket"),
        ({"stash": -1}, "stash"),
        ({"ring": 300}, "ring"),
        ({"stash": 200, "ring": 100}, "stash + ring"),
        ({"relocations": -1}, "relocations"),
        ({"tau_low": 0.8, "tau_high": 0.8}, "tau_low"),
        ({"tau_low": 0.0}, "tau_low"),
        ({"tau_high": 1.0}, "tau_high"),
        ({"tau_high": math.nan}, "tau_high"),
        ({"lr": 0.0}, "lr"),
        ({"lr": math.inf}, "lr"),
        ({"l2": -0.1}, "l2"),
        ({"l2": math.nan}, "l2"),
        ({"lr": 1.0, "l2": 1.0}, "lr * l2"),
        ({"link": "probit"}, "link"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], named: str) -> None:
    """A wrong setting is refused before anything is built, and the message names it."""
    with pytest.raises(InvalidConfig) as refused:
        HlmConfig(**settings)

    assert named in str(refused.value)
