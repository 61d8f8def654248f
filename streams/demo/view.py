"""The scene on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from streams.demo.scene import StepState
from streams.demo.sparkline import sparkline
from streams.demo.talks_view import BESIDE_TEXT, COLUMNS, milliseconds, panels
from streams.scores import BASELINE

if TYPE_CHECKING:
    from rich.console import RenderableType

    from streams.demo.problems import Problem
    from streams.demo.scene import Scene, Step
    from streams.demo.talks import Talks
    from streams.demo.tally import ProblemTally

WIDTH: Final = 108
"""Columns of the view where there is room."""

ROWS: Final = 35
"""Rows of the whole view; a lower terminal is shown a shorter one, of 22."""

# Learner → what it is called and how it is coloured.
NAMES: Final = {
    "fused": ("fused", "bold green"),
    "linear": ("linear half", "cyan"),
    "attention": ("attention half", "magenta"),
    BASELINE: ("always the majority", "yellow"),
}

_LOW, _HIGH = 0.45, 0.95  # of the accuracy curves
_BESIDE_CURVE = 58  # columns of borders, names and numbers
_LEAST_CURVE = 10
_STEPS_IN_SHORT = 2
_STEPS_BESIDE_TALKS = 3
_LEAST_TEXT = 3


def render(scene: Scene, width: int = WIDTH, height: int = ROWS) -> RenderableType:
    """Return the scene as something that rich can print.

    Args:
        scene: as it is now.
        width: columns that there are.
        height: rows that there are.
    """
    width = min(width, WIDTH)
    is_short = height < ROWS
    if scene.talks is not None and scene.talks.sent:
        return _conversations(scene, scene.talks, width, height)
    parts: list[RenderableType] = [_steps(scene, width, _STEPS_IN_SHORT if is_short else 0)]
    if scene.tally is not None and scene.sent:
        for problem in scene.problems:
            content: list[RenderableType] = [
                _scores(
                    scene.tally.problems[problem.name], max(_LEAST_CURVE, width - _BESIDE_CURVE)
                )
            ]
            if not is_short:
                content.append(_health(problem, scene))
            title = f"[bold]{problem.name}[/bold] · {problem.question}"
            parts.append(_panel(Group(*content), title, width))
        parts.append(_short_worker(scene) if is_short else _worker(scene, width))
    return Group(*parts)


def _conversations(scene: Scene, talks: Talks, width: int, height: int) -> RenderableType:
    steps = _STEPS_IN_SHORT if height < ROWS else _STEPS_BESIDE_TALKS
    panels_high = -(-len(talks.by_name) // COLUMNS)
    # A line for the worker, and one that a live view leaves empty.
    left = min(height, ROWS) - (steps + 2) - 2
    rows = max(_LEAST_TEXT, left // panels_high - BESIDE_TEXT)
    return Group(
        _steps(scene, width, steps), panels(talks, width, rows), _short_talks(scene, talks)
    )


def _short_talks(scene: Scene, talks: Talks) -> Text:
    return Text.from_markup(
        f"worker {_state(scene)} · {talks.sent:,} of {talks.pieces:,} pieces typed · "
        f"{talks.verdicts:,} verdicts, half within {milliseconds(talks.half_within_s)} · "
        f"quarantine {scene.quarantined.total()}"
    )


def _panel(content: RenderableType, title: str, width: int) -> Panel:
    return Panel(content, title=title, title_align="left", width=width, box=box.ROUNDED)


def _steps(scene: Scene, width: int, newest: int) -> Panel:
    """Show the newest steps; with 0 all of them."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", style="dim", no_wrap=True)
    for step in scene.steps[-newest:]:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f} s"
        grid.add_row(_mark(step), Text(step.text), seconds)
    if scene.is_streaming:
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=scene.total, completed=scene.sent, width=width // 2),
            Text(f"{scene.sent:,} of {scene.total:,} sent", style="dim"),
        )
        grid.add_row("", bar, "")
    return _panel(grid, f"[bold]Weir[/bold] · run {scene.name}", width)


def _mark(step: Step) -> RenderableType:
    if step.state is StepState.RUNNING:
        # Its characters are in every font.
        return Spinner("line", style="cyan")
    return Text("✓", "green") if step.state is StepState.DONE else Text("✗", "bold red")


def _scores(tally: ProblemTally, curve_width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("right answers", no_wrap=True)
    for heading in ("last 100", "all", "RMSE"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=6)
    table.add_column(f"last 100 over time, {_LOW:.0%} to {_HIGH:.0%}"[:curve_width], no_wrap=True)
    for learner, (name, style) in NAMES.items():
        score = tally.scores.scores[learner]
        curve = sparkline(
            [sample.accuracy[learner] for sample in tally.samples], _LOW, _HIGH, curve_width
        )
        numbers = (
            (f"{score.recent_accuracy:.0%}", f"{score.accuracy:.1%}", f"{score.rmse:.3f}")
            if score.count
            else ("", "", "")
        )
        table.add_row(*(Text(text, style) for text in (name, *numbers, curve)))
    gates = sparkline([sample.gate for sample in tally.samples], 0.0, 1.0, curve_width)
    cells = ("gate: attention's share", f"{tally.gate:.0%}", "", "", gates)
    table.add_row(*(Text(text, "blue") for text in cells))
    return table


def _health(problem: Problem, scene: Scene) -> Text:
    health = scene.reading.health.get(problem.name) if scene.reading is not None else None
    text = (
        "margin and half difference come with the worker's metrics"
        if health is None
        else f"margin {health.margin:.2f} (alarm below 0) · half difference {health.half_diff:.3f} "
        "(chance error of the attention half)"
    )
    return Text(text, style="dim")


def _worker(scene: Scene, width: int) -> Panel:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    half, most = (seconds_text(value) for value in scene.latency)
    grid.add_row(
        "predictions",
        f"{scene.predictions:,} · {scene.throughput.per_second:,.0f}/s · "
        f"{scene.waiting:,} messages waiting",
    )
    grid.add_row("latency", f"from event to prediction: half within {half}, 99 % within {most}")
    grid.add_row("audit records", _heights(scene))
    grid.add_row("quarantine", _quarantine(scene))
    return _panel(grid, f"[bold]worker[/bold] · {_state(scene)}", width)


def _short_worker(scene: Scene) -> Text:
    rate, waiting = scene.throughput.per_second, scene.waiting
    return Text.from_markup(
        f"worker {_state(scene)} · {rate:,.0f}/s · {waiting:,} waiting · "
        f"audit {_heights(scene)} · quarantine {scene.quarantined.total()}"
    )


def _state(scene: Scene) -> str:
    return "[green]up[/green]" if scene.is_worker_up else "[bold red]down[/bold red]"


def _heights(scene: Scene) -> str:
    heights = scene.reading.heights if scene.reading is not None else {}
    return " · ".join(f"shard {shard}: {height:,}" for shard, height in heights.items())


def _quarantine(scene: Scene) -> str:
    reasons = (
        f"{count} {reason}" if count > 1 else reason
        for reason, count in sorted(scene.quarantined.items())
    )
    return " · ".join(reasons) or "empty"


def seconds_text(seconds: float | None) -> str:
    """Return a time in the unit that suits it."""
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
