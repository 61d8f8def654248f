"""A token bucket that event time fills, so that a replay judges as the original did.

Turner, "New directions in communications (or which way to the information age?)", 1986.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from operators.compiled import kernel

TOKENS: Final = 0
"""Word of a bucket: events that may come at once."""
LAST_US: Final = 1
"""Word of a bucket: the latest event time, microseconds since the epoch."""
BUCKET_WORDS: Final = 2

BACK_US: Final = 3_600 * 1_000_000
"""Event time that goes back by more sets the clock of the bucket back, without filling it."""

Floats = npt.NDArray[np.float64]


def new_bucket(time_us: int, burst: float) -> Floats:
    """A full bucket.

    Args:
        time_us: of the first event.
        burst: events that may come at once, at least 1.

    Returns:
        float64[BUCKET_WORDS].
    """
    return np.array([burst, time_us], np.float64)


@kernel
def spend(
    time_us: npt.NDArray[np.int64],
    rate: float,
    burst: float,
    bucket: Floats,
    granted: npt.NDArray[np.uint8],
) -> None:
    """Grant events, in order, as far as the bucket reaches; exactly the loop over single events.

    Time that stands still or goes back a little fills nothing. Time that goes back far, after an
    event whose time lay in the future, is followed: otherwise the bucket would stay empty until
    that time.

    Args:
        time_us: int64[n], event times.
        rate: events a microsecond.
        burst: most tokens that the bucket holds, at least 1.
        bucket: float64[BUCKET_WORDS], changed in place.
        granted: uint8[n], set to 1 where the event may pass and to 0 elsewhere.
    """
    tokens, last = min(bucket[TOKENS], burst), bucket[LAST_US]
    for i in range(time_us.shape[0]):
        now = float(time_us[i])
        if now > last:
            tokens = min(burst, tokens + (now - last) * rate)
            last = now
        elif now < last - BACK_US:
            last = now
        granted[i] = tokens >= 1.0
        if granted[i]:
            tokens -= 1.0
    bucket[TOKENS], bucket[LAST_US] = tokens, last
