"""The drawing shows the application as it is, and every line of it can be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from streams.settings import Settings, load_settings
from streams.topology.graph import Edge, Kind, Node, Topology, topology_of
from streams.topology.layout import lay_out
from streams.topology.svg import as_svg
from streams.topology.text import as_text

if TYPE_CHECKING:
    from streams.topology.layout import Point

SVG = "{http://www.w3.org/2000/svg}"


def settings(**overrides: Any) -> Settings:
    return load_settings(broker={"bootstrap": "localhost:9092"}, **overrides)


def edges_by_name(topology: Topology) -> set[tuple[str, str]]:
    return {(edge.source.name, edge.target.name) for edge in topology.edges}


@pytest.fixture
def two_agents() -> Topology:
    """Two agents with tables of their own, one of them with two, and an output in common."""
    events, tokens = Node("events", Kind.TOPIC), Node("tokens", Kind.TOPIC)
    learn, scan = Node("learn", Kind.AGENT, ("learns",)), Node("scan", Kind.AGENT)
    state, streams = Node("state", Kind.TABLE), Node("streams", Kind.TABLE)
    rules = Node("rules", Kind.TABLE)
    out, verdicts = Node("predictions", Kind.TOPIC), Node("verdicts", Kind.TOPIC)
    return Topology(
        (events, tokens, learn, scan, state, streams, rules, out, verdicts),
        (
            Edge(events, learn),
            Edge(tokens, scan),
            Edge(learn, out),
            Edge(scan, out),
            Edge(scan, verdicts),
            Edge(learn, state, both_ways=True),
            Edge(scan, streams, both_ways=True),
            Edge(scan, rules, both_ways=True),
        ),
    )


def test_messages_have_an_agent_and_a_table_of_their_own() -> None:
    """What the gate forwards to, and the events that verdicts become, are drawn if wanted."""
    wanted = {"enabled": True, "gate": True, "link": True}
    edges = edges_by_name(topology_of(settings(messages=wanted)))
    outputs = {"verdicts", "messages-audit", "messages-audit-checkpoints", "quarantine", "events"}
    outputs |= {"allowed", "redacted", "review", "blocked"}
    ours = {target for source, target in edges if source == "weir-messages"}
    assert ours == outputs | {"messages-state"}
    assert {("messages", "weir-messages"), ("events", "weir-events")} <= edges
    assert ("messages-state", "weir-messages-state-changelog") in edges
    assert ("weir-events", "messages-state") not in edges
    plain = edges_by_name(topology_of(settings(messages={"enabled": True})))
    assert not {target for _, target in plain} & {"allowed", "blocked"}


@pytest.mark.parametrize("link", [False, True])
def test_streams_have_an_agent_a_table_and_a_trail_of_their_own(*, link: bool) -> None:
    """Beside those of the events; the events that final verdicts become are drawn if wanted."""
    edges = edges_by_name(topology_of(settings(hierarchy={"enabled": True, "link": link})))
    ours = {target for source, target in edges if source == "weir-tokens"}
    trail = {"tokens-audit", "tokens-audit-checkpoints"}
    wanted = trail | {"verdicts", "quarantine", "streams"}
    assert ours == wanted | ({"events"} if link else set())
    assert ("streams", "weir-streams-changelog") in edges


def test_graph_is_the_applications() -> None:
    """Agents, tables, changelogs and outputs are those that a worker would have."""
    topology = topology_of(settings())
    assert edges_by_name(topology) == {
        ("events", "weir-events"),
        ("weir-events", "predictions"),
        ("weir-events", "audit"),
        ("weir-events", "audit-checkpoints"),
        ("weir-events", "quarantine"),
        ("weir-events", "state"),
        ("state", "weir-state-changelog"),
    }


def test_graph_follows_the_settings() -> None:
    """Names, partitions and cadences are those of the settings, not of an example."""
    topology = topology_of(
        settings(
            application_id="fraud",
            topics={"prefix": "eu-", "partitions": 7},
            stream={"gather_ms": 55, "checkpoint_events": 1234},
        )
    )
    text = as_text(lay_out(topology))
    assert ("eu-events", "weir-events") in edges_by_name(topology)
    for expected in ("eu-audit", "fraud-state-changelog", "7 partitions", "55 ms", "1,234 events"):
        assert expected in text


def test_text_shows_every_node_and_fits_a_screen() -> None:
    """All names stand in the drawing, whole, within 100 columns."""
    topology = topology_of(settings())
    lines = as_text(lay_out(topology)).splitlines()
    for node in topology.nodes:
        for text in (node.name, *node.notes):
            assert any(text in line for line in lines)
    assert max(map(len, lines)) <= 100


JOINTS = {
    "─": "lr",
    "│": "ud",
    "╭": "rd",
    "╮": "ld",
    "╰": "ur",
    "╯": "ul",
    "├": "udr",
    "┤": "udl",
    "┬": "lrd",
    "┴": "lru",
    "┼": "lrud",
}
OPPOSITE = {"l": "r", "r": "l", "u": "d", "d": "u"}
MOVES = {"l": (-1, 0), "r": (1, 0), "u": (0, -1), "d": (0, 1)}


def reached(lines: list[str], start: Point) -> set[tuple[int, int]]:
    """Follow a line as a reader does, and return the places of the arrows at its ends."""
    ends: set[tuple[int, int]] = set()
    todo: list[tuple[int, int, str]] = [(start.x + 1, start.y, "r")]
    while todo:
        x, y, heading = todo.pop()
        character = lines[y][x]
        if character in "◀▶":
            ends.add((x, y))
            continue
        assert OPPOSITE[heading] in JOINTS[character], f"the line breaks off at {x}, {y}"
        # Lines cross without merging: at a crossing one goes straight on.
        onward = heading if character == "┼" else JOINTS[character].replace(OPPOSITE[heading], "")
        todo += [(x + MOVES[way][0], y + MOVES[way][1], way) for way in onward]
    return ends


@pytest.fixture(params=["two agents", "the application"])
def drawn(request: pytest.FixtureRequest, two_agents: Topology) -> Topology:
    """Also what a worker does that is told to do all it can: its lines pass columns."""
    if request.param == "two agents":
        return two_agents
    return topology_of(settings(messages={"enabled": True, "gate": True, "link": True}))


def test_lines_of_the_text_can_be_followed(drawn: Topology) -> None:
    """Who follows a box's lines with a finger comes to what it sends to, and nowhere else."""
    layout = lay_out(drawn)
    lines = as_text(layout).splitlines()
    together: dict[Point, set[tuple[int, int]]] = {}
    for line in layout.lines:
        together.setdefault(line.start, set()).add((line.end.x, line.end.y))
    assert len(together) >= 7
    for start, ends in together.items():
        assert reached(lines, start) == ends


