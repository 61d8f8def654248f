"""The application as a graph of topics, agents and tables.

It is read off the Faust application that a worker would run with these settings: its agents and
what they listen to, its tables and their changelogs. What agents write, the shards' producers send;
those topics follow from the same list that workers create them from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from schemas.errors import Bug
from streams.app import MESSAGES_AGENT, build_app
from streams.gate.topics import output_roles
from streams.kafka.topics import OUTPUT_ROLES
from streams.service.gateway import NO_SERVER
from streams.shards import Shards

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from state.store import ShardStore
    from streams.settings import Settings
    from streams.shard.shard import Shard


class Kind(StrEnum):
    """What a node is."""

    TOPIC = "topic"
    AGENT = "agent"
    TABLE = "table"


@dataclass(frozen=True)
class Node:
    """A topic, agent or table.

    Attributes:
        name: as it is called; unique within its kind.
        kind: what it is.
        notes: what else there is to say of it, line by line.
    """

    name: str
    kind: Kind
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """Data goes from one node to another; ``both_ways`` where it comes back too."""

    source: Node
    target: Node
    both_ways: bool = False


@dataclass(frozen=True)
class Topology:
    """The graph; it has no cycles but those of ``both_ways``."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def topology_of(settings: Settings) -> Topology:
    """Return the graph of the application that a worker would run; connects to nothing.

    Args:
        settings: ``broker.bootstrap`` known, as Faust wants it; it is not contacted.
    """
    stream = settings.stream
    partitions = settings.topics.partitions
    shards = Shards(settings.state_dir, _no_shard, _fails, threads=1)
    messages = Shards(settings.messages_dir, _no_shard, _fails, threads=1)
    app = build_app(
        settings, shards, partitions, NO_SERVER, messages if settings.messages.enabled else None
    )
    each = f"{partitions} partitions"
    tables: list[Node] = []
    logs: list[Node] = []
    nodes: list[Node] = []
    edges: list[Edge] = []
    # Agents and tables are added source by source.
    for (name, agent), (table_name, table) in zip(
        app.agents.items(), app.tables.data.items(), strict=True
    ):
        scans = name == MESSAGES_AGENT
        saved = f"{stream.checkpoint_events:,} events a checkpoint"
        kept = ("RocksDB, one a shard", "state in every unit of work" if scans else saved)
        tables.append(Node(table_name, Kind.TABLE, kept))
        [changelog] = table.changelog_topic.topics
        logs.append(Node(changelog, Kind.TOPIC, (f"{table.partitions} partitions, compacted",)))
        cadence = f"units of work ≥ {stream.gather_ms} ms"
        node = Node(name, Kind.AGENT, ("one task a shard", cadence, "exactly once"))
        sources = [Node(topic, Kind.TOPIC, (each,)) for topic in agent.channel.topics]
        roles = output_roles(settings).values() if scans else OUTPUT_ROLES
        outputs = [Node(settings.topics.name(role), Kind.TOPIC, (each,)) for role in roles]
        nodes += [*sources, node, *outputs]
        edges += [Edge(source, node) for source in sources]
        edges += [Edge(node, output) for output in outputs]
        edges.append(Edge(node, tables[-1], both_ways=True))
    edges += [Edge(table, log, both_ways=True) for table, log in zip(tables, logs, strict=True)]
    return Topology(tuple(dict.fromkeys([*nodes, *tables, *logs])), tuple(edges))


def _no_shard(number: int, store: ShardStore, executor: ThreadPoolExecutor) -> Shard:
    raise Bug(f"a drawing opened shard {number} in {store.path} ({executor})")


def _fails(error: BaseException) -> None:
    raise error
