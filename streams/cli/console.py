"""Where commands print: data to standard output, everything else to standard error.

rich leaves colours out where they are not wanted (``NO_COLOR``, no terminal, ``TERM=dumb``).
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

PIPE_WIDTH = 200
"""Columns where there is no terminal to fit: rich would cut tables to 80."""


def output() -> Console:
    """Return the console for data."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console for what is said beside the data."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def print_json(value: Any) -> None:
    """Print one JSON value on one line of standard output, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} is not data that a command prints")


def table(title: str, columns: Iterable[str], numbers: Iterable[str] = ()) -> Table:
    """Return an empty table.

    Args:
        title: stands above it.
        columns: headings.
        numbers: those of them whose cells are aligned right.
    """
    right = set(numbers)
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold cyan")
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    return made


def printable(text: str) -> str:
    """Replace what is no character to read: data must not steer the terminal that shows it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
