"""Draws what `streams.hierarchy.evaluation` measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes


def draw(found: dict[str, Any], path: Path) -> None:
    """Decisions, earliness, spans and calibration by how much of a text had come, as one image."""
    figure, ((decisions, early), (spans, errors)) = plt.subplots(2, 2, figsize=(11, 7.5))
    _lines(
        decisions,
        "Partial decision is the final one",
        {
            "all streams": found["agreement"],
            "those not allowed in the end": found["agreement_not_allowed"],
        },
    )
    shares = [number / len(found["earliness"]["first"]["by"]) for number in range(1, 21)]
    for name, of in (("all streams", "earliness"), ("not allowed", "earliness_not_allowed")):
        for kind, style in (("first", "-"), ("for_good", ":")) if found[of] else ():
            label = f"{name}, {'first given' if kind == 'first' else 'for good'}"
            early.plot(shares, found[of][kind]["by"], style, label=label)
    early.set_title("Share of streams with the final decision")
    _dress(early)
    _lines(
        spans,
        "Macro F1 of spans that have come",
        {
            "half overlap": found["spans"]["overlap_f1"],
            "exact": found["spans"]["exact_f1"],
            "half overlap, without lookahead": found["spans_without_lookahead"]["overlap_f1"],
            "exact, without lookahead": found["spans_without_lookahead"]["exact_f1"],
        },
    )
    _lines(errors, "Calibration error", {**found["ece"], "spans": found["span_ece"]})
    errors.set_ylim(0, None)
    figure.suptitle(f"Partial verdicts on {found['streams']} development streams")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _lines(axes: Axes, title: str, lines: dict[str, list[float]]) -> None:
    for name, values in lines.items():
        axes.plot([(n + 1) / len(values) for n in range(len(values))], values, ".-", label=name)
    axes.set_title(title)
    _dress(axes)


def _dress(axes: Axes) -> None:
    axes.set_xlabel("share of the text that has come")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
