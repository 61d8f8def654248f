"""Token buckets: what passes follows from event times alone, however they are cut into batches."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.rates import BACK_US, new_bucket, spend

SECOND = 1_000_000


def judged(times: list[int], rate: float, burst: float, cuts: list[int]) -> list[int]:
    """Return what is granted, when the times come in batches."""
    bucket = new_bucket(times[0], burst)
    granted = np.empty(len(times), np.uint8)
    bounds = sorted({0, len(times), *(cut % len(times) for cut in cuts)})
    for start, stop in pairwise(bounds):
        part = np.array(times[start:stop], np.int64)
        spend(part, rate / SECOND, burst, bucket, granted[start:stop])
    return granted.tolist()


TIMES = st.lists(st.integers(-5 * SECOND, 5 * SECOND), min_size=1, max_size=80).map(
    lambda steps: np.cumsum([1_700_000_000 * SECOND, *steps]).tolist()
)


@settings(deadline=None)
@given(times=TIMES, cuts=st.lists(st.integers(0, 80), max_size=6))
def test_batches_change_nothing(times: list[int], cuts: list[int]) -> None:
    """A replay may cut the log otherwise, and must judge alike."""
    assert judged(times, 2.0, 3.0, cuts) == judged(times, 2.0, 3.0, [])


@given(times=TIMES)
@settings(deadline=None)
def test_it_is_the_bucket_of_the_textbook(times: list[int]) -> None:
    """Judged in exact arithmetic; with powers of two doubles are exact too."""
    rate, burst = Fraction(1, 2**19), Fraction(4)
    tokens, last, expected = burst, times[0], []
    for time in times:
        if time > last:
            tokens = min(burst, tokens + rate * (time - last))
            last = time
        expected.append(int(tokens >= 1))
        tokens -= expected[-1]
    assert judged(times, float(rate * SECOND), float(burst), []) == expected


def test_a_burst_passes_and_then_the_rate() -> None:
    """At 10 events a second and a burst of 20: 20 at once, then one each 100 ms."""
    at_once = judged([0] * 50, 10.0, 20.0, [])
    assert at_once == [1] * 20 + [0] * 30
    paced = judged([n * 50_000 for n in range(400)], 10.0, 1.0, [])
    assert sum(paced) == pytest.approx(200, abs=2)


def test_a_clock_that_was_wrong_does_not_starve_the_tenant() -> None:
    """One event of the year 2100 must not bar all events until then."""
    now = 1_700_000_000 * SECOND
    times = [now, now + 3 * 10**9 * SECOND, *(now + n * SECOND for n in range(1, 20))]
    granted = judged(times, 1.0, 2.0, [])
    assert sum(granted[2:]) >= 17
    back_and_forth = [now + (n % 2) * (BACK_US // 2) for n in range(40)]
    assert sum(judged(back_and_forth, 1e-3, 2.0, [])) <= 4  # going back a little fills nothing
