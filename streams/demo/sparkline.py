"""A curve in one line of text."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], low: float, high: float, width: int) -> str:
    """Draw values as bars.

    Args:
        values: in order of time; more than ``width`` of them are averaged in groups.
        low: what the lowest bar stands for; values below are drawn as this.
        high: what the highest bar stands for; values above are drawn as this.
        width: most characters.
    """
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    top = len(_BARS) - 1
    shares = ((value - low) / (high - low) for value in values)
    return "".join(_BARS[round(top * min(max(share, 0.0), 1.0))] for share in shares)