def test_boxes_do_not_overlap(drawn: Topology) -> None:
    """No box hides another."""
    cells = [
        (x, y)
        for box in lay_out(drawn).boxes
        for x in range(box.x, box.right)
        for y in range(box.y, box.y + box.height)
    ]
    assert len(cells) == len(set(cells))


def test_tables_stand_with_their_agents(two_agents: Topology) -> None:
    """A table is in its agent's column, and below it."""
    boxes = {box.node.name: box for box in lay_out(two_agents).boxes}
    for agent, table in (("learn", "state"), ("scan", "streams"), ("scan", "rules")):
        assert boxes[agent].x == boxes[table].x
        assert boxes[agent].y < boxes[table].y


def test_svg_is_well_formed_and_complete(two_agents: Topology) -> None:
    """The file is XML of its own, with all names in it and an arrow for every edge."""
    root = ET.fromstring(as_svg(lay_out(two_agents), "a <b> & c"))  # noqa: S314 - our own text
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {node.name for node in two_agents.nodes} <= texts
    assert "a <b> & c" in texts
    arrows = [path for path in root.iter(f"{SVG}path") if "marker-end" in path.attrib]
    assert len(arrows) == len(two_agents.edges)
    assert sum("marker-start" in path.attrib for path in arrows) == 3
    assert "http" not in "".join(value for e in root.iter() for value in e.attrib.values())


def test_svg_keeps_within_its_frame() -> None:
    """Nothing is drawn outside of what is shown."""
    root = ET.fromstring(as_svg(lay_out(topology_of(settings())), "weir"))  # noqa: S314 - our own text
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    [group] = root.iter(f"{SVG}g")
    dx, dy = (float(n) for n in group.attrib["transform"][len("translate(") : -1].split())
    for box in group.iter(f"{SVG}rect"):
        assert dx + float(box.attrib["x"]) + float(box.attrib["width"]) <= width
        assert dy + float(box.attrib["y"]) + float(box.attrib["height"]) <= height
