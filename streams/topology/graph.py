"""The application as a graph of topics, agents and tables.

It is read off the Faust application that a worker would run with these settings: its agents and
what they listen to, its tables and their changelogs. What agents write, the shards' producers send;
those topics follow from the same list that workers create them from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import Bug
from streams.app import Fed, build_app
from streams.gate.topics import MESSAGES_ROLE, MESSAGES_TABLE_NAME, output_roles
from streams.hierarchy import linked
from streams.kafka.topics import (
    OUTPUT_ROLES,
    SOURCE_ROLE,
    TABLE_NAME,
    TOKENS_ROLE,
    TOKENS_TABLE_NAME,
)
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
    others = []
    if settings.messages.enabled:
        messages = Shards(settings.messages_dir, _no_shard, _fails, threads=1)
        others.append(Fed(MESSAGES_ROLE, MESSAGES_TABLE_NAME, messages))
    if settings.hierarchy.enabled:
        tokens = Shards(settings.tokens_dir, _no_shard, _fails, threads=1)
        others.append(Fed(TOKENS_ROLE, TOKENS_TABLE_NAME, tokens))
    app = build_app(settings, shards, partitions, NO_SERVER, others)
    each = f"{partitions} partitions"
    kept = {
        f"weir-{SOURCE_ROLE}": Kept(
            TABLE_NAME, OUTPUT_ROLES, f"{stream.checkpoint_events:,} events a checkpoint"
        ),
        f"weir-{MESSAGES_ROLE}": Kept(
            MESSAGES_TABLE_NAME,
            tuple(output_roles(settings).values()),
            "state in every unit of work",
        ),
        f"weir-{TOKENS_ROLE}": Kept(
            TOKENS_TABLE_NAME,
            tuple(linked.output_roles(settings).values()),
            "streams, written with each unit",
        ),
    }
    nodes: list[Node] = []
    ends: list[Node] = []
    edges: list[Edge] = []
    for name, agent in app.agents.items():
        own = kept[name.rsplit(".", 1)[-1]]
        table = app.tables.data[own.table]
        [changelog] = table.changelog_topic.topics
        cadence = f"units of work ≥ {stream.gather_ms} ms"
        node = Node(name, Kind.AGENT, ("one task a shard", cadence, "exactly once"))
        store = Node(own.table, Kind.TABLE, ("RocksDB, one a shard", own.cadence))
        log = Node(changelog, Kind.TOPIC, (f"{table.partitions} partitions, compacted",))
        sources = [Node(topic, Kind.TOPIC, (each,)) for topic in agent.channel.topics]
        outputs = [Node(settings.topics.name(role), Kind.TOPIC, (each,)) for role in own.outputs]
        nodes += [*sources, node, *outputs]
        ends += [store, log]
        edges += [Edge(source, node) for source in sources]
        edges += [Edge(node, output) for output in outputs]
        edges += [Edge(node, store, both_ways=True), Edge(store, log, both_ways=True)]
    return Topology(tuple(dict.fromkeys([*nodes, *ends])), tuple(edges))


class Kept(NamedTuple):
    """What the shards of an agent write.

    Attributes:
        table: name of their table.
        outputs: roles of the topics.
        cadence: when state travels.
    """

    table: str
    outputs: tuple[str, ...]
    cadence: str


def _no_shard(number: int, store: ShardStore, executor: ThreadPoolExecutor) -> Shard:
    raise Bug(f"a drawing opened shard {number} in {store.path} ({executor})")


def _fails(error: BaseException) -> None:
    raise error
