"""``weir bench``, with figures that need no broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from streams.bench.measured import Measured
from streams.bench.stream import Part, Plan
from streams.cli import bench
from streams.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SPREAD = {"repeats": 5, "min": 1.0, "max": 2.0, "cores": 2}
LINES = (
    Measured("stream", "events_per_s", SPREAD, 26_000.0, "events/s", "quix_river", 13_000.0, 2.0),
    Measured("stream", "share", {"stage": "decode", "worker": "weir", **SPREAD}, 0.2, "of time"),
)
SERA_LINES = (
    Measured(
        "sera", "ns_per_event", {"d": 16, "r": 256, "dv": 1, **SPREAD}, 900.0, "ns", "blas", 500.0,
        0.55,
    ),
    Measured("sera", "p99_over_p50", {"d": 16, "r": 256, "dv": 1, **SPREAD}, 2.1, "times"),
    Measured("sera", "drift_in_t", {"d": 16, "r": 256, "dv": 1, **SPREAD}, 1.02, "times"),
)  # fmt: skip

HLM_LINES = (Measured("hlm", "ns_per_feature", SPREAD, 7.0, "ns", "gather_scatter", 3.5, 0.5),)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What was asked for; the figures are those above."""
    asked: list[Plan] = []

    def run(plan: Plan) -> Iterator[Measured]:
        asked.append(plan)
        yield from LINES

    def gives(lines: Iterable[Measured]) -> Callable[[Plan], Iterator[Measured]]:
        return lambda _: iter(lines)

    figures = {bench.Bench.HLM: HLM_LINES, bench.Bench.SERA: SERA_LINES}
    for name in bench.RUNS:
        monkeypatch.setitem(bench.RUNS, name, gives(figures.get(name, ())))
    monkeypatch.setitem(bench.RUNS, bench.Bench.STREAM, run)
    return asked


@pytest.mark.usefixtures("plans")
def test_json_is_one_object_a_line() -> None:
    """Tools read a figure a line; a bar that is missed is no error."""
    result = CliRunner().invoke(app, ["bench", "stream", "--json"])

    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        line._asdict() for line in LINES
    ]


@pytest.mark.usefixtures("plans")
def test_the_table_shows_bars_beside_the_figures() -> None:
    """One sees at once which promises hold on this machine."""
    shown = CliRunner().invoke(app, ["bench", "stream"]).stdout

    assert "26,000" in shown
    assert "missed at least 3 times the peer" in shown
    assert "met at least 25,000 events/s" in shown
    assert "share (decode, weir)" in shown


def test_parts_can_be_measured_by_themselves(plans: list[Plan]) -> None:
    """Who works on latency does not wait for the peers."""
    CliRunner().invoke(app, ["bench", "stream", "--only", "latency", "--only", "null"])
    CliRunner().invoke(app, ["bench", "stream", "--repeats", "7", "--events", "50000"])

    assert plans[0].parts == {Part.LATENCY, Part.NULL}
    assert (plans[1].parts, plans[1].repeats, plans[1].events) == (frozenset(Part), 7, 50_000)


@pytest.mark.usefixtures("plans")
def test_all_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has machine, versions, figures, verdicts and the command that printed them."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["bench", "all"])

    page = (tmp_path / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert result.exit_code == 0
    for wanted in ("cores:", "confluent-kafka:", "quixstreams (peer):", "Apache Kafka:"):
        assert f"- {wanted}" in page
    assert "| events_per_s | 26,000 events/s | 1 to 2 | quix_river | 13,000 | 2 |" in page
    assert "at least 3 times the peer: missed; at least 25,000 events/s: met" in page
    assert "weir bench stream --json" in page
    assert "## hlm" in page
    assert "weir bench hlm --json" in page
    assert "repeats = 5, cores = 2" in page


@pytest.mark.usefixtures("plans")
def test_one_benchmark_runs_alone() -> None:
    """Asked for sera, only sera is measured; its sizes and bars stand beside the figures."""
    result = CliRunner().invoke(app, ["bench", "sera", "--json"])
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        line._asdict() for line in SERA_LINES
    ]
    shown = CliRunner().invoke(app, ["bench", "sera"]).stdout
    assert "ns_per_event (16, 256, 1)" in shown
    assert "missed within 1.5 times NumPy" in shown
    assert "missed at most 2" in shown
    assert "met at least 0.9" in shown
    assert "met at most 1.1" in shown
