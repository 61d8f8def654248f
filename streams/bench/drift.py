"""``weir bench drift``: the worked scenario of the seed's section 15, in figures and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.fusion.outputs import Action
from streams.bench import scenario
from streams.bench.measured import Measured, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes

    Rows = npt.NDArray[Any]

BENCH = "drift"
PHASES: Final = {
    "steady": scenario.STEADY,
    "novelty": scenario.NOVELTY,
    "stable": scenario.STABLE,
}


def run_drift(plot: Path | None, say: Callable[[str], None]) -> Iterator[Measured]:
    """Run the scenario once (it is the same each time) and yield what it showed.

    Args:
        plot: file for the picture; PNG, SVG or PDF by its name.
        say: told what is being measured.
    """
    say("the worked scenario")
    rows = scenario.run()
    for phase, part in PHASES.items():
        params = {"phase": phase}
        late = rows[part][-200:]
        yield measured(BENCH, "gate", "share", [float(late["gate"].mean())], params)
        yield measured(BENCH, "abs_error", "", [float(np.abs(late["error"]).mean())], params)
    for metric, event in {
        "events_to_clamp": first(rows, Action.GATE_STEPPED_DOWN),
        "events_to_early_rebuild": first(rows, Action.REBUILD_REQUESTED),
    }.items():
        yield measured(BENCH, metric, "events", [float(event - scenario.NOVELTY.start)], {})
    release = first(rows, Action.TAU_RELEASED, scenario.STABLE.start)
    yield measured(
        BENCH, "events_to_release", "events", [float(release - scenario.STABLE.start)], {}
    )
    if plot is not None:
        draw(rows, plot)


def first(rows: Rows, action: Action, start: int = scenario.NOVELTY.start) -> int:
    """The first event from ``start`` on at which something was decided; the end if none was."""
    found = np.flatnonzero(rows["actions"][start:].astype(np.int64) & int(action))
    return start + int(found[0]) if found.size else len(rows)


def draw(rows: Rows, file: Path) -> None:
    """Draw what happened, one panel a question, on a shared axis of events."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - takes a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(11, 12), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(5, 1, sharex=True)
    figure.suptitle("Steady, a spike of novelty, stabilisation (seed, section 15)")
    events = np.arange(len(rows))
    for name, colour in (("y_hlm", "tab:blue"), ("y_sera", "tab:orange"), ("y_hat", "black")):
        error = np.abs(rows["error"] + rows["y_hat"] - rows[name])
        smooth = np.convolve(error, np.full(25, 1 / 25), mode="same")
        panels[0].plot(events, smooth, color=colour, label=LABELS[name], linewidth=1.2)
    panels[0].set_ylabel("error, mean of 25")
    panels[1].plot(events, rows["g_max"], color="lightgrey", label="its clamp", linewidth=4.0)
    panels[1].plot(events, rows["gate"], color="tab:orange", label="gate", linewidth=1.2)
    panels[1].set_ylabel("weight of attention")
    panels[2].plot(events, rows["margin"], color="tab:green", label="margin", linewidth=1.0)
    panels[2].axhline(0.0, color="tab:red", linewidth=0.8, label="alarm below")
    reds = events[rows["rj_level"] == 2]  # noqa: PLR2004 - red
    panels[2].plot(
        reds, np.full(reds.size, -1.5), "|", color="tab:red", label="red half difference"
    )
    panels[2].set_ylabel("health of attention")
    panels[3].plot(events, rows["lambda_star"], color="tab:purple", label="λ*")
    panels[3].plot(events, rows["beta_floor"], color="tab:brown", label="β floor")
    panels[3].plot(events, rows["lr"] / rows["lr"].max(), color="tab:blue", label="share of lr")
    panels[3].set_ylabel("controls")
    panels[4].plot(events, rows["delta_load"], color="tab:blue", label="load of Hlm's delta")
    panels[4].plot(events, rows["tau_low"], color="black", label="τ low", linewidth=1.4)
    rebuilds = np.flatnonzero(np.diff(rows["rebuilds"])) + 1
    published = np.flatnonzero(np.diff(rows["ver_base"])) + 1
    for place, what, style in ((rebuilds, "rebuild begins", ":"), (published, "published", "-")):
        for number, event in enumerate(place.tolist()):
            label = what if number == 0 else None
            panels[4].axvline(event, color="grey", linestyle=style, linewidth=1.0, label=label)
    panels[4].set_ylabel("Hlm")
    panels[4].set_xlabel("event")
    for panel in panels:
        _shade(panel)
        panel.legend(loc="center right", fontsize=8, framealpha=0.9)
    figure.savefig(file, dpi=110)


LABELS: Final = {"y_hlm": "linear half", "y_sera": "attention half", "y_hat": "fused"}


def _shade(panel: Axes) -> None:
    panel.axvspan(scenario.NOVELTY.start, scenario.NOVELTY.stop, color="tab:red", alpha=0.08)
    panel.margins(x=0.0)
