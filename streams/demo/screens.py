"""Where a scene is shown: a live view on a terminal, lines in a pipe."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live

from streams.demo.scene import StepState
from streams.demo.talks_view import news
from streams.demo.view import NAMES, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from streams.demo.scene import Scene, Screen

_HZ = 8
LINE_PERIOD_S = 3.0


@contextmanager
def open_screen(console: Console) -> Iterator[Screen]:
    """Show scenes on a console for as long as the context lasts."""
    if not console.is_terminal:
        yield LineScreen(console)
        return
    with Live(console=console, refresh_per_second=_HZ) as live:
        yield LiveScreen(live)


class LiveScreen:
    """Draws the whole scene again and again."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, scene: Scene) -> None:
        """Draw the scene."""
        size = self._live.console.size
        self._live.update(render(scene, size.width, size.height))


class LineScreen:
    """Prints steps once they are done, scores now and then, and verdicts that say something new."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = 0
        self._ended: set[int] = set()
        self._due = time.monotonic()
        self._said: dict[str, tuple[object, ...]] = {}

    def show(self, scene: Scene) -> None:
        """Print what is new."""
        for number, step in enumerate(scene.steps):
            if number >= self._begun:
                self._begun = number + 1
                if step.state is StepState.RUNNING:
                    self._print(f"… {step.text}")
            if step.state is not StepState.RUNNING and number not in self._ended:
                self._ended.add(number)
                mark = "✓" if step.state is StepState.DONE else "✗"
                self._print(f"{mark} {step.text} ({step.seconds:.1f} s)")
        now = time.monotonic()
        if scene.predictions and scene.waiting and now >= self._due:
            self._due = now + LINE_PERIOD_S
            for line in progress_lines(scene):
                self._print(line)

        if scene.talks is not None:
            for line in news(scene.talks, self._said):
                self._print(line)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
        self._console.file.flush()


def progress_lines(scene: Scene) -> Iterator[str]:
    """Yield how far it is, and, while a worker serves, how often each learner is right."""
    count = f"{scene.predictions:,} predictions"
    if not scene.is_worker_up:
        yield f"  {count}; no worker serves, {scene.waiting:,} messages wait in Kafka"
        return
    yield f"  {count}, {scene.throughput.per_second:,.0f}/s, {scene.waiting:,} messages waiting"
    for name, tally in (scene.tally.problems if scene.tally is not None else {}).items():
        scores = tally.scores.scores
        right = ", ".join(f"{NAMES[who][0]} {scores[who].accuracy:.1%}" for who in NAMES)
        yield f"    {name} right: {right}; gate {tally.gate:.0%}"
