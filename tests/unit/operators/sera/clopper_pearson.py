"""How sure a counted rate is."""

from __future__ import annotations

from scipy.stats import beta


def lower_bound(count: int, trials: int) -> float:
    """Lower end of the 95 % interval of a binomial rate (Clopper and Pearson, 1934)."""
    return 0.0 if count == 0 else float(beta.ppf(0.025, count, trials - count + 1))
