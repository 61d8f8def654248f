"""The report's plots: SVG to be put into a page, in the page's own colours.

matplotlib draws with placeholders that become CSS variables and `currentColor` afterwards, so that
one drawing serves light and dark. Texts stay texts. Series differ by line style or hatching too.
"""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.hierarchy.pace import STEPS
from streams.hierarchy.observer import BoundaryType, Metric, PredictionType
from streams.report.verdicts import CONFIDENCE, DECILES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from streams.report.summary import Summary
    from streams.report.timeline import Latencies, Timeline
    from streams.report.verdicts import Reliability

INK: Final = "#0a0b0c"
FAINT: Final = "#0a0b0d"
SERIES: Final = tuple(f"#0a0c{number:02x}" for number in range(1, 7))
BUDGET: Final = SERIES[5]
"""Placeholders: what no plot would use by chance."""

SHARES: Final = (0.5, 0.95, 0.99)
_STYLES: Final = ("-", "--", "-.", ":", (0, (1, 1)), "-")
_HATCHES: Final = ("", "///", "...", "xx")
_INCHES: Final = (9.0, 3.0)
_PERIODS: Final = {"minute": 60.0, "hour": 3_600.0}
_DAY: Final = 86_400.0
"""Seconds of matplotlib's unit of time."""

_SETTINGS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "weir",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "hatch.color": INK,
    "hatch.linewidth": 0.6,
}


def latency(summary: Summary, name: Metric) -> str:
    """Percentiles over time of tokens or updates, against their budget."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - takes a second

    budgets = {Metric.TOKEN: summary.budgets.token_ms, Metric.UPDATE: summary.budgets.update_ms}

    def draw(axes: Axes) -> None:
        timeline = summary.latency[name]
        times, rows = _percentiles(timeline)
        for number, share in enumerate(SHARES):
            label = f"p{100 * share:g}"
            _line(axes, times, rows[:, number], timeline.width, number, label)
        axes.axhline(budgets[name], color=BUDGET, linewidth=1.5, label="budget")
        axes.set(yscale="log", ylabel="milliseconds")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(_plain)
        axes.yaxis.set_minor_formatter(NullFormatter())
        _timed(axes)

    return _drawn(f"latency-{name.value}", draw)


def pace(summary: Summary) -> str:
    """The step and the backlog of the workers over time."""

    def draw(above: Axes, below: Axes) -> None:
        cells = list(summary.steps.between(summary.first, summary.last))
        shares = [
            [100 * counts[step] / max(1, counts.total()) for _, counts in cells] for step in STEPS
        ]
        layers = above.stackplot(
            [time / _DAY for time, _ in cells],
            shares,
            step="post",
            colors=SERIES[: len(STEPS)],
            labels=[step.value.replace("_", " ") for step in STEPS],
        )
        for layer, hatch in zip(layers, _HATCHES, strict=True):
            layer.set_hatch(hatch)
        above.set(ylabel="% of the time", ylim=(0, 100))
        loads = [(time, cell) for time, cell in summary.load if Metric.WAITING in cell]
        times = [time for time, _ in loads]
        waiting = [cell[Metric.WAITING] for _, cell in loads]
        _line(below, times, waiting, summary.load.width, 0, "most tokens that waited")
        below.axhline(summary.budgets.backlog, color=BUDGET, linewidth=1.5, label="budget")
        below.set(ylabel="tokens", ylim=(0, None))
        for axes in (above, below):
            _timed(axes)

    return _drawn("pace", draw, panels=2)


def reliability(summary: Summary) -> str:
    """How often what partial verdicts said was borne out by the final one, by chance."""
    diagrams = summary.judged.reliability

    def draw(*panels: Axes) -> None:
        for panel, (name, of) in zip(panels, diagrams.items(), strict=True):
            _diagram(panel, name, of)
        panels[0].set_ylabel("share borne out")

    return _drawn("reliability", draw, panels=len(diagrams), across=True)


def prefixes(summary: Summary) -> str:
    """Earliness, and agreement with the final verdict by how much of the text had come."""
    judged = summary.judged

    def draw(left: Axes, right: Axes) -> None:
        ends = [f"{10 * tenth}" for tenth in range(1, DECILES + 1)]
        heights = 100 * judged.earliness / max(1, judged.earliness.sum())
        left.bar([*ends, "end"], heights, color=SERIES[0], width=0.8)
        left.set(
            xlabel="% of the text seen", ylabel="% of streams", title="final decision first given"
        )
        with np.errstate(invalid="ignore"):
            shares = 100 * judged.agreed / judged.partials
        right.plot(ends, shares, color=SERIES[1], marker="o")
        right.set(
            xlabel="% of the text seen", ylabel="% of partial verdicts", ylim=(0, 102),
            title="with the final decision",
        )  # fmt: skip

    return _drawn("prefixes", draw, panels=2, across=True)


def revisions(summary: Summary) -> str:
    """Verdicts, and spans taken back, over time."""

    def draw(above: Axes, below: Axes) -> None:
        names = [PredictionType.PARTIAL.value, PredictionType.FINAL.value]
        _rates(above, summary, summary.verdicts, names, "verdicts a minute")
        _rates(below, summary, summary.verdicts, ["revised", "withdrawn"], "spans an hour")

    return _drawn("revisions", draw, panels=2)


def boundaries(summary: Summary) -> str:
    """Sentences, paragraphs and topics over time."""
    names = [one.value for one in BoundaryType]
    return _drawn(
        "boundaries",
        lambda axes: _rates(axes, summary, summary.boundaries, names, "a minute"),
    )


def failures(summary: Summary) -> str:
    """Failed steps over time, by what came of their streams."""
    return _drawn(
        "failures",
        lambda axes: _rates(
            axes, summary, summary.failures, ["recovered", "ended"], "failures an hour"
        ),
    )


def _drawn(name: str, draw: Callable[..., None], panels: int = 1, *, across: bool = False) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - takes a second
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - the same
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    width, height = _INCHES
    with mpl.rc_context(_SETTINGS):
        size = (width, 0.85 * height if across else height * panels)
        figure = Figure(size, layout="constrained")
        FigureCanvasSVG(figure)
        grid = (1, panels) if across else (panels, 1)
        draw(*figure.subplots(*grid, squeeze=False).ravel())
        return _svg(name, figure)


def _svg(name: str, figure: Figure) -> str:
    """The figure as an element, its ids made unique by the name."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    for number, colour in enumerate(SERIES, 1):
        text = text.replace(colour, f"var(--series-{number})")
    return text


