"""Figures of merit: spans by type, scores by rank."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.tags import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.dlp.tags import TypedSpan

HALF: Final = 0.5


class SpanTally:
    """Precision, recall and F1 by type, for equal spans and for those that overlap by half."""

    def __init__(self) -> None:
        self.exact: Counter[tuple[str, str]] = Counter()
        self.overlap: Counter[tuple[str, str]] = Counter()

    def add(self, wanted: Sequence[TypedSpan], found: Sequence[TypedSpan]) -> None:
        """Count one text."""
        for counts, same in ((self.exact, _equal), (self.overlap, _overlaps)):
            left = list(found)
            for span in wanted:
                match = next((other for other in left if same(span, other)), None)
                counts[span.type, "hit" if match else "missed"] += 1
                if match:
                    left.remove(match)
            for span in left:
                counts[span.type, "false"] += 1

    def figures(self) -> dict[str, dict[str, float]]:
        """By type: precision, recall, F1 of exact and overlapping matches, and the count."""
        table = {}
        for kind in TYPES:
            row: dict[str, float] = {"count": self.exact[kind, "hit"] + self.exact[kind, "missed"]}
            for name, counts in (("exact", self.exact), ("overlap", self.overlap)):
                hit, missed, false = (counts[kind, what] for what in ("hit", "missed", "false"))
                row[f"{name}_precision"] = hit / max(1, hit + false)
                row[f"{name}_recall"] = hit / max(1, hit + missed)
                row[f"{name}_f1"] = 2 * hit / max(1, 2 * hit + missed + false)
            row["false"] = self.overlap[kind, "false"]
            table[kind] = row
        return table

    def summary(self) -> dict[str, Any]:
        """The figures by type, and macro F1 over the types that are there to be found."""
        table = self.figures()
        present = [row for row in table.values() if row["count"]]
        return {
            "spans": table,
            "macro_exact_f1": _mean([row["exact_f1"] for row in present]),
            "macro_overlap_f1": _mean([row["overlap_f1"] for row in present]),
        }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _equal(left: TypedSpan, right: TypedSpan) -> bool:
    return left == right


def _overlaps(left: TypedSpan, right: TypedSpan) -> bool:
    shared = min(left.end, right.end) - max(left.start, right.start)
    longest = max(left.end - left.start, right.end - right.start)
    return left.type == right.type and shared >= HALF * longest


def average_precision(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve, as the mean precision at each positive."""
    order = np.argsort(-scores, kind="stable")
    hits = labels[order]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def alarms_at_recall(
    scores: NDArray[np.floating], labels: NDArray[np.bool_], recall: float = 0.95
) -> float:
    """Share of the negatives above the threshold that finds this share of the positives."""
    if not labels.any() or labels.all():
        return float("nan")
    threshold = np.quantile(scores[labels], 1 - recall)
    return float((scores[~labels] >= threshold).mean())


def precision_at(confidences: Sequence[float], hits: Sequence[bool], count: int) -> float:
    """Share of right ones among the `count` surest."""
    order = sorted(range(len(hits)), key=lambda place: -confidences[place])[:count]
    return sum(hits[place] for place in order) / len(order) if order else float("nan")
