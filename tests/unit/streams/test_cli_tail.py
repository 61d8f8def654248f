"""The live table shows the latest records, and fits the terminal."""

from __future__ import annotations

import io
from collections import deque
from typing import Any

import pytest
from rich.console import Console

from streams.cli import tail
from streams.cli.outputs import OUTPUTS

ROW: dict[str, Any] = {
    "time_us": 1_700_000_000_000_000,
    "tenant": "acme",
    "id": "card-1",
    "step": 123_456,
    "y_hat": 0.123,
    "label": 1.0,
    "y_hlm": 0.2,
    "y_sera": 0.3,
    "gate": 0.5,
    "margin": 3.5,
}


def terminal(width: int, height: int = 12) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height)


def drawn(console: Console, rows: list[dict[str, Any]], count: int) -> list[str]:
    """The lines of the table, without colours."""
    made = tail.fitting(console, OUTPUTS["predictions"], deque(rows), count)
    plain = Console(file=io.StringIO(), width=console.width)
    plain.print(made)
    assert isinstance(plain.file, io.StringIO)
    return plain.file.getvalue().splitlines()


def test_wide_terminal_shows_all_columns() -> None:
    """Where there is room, nothing is left out."""
    lines = drawn(terminal(200), [ROW], 1)
    for heading in OUTPUTS["predictions"].columns:
        assert any(heading in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_number_is_cut_on_a_narrow_terminal(width: int) -> None:
    """A narrow terminal shows fewer columns, and what it shows is whole."""
    text = "\n".join(drawn(terminal(width), [ROW], 1))
    assert "…" not in text
    for value in ("card-1", "0.123", "-0.877", "3.50"):
        assert value in text


def test_before_the_first_record_the_table_says_that_it_waits() -> None:
    """Nobody takes an empty table for a broken one."""
    assert any("waiting" in line for line in drawn(terminal(100), [], 0))


def test_latest_records_stay_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal of twelve lines a thousand records scroll by, and the last ones show."""
    console = terminal(120)
    monkeypatch.setattr(tail, "output", lambda: console)
    batches = ([ROW | {"id": f"card-{n}"}] for n in range(1_000))
    tail.show_live(OUTPUTS["predictions"], batches)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue()[-4_000:]
    assert "card-999" in last
    assert "1,000 records" in last
