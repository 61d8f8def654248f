"""Recomputes the level of the half-split policy from a record and the policy's constants.

With x = half_diff / (|y_sera| + epsilon), or rj_gap, which is relative already, where the settings
name it, and bound(t) = √(log(max(t, e) / delta) / r), the level is yellow where x is above
c_yellow · bound(t), and red where it is above c_red · bound(t) (seed, section 2.2); t is the number
of events that the attention state had taken in, ``ver_sera``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from state.audit.leaf import COLUMN

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, np.dtype[np.float64]]

# The step computes its logarithm and norms with another rounding than this; its errors are some
# units in the last place, 1e-16 each.
_ROUNDING: Final = 1e-9

P_MIN: Final = 1e-6
"""Where predictions are probabilities, a readout beyond [P_MIN, 1 - P_MIN] is recorded as these."""


POLICIES: Final = ("half_diff", "rj_gap")
"""Which diagnostic the policy reads."""


class RjPolicy(NamedTuple):
    """Constants of the half-split policy, as configured; the names are those of the settings."""

    c_yellow: float
    c_red: float
    delta: float
    epsilon: float
    policy: str = "half_diff"

    def levels(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """Give the least and the greatest level that each record may have.

        They differ within rounding of a threshold; and where a record does not hold the norm of
        the readout: for values of more than one coordinate, and for a readout that was clamped.
        ``rj_gap`` is recorded as it is read.

        Args:
            numbers: the numbers of n leaves, float64[n, len(NUMBERS)].
        """
        with np.errstate(all="ignore"):  # a forged record may divide by zero
            size = np.abs(numbers[:, COLUMN["y_sera"]]) + self.epsilon
            seen = np.maximum(numbers[:, COLUMN["ver_sera"]], math.e)
            bound = np.sqrt(np.log(seen / self.delta) / numbers[:, COLUMN["r"]])
            gap, half = numbers[:, COLUMN["rj_gap"]], numbers[:, COLUMN["half_diff"]]
            ratio = (gap if self.policy == "rj_gap" else half / size) / bound
        least, most = (
            (ratio * near > self.c_yellow).astype(np.float64) + (ratio * near > self.c_red)
            for near in (1.0 - _ROUNDING, 1.0 + _ROUNDING)
        )
        readout = numbers[:, COLUMN["y_sera"]]
        if self.policy == "rj_gap":
            return least, most
        whole = (readout != P_MIN) & (readout != 1.0 - P_MIN) & (numbers[:, COLUMN["r_v"]] == 1.0)
        return np.where(whole, least, 0.0), np.where(whole, most, 2.0)
