"""What came of a run: scores, checks, and where everything is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from streams.demo.tally import better_half
from streams.demo.view import NAMES, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from streams.demo.checks import Check
    from streams.demo.stage import Stage
    from streams.demo.talk_report import TalkReport
    from streams.demo.tally import ProblemTally

PLOT: Final = "accuracy.png"
RESULT: Final = "result.json"


@dataclass(frozen=True)
class Crash:
    """The crash of the worker.

    Attributes:
        predictions: how many had been seen before, by problem.
        seconds: from the kill until its successor served.
        waiting: messages that waited in Kafka by then.
    """

    predictions: Mapping[str, int]
    seconds: float
    waiting: int


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Attributes:
        stage: the run.
        problems: scores by problem; none without the first act.
        checks: what must hold.
        crash: of the first act; None where none was wanted.
        latency: seconds from event to prediction, median and 99 %, before any crash.
        seconds: from the first step to the last.
        talks: what came of the conversations; None without the second act.
    """

    stage: Stage
    problems: Mapping[str, ProblemTally]
    checks: Sequence[Check]
    crash: Crash | None
    latency: tuple[float | None, float | None]
    seconds: float
    talks: TalkReport | None = None

    @property
    def exit_code(self) -> int:
        """0 where everything holds, else the code of the first check that does not."""
        return next((check.code for check in self.checks if not check.holds), 0)

    @property
    def plot_file(self) -> Path:
        """Where the curves go."""
        return self.stage.folder / PLOT

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "run": self.stage.name,
            "seconds": round(self.seconds, 1),
            "problems": {
                name: {
                    "scores": tally.scores.as_dict(),
                    "first_time": tally.first_time.as_dict(),
                    "gate": tally.gate,
                }
                for name, tally in self.problems.items()
            },
            "checks": {check.name: check.holds for check in self.checks},
            "crash": None
            if self.crash is None
            else {"takeover_s": round(self.crash.seconds, 3), "waiting": self.crash.waiting},
            "latency_s": {"p50": self.latency[0], "p99": self.latency[1]},
            "conversations": None if self.talks is None else self.talks.as_dict(),
        }

    def save(self) -> None:
        """Write it beside the rest of the run."""
        text = json.dumps(self.as_dict(), indent=2) + "\n"
        (self.stage.folder / RESULT).write_text(text, encoding="utf-8")

    def render(self) -> RenderableType:
        """Return it as something that rich can print."""
        parts: list[RenderableType] = []
        if self.problems:
            parts += [_scores(self.problems), *map(Text, verdicts(self.problems)), Text()]
        if self.talks is not None:
            parts += [self.talks.render(WIDTH), Text(self.talks.caption(), "dim"), Text()]
        return Group(
            *parts,
            *(_check_line(check) for check in self.checks),
            Text(),
            _files(self),
        )


def _scores(problems: Mapping[str, ProblemTally]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, title="Results", title_style="bold")
    for heading in ("data", "answers"):
        table.add_column(heading, no_wrap=True)
    for heading in ("right", "right, rows new to it", "right, last 100", "RMSE"):
        table.add_column(heading, justify="right", no_wrap=True)
    for problem, tally in problems.items():
        for number, (learner, (name, style)) in enumerate(NAMES.items()):
            score, first = tally.scores.scores[learner], tally.first_time.scores[learner]
            numbers = (
                f"{score.accuracy:.2%}",
                f"{first.accuracy:.2%}",
                f"{score.recent_accuracy:.0%}",
                f"{score.rmse:.4f}",
            )
            table.add_row(
                "" if number else problem, *(Text(text, style) for text in (name, *numbers))
            )
        table.add_section()
    return table


def verdicts(problems: Mapping[str, ProblemTally]) -> Iterator[str]:
    """Say for each problem whether fusing the halves was worth it, as it came out."""
    for problem, tally in problems.items():
        best = better_half(tally.scores)
        fused, half = (tally.scores.scores[name] for name in ("fused", best))
        squared = _compared(half.rmse - fused.rmse)
        right = _compared(fused.accuracy - half.accuracy)
        yield (
            f"{problem}: fused against the better of its halves, the {NAMES[best][0]}:\n"
            f"  RMSE {fused.rmse:.4f} to {half.rmse:.4f}, {squared}; "
            f"right answers {fused.accuracy:.2%} to {half.accuracy:.2%}, {right}"
        )


def _compared(gain: float) -> str:
    return "better" if gain > 0 else "worse" if gain < 0 else "the same"


def _check_line(check: Check) -> Text:
    return Text.assemble(("✓ ", "green") if check.holds else ("✗ ", "bold red"), check.text)


def _files(report: Report) -> Table:
    folder = _shown(report.stage.folder)
    weir = f"weir --config {_shown(report.stage.config_file)}"
    learnt: tuple[tuple[str, str], ...] = ()
    talked: tuple[tuple[str, str], ...] = ()
    if report.problems:
        learnt = (
            ("all predictions", f"{weir} tail --from beginning"),
            ("verify again", f"{weir} verify"),
        )
    if report.talks is not None:
        talked = (("six logs of streams", f"{weir} report streams"),)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, where in (
        *((("curves", f"{folder / PLOT}"),) if report.problems else ()),
        ("numbers", f"{folder / RESULT}"),
        ("worker's logs", f"{folder / 'worker-*.log'}"),
        ("topics", f"{report.stage.name}.*"),
        ("Kafka again", f"{weir} up"),
        *learnt,
        *talked,
    ):
        grid.add_row(what, Text(where))
    return grid


def _shown(path: Path) -> Path:
    """Return a path as it is reached from here, where it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def crash_text(crash: Crash) -> str:
    """Say what happened at the crash."""
    before = sum(crash.predictions.values())
    return (
        f"Killed the worker (kill -9) at prediction {before:,}; "
        f"the next one had {crash.waiting:,} messages waiting"
    )
