"""The drawing as SVG: one file without outside references, legible on light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from streams.topology.graph import Kind

if TYPE_CHECKING:
    from streams.topology.layout import Box, Layout, Line

# Pixels for a character of the layout; 13 px monospace is 7.8 wide.
COLUMN: Final = 9
ROW: Final = 22
MARGIN: Final = 24
_RADIUS: Final = 8
_COLOURS: Final = {
    Kind.TOPIC: ("#e8f1fb", "#2a6fb0"),
    Kind.AGENT: ("#fdf0dd", "#b9720a"),
    Kind.TABLE: ("#e6f5ea", "#2e8540"),
}
_STYLE: Final = """
  text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1c2733; }
  .kind { font-size: 11px; letter-spacing: 0.06em; }
  .name { font-size: 14px; font-weight: bold; }
  .note { font-size: 12px; fill: #4a5866; }
  .line { fill: none; stroke: #5b6875; stroke-width: 1.5; }
"""
_ARROW: Final = (
    '<marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="#5b6875"/></marker>'
)


def as_svg(layout: Layout, heading: str) -> str:
    """Draw a layout.

    Args:
        layout: what goes where.
        heading: stands above the drawing, and is its title for screen readers.
    """
    width = layout.width * COLUMN + 2 * MARGIN
    height = (layout.height + 2) * ROW + 2 * MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(heading)}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{_ARROW}</defs>",
        f'<rect width="{width}" height="{height}" rx="{_RADIUS}" fill="#ffffff"/>',
        _text("name", MARGIN, MARGIN + ROW // 2, heading),
        f'<g transform="translate({MARGIN} {MARGIN + 2 * ROW})">',
        *(_line(line) for line in layout.lines),
        *(_box(box) for box in layout.boxes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(style: str, x: float, y: float, text: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _line(line: Line) -> str:
    # A point beside a box is drawn on its edge, halfway down the row.
    forward = line.end.x > line.turn
    start, turn = line.start.x * COLUMN, (line.turn + 0.5) * COLUMN
    end = (line.end.x + 1) * COLUMN if forward else line.end.x * COLUMN
    first, last = (line.start.y + 0.5) * ROW, (line.end.y + 0.5) * ROW
    step = max(-_RADIUS, min(_RADIUS, (last - first) / 2))
    bend = abs(step)
    leave = turn + bend if forward else turn - bend
    path = (
        f"M{start},{first:g} H{turn - bend:g} Q{turn:g},{first:g} {turn:g},{first + step:g} "
        f"V{last - step:g} Q{turn:g},{last:g} {leave:g},{last:g} H{end}"
    )
    back = ' marker-start="url(#arrow)"' if line.edge.both_ways else ""
    return f'<path class="line" d="{path}" marker-end="url(#arrow)"{back}/>'


def _box(box: Box) -> str:
    fill, stroke = _COLOURS[box.node.kind]
    x, y = box.x * COLUMN, box.y * ROW
    size = f'width="{box.width * COLUMN}" height="{box.height * ROW}" rx="{_RADIUS}"'
    left = x + 1.5 * COLUMN
    place = f'x="{left:g}" y="{y + ROW}"'
    parts = [
        f'<rect x="{x}" y="{y}" {size} fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>',
        f'<text class="kind" {place} style="fill: {stroke}">{box.node.kind}</text>',
        _text("name", left, y + 1.95 * ROW, box.node.name),
        *(
            _text("note", left, y + (2.9 + number) * ROW, note)
            for number, note in enumerate(box.node.notes)
        ),
    ]
    return "\n".join(parts)
