from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from streams.demo.acts import Act
from streams.demo.picture import KeepFrame, save_picture
from streams.demo.scene import Scene
from streams.demo.screens import LineScreen
from streams.demo.talk_checks import result_of
from streams.demo.talk_report import TalkReport
from streams.demo.talks_view import highlighted, ordinal
from streams.demo.view import ROWS, render
from tests.unit.streams.demo.talk_cases import (
    START_US,
    TEXT,
    conversation,
    course,
    span,
    talks_of,
    verdict,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("support", "deploy", "counsel", "lunch")


def scene_of(verdicts: int = 2) -> Scene:
    """A scene in the middle of the second act."""
    scene = Scene("demo-abc123", talks=talks_of(*NAMES), is_worker_up=True)
    assert scene.talks is not None
    for number in range(5):
        scene.begin(f"step {number}").finish(f"step {number}")
    for one in course()[:verdicts]:
        scene.talks.take(one, one["time_us"] / 1e6 + 0.041)
    return scene


def shown(scene: Scene, width: int = 120, height: int = 50) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    console.print(render(scene, width, height))
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def test_panels_show_text_decision_and_what_was_found() -> None:
    """As the newest verdict has it; a conversation without one says so."""
    text = "\n".join(shown(scene_of()))
    for part in (
        "support · external: a test",
        "call me at tilda@brook.alt",
        "REVIEW 97% · partial 2, given at 38%",
        "EMAIL  41 ms",
        "no verdict yet",
        "60 of 100 pieces typed · 2 verdicts, half within 41 ms",
        "worker up",
    ):
        assert part in text, part


def test_a_final_verdict_is_told_from_partial_ones() -> None:
    """It is called so, with how many there were."""
    text = "\n".join(shown(scene_of(verdicts=4)))
    assert "REVIEW 97% · final, the 4th" in text


def test_spans_are_marked_where_the_verdict_has_them() -> None:
    """Marks stand over the code points that were found, no more and no less."""
    talks = talks_of("support", typed=30)
    talks.take(verdict(0, span("s0", "EMAIL", 11, 20), position=20), START_US / 1e6)
    text = highlighted(talks.by_name["support"])
    marks = {(text.plain[s.start : s.end], str(s.style)) for s in text.spans}
    assert marks == {("tilda@bro", "#101010 on cyan"), ("▌", "dim")}
    assert text.plain == TEXT[:30] + "▌"


def test_the_view_says_that_the_worker_is_down() -> None:
    """Between the kill and its successor, as in the first act."""
    scene = scene_of()
    scene.is_worker_up = False
    assert any("worker down" in line for line in shown(scene))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (108, ROWS), (200, 60)])
def test_the_view_fits_the_terminal(width: int, height: int) -> None:
    """No line is wider and no view higher than the terminal; the end of a long text shows."""
    scene = scene_of()
    scene.talks = talks_of(*NAMES)
    long = "a word and another one\n" * 40 + "the very end"
    scene.talks.by_name["support"].conversation = conversation("support", long)
    scene.talks.by_name["support"].typed = len(long)
    lines = shown(scene, width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) <= min(height, ROWS)
    assert any("the very end" in line for line in lines)


def test_a_pipe_gets_a_line_where_something_else_is_said() -> None:
    """Not for each verdict: for a new decision, something found, and the end."""
    console = Console(file=StringIO(), width=200)
    screen, scene = LineScreen(console), scene_of(verdicts=1)
    assert scene.talks is not None
    screen.show(scene)
    screen.show(scene)
    scene.talks.take(verdict(1, position=10), START_US / 1e6)
    screen.show(scene)
    for one in course()[2:]:
        scene.talks.take(one, one["time_us"] / 1e6 + 0.05)
        screen.show(scene)
    lines = [line for line in console.file.getvalue().splitlines() if "support" in line]  # type: ignore[attr-defined]
    assert lines == [
        "  support at 8%: ALLOW 97%, nothing found; partial verdict 1 after 41 ms",
        "  support at 85%: ALLOW 97%, EMAIL, PAN found; partial verdict 3 after 50 ms",
        "  support at 100%: REVIEW 97%, EMAIL found; final verdict 4 after 50 ms",
    ]


def test_the_picture_has_a_frame_of_each_act(tmp_path: Path) -> None:
    """The last one in which it was in motion."""
    kept = KeepFrame(LineScreen(Console(file=StringIO())))
    scene = scene_of()
    kept.show(scene)
    assert list(kept.frames) == [Act.CONVERSATIONS]
    assert scene.talks is not None
    for name in NAMES:
        scene.talks.take(verdict(9, final=True, name=name), START_US / 1e6)
    kept.show(scene)
    save_picture(tmp_path / "view.svg", kept.frames.values())
    svg = (tmp_path / "view.svg").read_text(encoding="utf-8")
    assert "partial&#160;2" in svg
    assert "final" not in svg


def test_the_report_has_a_row_a_conversation_and_a_cross_where_something_is_wrong() -> None:
    """Decision, masked spans, earliness, revisions, count, and whether it was exactly once."""
    right = verdict(0, span("s5", "EMAIL", 11, 26), final=True, decision="REVIEW")
    for undisturbed, mark in ((right, "✓"), (None, "✗")):
        result = result_of(conversation(), course(), undisturbed)
        console = Console(file=StringIO(), width=120)
        console.print(TalkReport([result], 100, 24.0, 0.041, 7.2).render(108))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        [row] = [line for line in text.splitlines() if "support" in line]
        cells = ["support", "REVIEW", "97%", "EMAIL", "************…", "38%", "2", "4", mark]
        assert row.split() == cells


def test_numbers_are_counted_as_people_do() -> None:
    """English ordinals."""
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th",
    ]  # fmt: skip
