"""What a benchmark says: one figure a line, against a peer or a floor of the same run."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIANS = "times the median"
NATS, SHARE_WRONG, LABEL_UNITS = "nats", "of events wrong", "in the label's unit"

# Units of which less is better; of all others more is.
LESS_IS_BETTER = frozenset({"s", "ms", "µs", "ns", MEDIANS, NATS, SHARE_WRONG, LABEL_UNITS})

SPREAD = frozenset({"min", "max", "against_min", "against_max", "ratio_min", "ratio_max"})
"""Parameters that say how far the repeats lay apart."""

SIGNIFICANT_DIGITS = 4
"""More would be noise."""


class Measured(NamedTuple):
    """One figure.

    Attributes:
        bench: name of the benchmark.
        metric: what was measured; the names are those of design.md.
        params: what it was measured with, and the spread of the repeats.
        value: median of the repeats.
        unit: of ``value`` and ``against_value``.
        against: the peer or floor; None where there is none.
        against_value: its median.
        ratio: how many times better than the peer; above 1 is better for us, whatever the unit.
    """

    bench: str
    metric: str
    params: Mapping[str, Any]
    value: float
    unit: str
    against: str | None = None
    against_value: float | None = None
    ratio: float | None = None


def measured(
    bench: str,
    metric: str,
    unit: str,
    ours: Sequence[float],
    params: Mapping[str, Any],
    against: str | None = None,
    theirs: Sequence[float] = (),
) -> Measured:
    """Take the medians of repeats and compare them.

    Args:
        bench: name of the benchmark.
        metric: name of the figure.
        unit: of the figures.
        ours: one figure a repeat.
        params: what it was measured with; least and most of the repeats are added.
        against: name of the peer.
        theirs: the peer's figures, in the same order: what ran side by side is compared too.
    """
    value = median(ours)
    spread: dict[str, Any] = {
        "repeats": len(ours),
        "min": _short(min(ours)),
        "max": _short(max(ours)),
    }
    if against is None:
        return Measured(bench, metric, {**params, **spread}, _short(value), unit)
    other = median(theirs)
    ratios = [_better(a, b, unit) for a, b in zip(ours, theirs, strict=True)]
    spread |= {
        "against_min": _short(min(theirs)),
        "against_max": _short(max(theirs)),
        "ratio_min": _short(min(ratios)),
        "ratio_max": _short(max(ratios)),
    }
    return Measured(
        bench,
        metric,
        {**params, **spread},
        _short(value),
        unit,
        against,
        _short(other),
        _short(_better(value, other, unit)),
    )


def _better(ours: float, theirs: float, unit: str) -> float:
    return theirs / ours if unit in LESS_IS_BETTER else ours / theirs


def _short(value: float) -> float:
    if value == 0.0 or not math.isfinite(value):
        return value
    return round(value, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value))))
