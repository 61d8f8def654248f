"""The drawing as text, with the box-drawing characters of Unicode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.topology.graph import Kind
from streams.topology.layout import title

if TYPE_CHECKING:
    from streams.topology.layout import Box, Layout, Line

# Which of its four neighbours a character is joined to.
_UP, _RIGHT, _DOWN, _LEFT = 1, 2, 4, 8
_JOINTS: Final = {
    _LEFT | _RIGHT: "─",
    _UP | _DOWN: "│",
    _RIGHT | _DOWN: "╭",
    _LEFT | _DOWN: "╮",
    _UP | _RIGHT: "╰",
    _UP | _LEFT: "╯",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _LEFT | _RIGHT | _DOWN: "┬",
    _LEFT | _RIGHT | _UP: "┴",
    _UP | _RIGHT | _DOWN | _LEFT: "┼",
    _LEFT: "─",
    _RIGHT: "─",
}


class _Frame(NamedTuple):
    """Corners of a frame, and its horizontal and vertical line."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    across: str
    down: str


_FRAMES: Final = {
    Kind.TOPIC: _Frame(*"┌┐└┘─│"),
    Kind.AGENT: _Frame(*"╔╗╚╝═║"),
    Kind.TABLE: _Frame(*"┏┓┗┛━┃"),
}


def as_text(layout: Layout) -> str:
    """Draw a layout; lines without blanks at their ends."""
    joints = [[0] * layout.width for _ in range(layout.height)]
    for line in layout.lines:
        _trace(joints, line)
    canvas = [[_JOINTS.get(cell, " ") for cell in row] for row in joints]
    for line in layout.lines:
        canvas[line.end.y][line.end.x] = "▶" if line.end.x > line.turn else "◀"
        if line.edge.both_ways:
            canvas[line.start.y][line.start.x] = "◀"
    for box in layout.boxes:
        _draw(canvas, box)
    return "\n".join("".join(row).rstrip() for row in canvas)


def _trace(joints: list[list[int]], line: Line) -> None:
    start, turn, end = line.start, line.turn, line.end
    for x in range(start.x, turn):
        joints[start.y][x] |= _LEFT | _RIGHT
    for x in range(min(turn, end.x) + (end.x > turn), max(turn - 1, end.x) + 1):
        joints[end.y][x] |= _LEFT | _RIGHT
    joints[start.y][turn] |= _LEFT
    joints[end.y][turn] |= _RIGHT if end.x > turn else _LEFT
    if start.y != end.y:
        step = 1 if end.y > start.y else -1
        joints[start.y][turn] |= _DOWN if step > 0 else _UP
        joints[end.y][turn] |= _UP if step > 0 else _DOWN
        for y in range(start.y + step, end.y, step):
            joints[y][turn] |= _UP | _DOWN


def _draw(canvas: list[list[str]], box: Box) -> None:
    frame = _FRAMES[box.node.kind]
    inner = box.width - 2
    head = frame.across + title(box.node)
    blanks = ("",) * (box.height - 3 - len(box.node.notes))
    texts = (box.node.name, *box.node.notes, *blanks)
    rows = [
        frame.top_left + head + frame.across * (inner - len(head)) + frame.top_right,
        *(f"{frame.down} {text.ljust(inner - 2)} {frame.down}" for text in texts),
        frame.bottom_left + frame.across * inner + frame.bottom_right,
    ]
    for y, row in enumerate(rows, start=box.y):
        canvas[y][box.x : box.right] = row
