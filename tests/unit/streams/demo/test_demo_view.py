from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from streams.demo.picture import KeepFrame, save_picture
from streams.demo.scene import Scene, Throughput
from streams.demo.screens import LineScreen, open_screen
from streams.demo.tally import Tally
from streams.demo.view import NAMES, ROWS, render, seconds_text
from tests.unit.streams.demo.demo_cases import PROBLEM, learnt, scene_of

if TYPE_CHECKING:
    from pathlib import Path


def shown(scene: Scene, width: int = 120, height: int = 50) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    console.print(render(scene, width, height))
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def test_the_view_shows_where_the_run_stands() -> None:
    """Steps, scores of every learner, health, throughput, latency, audit and quarantine show."""
    text = "\n".join(shown(scene_of(learnt(200))))
    for part in (
        "demo-abc123",
        "✓ Kafka is up at 127.0.0.1:9092",
        "Streaming 1,000 messages",
        "600 of 1,000 sent",
        "does this web page pose as another?",
        *(name for name, _ in NAMES.values()),
        "100.0%",
        "gate: attention's share",
        "25%",
        "margin 2.50",
        "half difference 0.031",
        "200 · 300/s · 397 messages waiting",
        "half within 35 ms, 99 % within 1.2 s",
        "shard 0: 120 · shard 1: 80",
        "2 BAD_AVRO · NON_FINITE_LABEL",
        "worker · up",
    ):
        assert part in text, part


def test_the_view_says_that_the_worker_is_down() -> None:
    """Between the kill and its successor the worker is shown as down."""
    scene = scene_of(learnt(200))
    scene.is_worker_up = False
    assert any("worker · down" in line for line in shown(scene))


def test_before_the_first_prediction_nothing_is_made_up() -> None:
    """Without predictions there are no numbers, and no NaN."""
    scene = Scene("demo-abc123", [PROBLEM], Tally(["phishing"], set()), total=10, sent=1)
    text = "\n".join(shown(scene))
    assert "fused" in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (108, ROWS), (200, 60)])
def test_the_view_fits_the_terminal(width: int, height: int) -> None:
    """No line is wider and no view of two problems higher than the terminal."""
    scene = scene_of(learnt(2_000))
    assert scene.tally is not None
    scene.problems = [PROBLEM, PROBLEM]
    for number in range(6):
        scene.begin(f"step {number}").finish(f"step {number}")
    lines = shown(scene, width, height)
    assert max(map(len, lines)) <= width
    if height < ROWS:
        assert len(lines) < height


def test_a_pipe_gets_each_step_once() -> None:
    """Without a terminal, steps are lines: begun, and ended with the time they took."""
    console = Console(file=StringIO(), width=200)
    scene = Scene("demo-abc123")
    with open_screen(console) as screen:
        step = scene.begin("Starting Kafka")
        screen.show(scene)
        screen.show(scene)
        step.finish("Kafka is up")
        screen.show(scene)
        screen.show(scene)
        scene.begin("Checking").fail("It does not hold")
        screen.show(scene)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.partition(" (")[0] for line in lines] == [
        "… Starting Kafka",
        "✓ Kafka is up",
        "✗ It does not hold",
    ]


def test_a_pipe_gets_the_scores_on_the_way() -> None:
    """Without a terminal, a few lines now and then say how far it is and who is right."""
    console = Console(file=StringIO(), width=200)
    LineScreen(console).show(scene_of(learnt(200)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "200 predictions, 300/s, 397 messages waiting" in text
    assert "phishing right: fused 100.0%, linear half 100.0%" in text


def test_a_pipe_is_told_while_no_worker_serves() -> None:
    """During the crash the lines say what waits, not the same scores again."""
    console = Console(file=StringIO(), width=200)
    scene = scene_of(learnt(200))
    scene.is_worker_up = False
    LineScreen(console).show(scene)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "no worker serves, 397 messages wait in Kafka" in text
    assert "phishing right" not in text


def test_the_picture_is_the_last_frame_of_the_stream_and_fetches_nothing(tmp_path: Path) -> None:
    """The saved view shows the stream in motion, in a file that stands alone."""
    kept = KeepFrame(LineScreen(Console(file=StringIO())))
    scene = scene_of(learnt(200))
    kept.show(scene)
    scene.sent = scene.total
    scene.begin("This comes too late")
    kept.show(scene)
    save_picture(tmp_path / "view.svg", kept.frames.values())
    svg = (tmp_path / "view.svg").read_text(encoding="utf-8")
    assert "600&#160;of&#160;1,000&#160;sent" in svg
    assert "This&#160;comes" not in svg
    assert "url(" not in svg.replace("url(#", "")


def test_throughput_is_that_of_the_last_seconds() -> None:
    """A fast start does not show in the rate of later seconds."""
    rate = Throughput()
    assert rate.per_second == 0.0
    rate.add(0, 0.0)
    rate.add(10_000, 1.0)
    for second in range(2, 12):
        rate.add(10_000 + 50 * second, float(second))
    assert rate.per_second == pytest.approx(50.0)


def test_times_are_told_in_the_unit_that_suits_them() -> None:
    """Milliseconds below a second, seconds above, and a dash where there is none."""
    assert [seconds_text(value) for value in (0.0349, 2.25, None)] == ["35 ms", "2.2 s", "-"]
