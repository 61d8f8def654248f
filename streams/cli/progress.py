"""A bar that shows how far a file has been read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from rich.console import Console

_PERIOD_S = 0.1


class WorkProgress:
    """Shows a share of known work, or of unknown work what is done; a context manager.

    Nothing is shown where there is no terminal.

    Args:
        console: where to.
        what: is being done, in a word or two.
        unit: of what is counted, such as ``events``.
    """

    def __init__(self, console: Console, what: str, unit: str) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._unit = unit
        self._task = self._progress.add_task(what, total=None, note="")
        self._started = time.monotonic()
        self._next = 0.0

    def say(self, what: str) -> None:
        """Begin something else, of which it is not known how much there is."""
        self._progress.reset(self._task, total=None, description=what, note="")
        self._started = time.monotonic()

    def show(self, count: int, done: float, total: float | None) -> None:
        """Say how far it is; cheap enough to be called for every event.

        Args:
            count: events or whatever the unit is, so far.
            done: work done, in any unit (bytes, say).
            total: all the work in the same unit; None: not known.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PERIOD_S
        rate = count / max(now - self._started, _PERIOD_S)
        note = f"{count:,} {self._unit}, {rate:,.0f}/s"
        self._progress.update(self._task, completed=done, total=total, note=note)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