def _percentiles(timeline: Timeline[Latencies]) -> tuple[list[float], Any]:
    cells = list(timeline)
    rows = np.array([cell.percentiles(SHARES) for _, cell in cells]).reshape(-1, len(SHARES))
    return [time for time, _ in cells], rows


def _line(
    axes: Axes, times: Sequence[float], values: Iterable[float], width: int, style: int, label: str
) -> None:
    """A line through intervals; broken where nothing happened for longer than two of them."""
    at: list[float] = []
    height: list[float] = []
    before = math.inf
    for time, value in zip(times, values, strict=True):
        if time - before > 2 * width:
            at.append((before + width) / _DAY)
            height.append(math.nan)
        at.append((time + width / 2) / _DAY)
        height.append(value)
        before = time
    alone = len(at) == 1
    axes.plot(
        at, height, color=SERIES[style], linestyle=_STYLES[style], linewidth=1.4, label=label,
        marker="o" if alone else "",
    )  # fmt: skip


def _rates(
    axes: Axes, summary: Summary, timeline: Timeline[Counter[Any]], names: Sequence[str], unit: str
) -> None:
    """Counts by name as rates; the unit's last word is the period."""
    cells = list(timeline.between(summary.first, summary.last))
    times = [time for time, _ in cells]
    share = _PERIODS[unit.rsplit(maxsplit=1)[-1]] / timeline.width
    for number, name in enumerate(names):
        rates = [counts[name] * share for _, counts in cells]
        _line(axes, times, rates, timeline.width, number, name)
    axes.set(ylabel=unit, ylim=(0, None))
    _timed(axes)


def _diagram(panel: Axes, name: str, of: Reliability) -> None:
    panel.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    seen = of.counts > 0
    if seen.any():
        said, true = of.chances[seen] / of.counts[seen], of.came_true[seen] / of.counts[seen]
        sizes = 12 + 100 * of.counts[seen] / of.counts.max()
        colour = SERIES[2] if name == CONFIDENCE else SERIES[0]
        panel.plot(said, true, color=colour, linewidth=1)
        panel.scatter(said, true, s=sizes, color=colour)
    panel.set(title=name, xlabel="chance said", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    panel.set_aspect("equal")
    panel.set_xticks([0, 0.5, 1])


def _timed(axes: Axes) -> None:
    from matplotlib import dates  # noqa: PLC0415 - takes a second

    locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=6, borderaxespad=0)


def _plain(value: float, _place: float) -> str:
    return f"{value:g}"
