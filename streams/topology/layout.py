"""Where each node goes in a drawing, in characters; the SVG scales them.

Data goes from left to right, but for tables, which stand below the agent that keeps them and are
joined to it on the right. All lines of one sender leave it together and turn in one column; lines
of different senders may cross, but never run in the same place. A line that passes other columns
runs below all that stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

from streams.topology.graph import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.topology.graph import Edge, Node, Topology

ROW_GAP: Final = 1
SIDES: Final = 4  # a frame and a blank on each side
_BEFORE_TURN: Final = 2
_AFTER_TURN: Final = 4
_MOST_ORDERED: Final = 6  # senders of a column whose orders are all tried


@dataclass(frozen=True)
class Box:
    """A node in its place, its frame included."""

    node: Node
    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column behind the box."""
        return self.x + self.width


@dataclass(frozen=True)
class Point:
    """Where a line touches a box, from outside: a column, and a row."""

    x: int
    y: int


@dataclass(frozen=True)
class Line:
    """An edge in its place: along a row, up or down the column ``turn``, and along a row.

    ``end`` lies to the right of the turn, or to its left where the line comes back to a table.
    """

    edge: Edge
    start: Point
    turn: int
    end: Point


@dataclass(frozen=True)
class Layout:
    """Boxes in columns, and the lines between them."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def lay_out(topology: Topology) -> Layout:
    """Put every node into the column that the longest way to it says. O(nodes · edges)."""
    columns = _columns(topology)
    ports = _Ports(topology)
    tops = _tops(columns, topology, ports)
    height = max((top + ports.height(node) for node, top in tops.items()), default=0)
    boxes: dict[Node, Box] = {}
    turns: dict[Node | Edge, int] = {}
    x = right = 0
    for column in columns:
        width = max(map(_width, column))
        right = x + width
        boxes |= {node: Box(node, x, tops[node], width, ports.height(node)) for node in column}
        tracks = ports.tracks(column, tops)
        turns |= {one: right + _BEFORE_TURN + 2 * place for place, one in enumerate(tracks)}
        x = right + _BEFORE_TURN + 2 * max(0, len(tracks) - 1) + _AFTER_TURN
    lines = []
    for edge in topology.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        start = Point(source.right, source.y + ports.leaves(edge))
        end_x = target.right if _stays(edge) else target.x - 1
        end = Point(end_x, target.y + ports.arrives(edge))
        lines.append(Line(edge, start, turns[_sender(edge)], end))
    return Layout(tuple(boxes.values()), tuple(lines), right, height)


def _tops(columns: list[list[Node]], topology: Topology, ports: _Ports) -> dict[Node, int]:
    """Stack each column, in the middle but for the ends of lines that pass columns."""
    place = {node: number for number, column in enumerate(columns) for node in column}
    # How far to the left a line to a node begins, if other columns stand between.
    begins: dict[Node, int] = {}
    for edge in topology.edges:
        start = place[edge.source]
        if place[edge.target] - start > 1:
            begins[edge.target] = min(start, begins.get(edge.target, start))
    stacks = [
        sum(ports.height(node) + ROW_GAP for node in column if node not in begins)
        for column in columns
    ]
    height = max(stacks, default=0)
    tops: dict[Node, int] = {}
    bottoms: list[int] = []
    for number, (column, stack) in enumerate(zip(columns, stacks, strict=True)):
        y = (height - stack) // 2
        column.sort(key=begins.__contains__)
        for node in column:
            if node in begins:
                y = max(y, *bottoms[begins[node] + 1 : number])
            tops[node] = y
            y += ports.height(node) + ROW_GAP
        bottoms.append(y)
    return tops


def title(node: Node) -> str:
    """Return what stands in the frame above a node's name."""
    return f" {node.kind} "


class _Ports:
    """Rows of the boxes, counted from their upper frame, on which lines come and go."""

    def __init__(self, topology: Topology) -> None:
        self._edges = topology.edges
        self._left: dict[Node, list[Node]] = {node: [] for node in topology.nodes}
        self._right: dict[Node, list[Node | Edge]] = {node: [] for node in topology.nodes}
        for edge in topology.edges:
            if _stays(edge):
                self._right[edge.target].append(edge)
            elif edge.source not in self._left[edge.target]:
                self._left[edge.target].append(edge.source)
        for node, rows in self._right.items():
            own = [edge for edge in topology.edges if edge.source == node]
            if not all(map(_stays, own)):
                rows.append(node)
            # The nearest table last: its line turns first, and so the lines do not cross.
            rows.extend(edge for edge in reversed(own) if _stays(edge))

    def height(self, node: Node) -> int:
        return 2 + max(1 + len(node.notes), len(self._left[node]), len(self._right[node]))

    def leaves(self, edge: Edge) -> int:
        return self._row(edge.source, self._right[edge.source], _sender(edge))

    def arrives(self, edge: Edge) -> int:
        if _stays(edge):
            return self._row(edge.target, self._right[edge.target], edge)
        return self._row(edge.target, self._left[edge.target], edge.source)

    def _row(self, node: Node, ports: Sequence[Node | Edge], port: Node | Edge) -> int:
        return (self.height(node) - len(ports) + 1) // 2 + ports.index(port)

    def tracks(self, column: list[Node], tops: dict[Node, int]) -> list[Node | Edge]:
        """Return what turns behind a column, from the left: lines to tables, then the others."""
        edges = [edge for edge in self._edges if edge.source in column]
        loops = [edge for edge in edges if _stays(edge)]
        ahead = [edge for edge in edges if not _stays(edge)]
        senders = list(dict.fromkeys(edge.source for edge in ahead))
        starts = {edge.source: tops[edge.source] + self.leaves(edge) for edge in ahead}
        ends: dict[Node, set[int]] = {sender: set() for sender in senders}
        for edge in ahead:
            ends[edge.source].add(tops[edge.target] + self.arrives(edge))

        def overlaps(order: Iterable[Node]) -> int:
            # A line that has turned goes on to the right, where others may not have turned yet.
            passed: list[Node] = []
            count = 0
            for sender in order:
                count += sum(starts[sender] in ends[earlier] for earlier in passed)
                passed.append(sender)
            return count

        if len(senders) <= _MOST_ORDERED:
            senders = list(min(permutations(senders), key=overlaps))
        return [*loops, *senders]


def _stays(edge: Edge) -> bool:
    """Say whether an edge leads to a node in the same column."""
    return edge.target.kind is Kind.TABLE


def _sender(edge: Edge) -> Node | Edge:
    """Return what has a turn of its own: a line to a table, or all other lines of one node."""
    return edge if _stays(edge) else edge.source


def _width(node: Node) -> int:
    return SIDES + max(map(len, (title(node), node.name, *node.notes)))


def _columns(topology: Topology) -> list[list[Node]]:
    depth = dict.fromkeys(topology.nodes, 0)
    for _ in topology.nodes:
        for edge in topology.edges:
            least = depth[edge.source] + (0 if _stays(edge) else 1)
            depth[edge.target] = max(depth[edge.target], least)
    columns: list[list[Node]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in topology.nodes:
        columns[depth[node]].append(node)
    return [_with_tables(column, topology) for column in columns]


def _with_tables(column: list[Node], topology: Topology) -> list[Node]:
    """Put each table right below its agent."""
    ordered: list[Node] = []
    for node in column:
        if node.kind is not Kind.TABLE:
            ordered.append(node)
            ordered += [e.target for e in topology.edges if e.source == node and _stays(e)]
    return list(dict.fromkeys([*ordered, *column]))
