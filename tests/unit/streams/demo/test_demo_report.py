from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from streams.demo.plot import save_plot
from streams.demo.report import RESULT, Crash, Report, crash_text, verdicts
from tests.unit.streams.demo.demo_cases import BROKEN, HOLDS, learnt, report_of

if TYPE_CHECKING:
    from pathlib import Path

CRASH = Crash({"phishing": 120}, 7.4, 2_271)


def printed(report: Report) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(report.render())
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_fused_learner_that_is_better_is_called_better() -> None:
    """The comparison is with the better half, in numbers."""
    [line] = verdicts(learnt(50, fused=0.9, linear=0.6, attention=0.7).problems)
    assert "the better of its halves, the attention half" in line
    assert "RMSE 0.1000 to 0.3000, better" in line
    assert "right answers 100.00% to 100.00%, the same" in line


def test_a_fused_learner_that_is_worse_is_called_worse() -> None:
    """A result that does not flatter is told as it is."""
    [line] = verdicts(learnt(50, fused=0.4, linear=0.6, attention=0.3).problems)
    assert "the linear half" in line
    assert "RMSE 0.6000 to 0.4000, worse" in line
    assert "right answers 0.00% to 100.00%, worse" in line


def test_exit_code_is_0_only_if_everything_holds(tmp_path: Path) -> None:
    """The first thing that does not hold decides."""
    problems = learnt(50).problems
    assert report_of(tmp_path, problems, HOLDS, HOLDS).exit_code == 0
    assert report_of(tmp_path, problems, HOLDS, BROKEN).exit_code == 4
    lost = HOLDS._replace(holds=False)
    assert report_of(tmp_path, problems, lost, BROKEN).exit_code == 1


def test_results_show_scores_checks_and_where_everything_is(tmp_path: Path) -> None:
    """The end of a run says what was reached, what holds, and how to look further."""
    text = printed(report_of(tmp_path, learnt(50).problems, HOLDS, BROKEN))
    for part in (
        "always the majority",
        "0.1000",
        "✓ 10 events, 10 predictions",
        "✗ 1 audit log: TAMPERED",
        "accuracy.png",
        "worker-*.log",
        f"weir --config {tmp_path / 'weir.toml'} verify",
        f"weir --config {tmp_path / 'weir.toml'} tail --from beginning",
    ):
        assert part in text, part


def test_results_are_saved_as_data(tmp_path: Path) -> None:
    """Scripts find the numbers in a file of valid JSON."""
    report_of(tmp_path, learnt(50).problems, HOLDS, crash=CRASH).save()
    result = json.loads((tmp_path / RESULT).read_text(encoding="utf-8"))
    assert result["checks"] == {"exactly_once": True}
    assert result["crash"] == {"takeover_s": 7.4, "waiting": 2_271}
    assert result["problems"]["phishing"]["scores"]["fused"]["accuracy"] == 1.0
    assert result["problems"]["phishing"]["first_time"]["fused"]["labels"] == 25


def test_a_crash_is_told_in_one_line() -> None:
    """When, and what the successor found waiting."""
    assert crash_text(CRASH) == (
        "Killed the worker (kill -9) at prediction 120; the next one had 2,271 messages waiting"
    )


def test_curves_are_drawn(tmp_path: Path) -> None:
    """The plot is a PNG of two rows, accuracy and gate, with and without a crash."""
    for crash in (None, CRASH):
        report = report_of(tmp_path, learnt(200).problems, crash=crash)
        save_plot(report)
        data = report.plot_file.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) > 10_000
