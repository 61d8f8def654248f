"""The curves of a run as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.demo.view import NAMES
from streams.scores import BASELINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from streams.demo.report import Report
    from streams.demo.tally import ProblemTally

_COLOURS = {"fused": "tab:green", "linear": "tab:cyan", "attention": "tab:purple", BASELINE: "gold"}
_INCHES = (6.0, 6.5)
_DPI = 120


def save_plot(report: Report) -> None:
    """Draw accuracy and gate of each problem over its predictions, as ``report.plot_file``."""
    # A second to import, and needed at the very end only.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    problems = report.problems
    crashed_after = report.crash.predictions if report.crash is not None else {}
    width, height = _INCHES
    figure = Figure(figsize=(width * len(problems), height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2, len(problems), sharex="col", squeeze=False, gridspec_kw={"height_ratios": (3, 1)}
    )
    for column, (name, tally) in enumerate(problems.items()):
        above, below = axes[0][column], axes[1][column]
        _accuracy(above, name, tally)
        below.plot(
            [sample.events for sample in tally.samples],
            [sample.gate for sample in tally.samples],
            color="tab:blue",
        )
        below.set(xlabel="predictions", ylabel="gate: attention's share", ylim=(0, 1))
        if name in crashed_after:
            for each in (above, below):
                each.axvline(crashed_after[name], color="tab:red", linestyle=":", linewidth=1)
            below.annotate(
                "worker killed",
                (crashed_after[name], 0.9),
                xytext=(4, 0),
                textcoords="offset points",
                color="tab:red",
                fontsize="small",
            )
    figure.savefig(report.plot_file, dpi=_DPI)


def _accuracy(axes: Axes, name: str, tally: ProblemTally) -> None:
    events = [sample.events for sample in tally.samples]
    for learner, (label, _) in NAMES.items():
        total = tally.scores.scores[learner].accuracy
        axes.plot(
            events,
            [sample.accuracy[learner] for sample in tally.samples],
            color=_COLOURS[learner],
            linewidth=2 if learner == "fused" else 1,
            label=f"{label}, {total:.1%} in all",
        )
    axes.set(title=name, ylabel="right answers, last 100")
    axes.legend(loc="lower right", fontsize="small")
    axes.grid(alpha=0.3)
