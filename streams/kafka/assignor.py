"""Which worker gets which shards, and which standbys.

The group's leader decides for all, with Faust's protocol: each member tells what it had, and is
told what it gets. Faust's own rule lets workers stand idle once there are standbys: each may keep
up to ⌈shards / workers⌉, so the fifth worker of 16 shards gets none (4, 4, 4, 4, 0). The rule here:

1. every worker gets ⌊shards / workers⌋ shards or one more;
2. what fits in that stays where it is;
3. what must move goes to a worker that has a copy, as its standby or its owner before;
4. standbys are spread as evenly as that allows, first of all to those that have a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from faust.assignor.client_assignment import ClientAssignment, CopartitionedAssignment
from faust.assignor.partition_assignor import PartitionAssignor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Share(NamedTuple):
    """What a worker has.

    Attributes:
        shards: those that it serves.
        standbys: those of which it keeps a copy.
    """

    shards: frozenset[int] = frozenset()
    standbys: frozenset[int] = frozenset()


def share_out(had: Mapping[str, Share], shards: int, replicas: int) -> dict[str, Share]:
    """Share shards and standbys out among workers.

    Args:
        had: worker → what it had; of two that claim a shard, the one that claims more had it last.
        shards: how many there are, numbered from 0.
        replicas: standbys of each shard; fewer where there are fewer workers.

    Returns:
        Worker → what it gets; the same arguments give the same shares. O(shards · workers).
    """
    # Whoever holds most may keep the odd ones: the fewest move.
    workers = sorted(had, key=lambda worker: (-len(had[worker].shards), worker))
    least, odd = divmod(shards, len(workers))
    room = {worker: least + (place < odd) for place, worker in enumerate(workers)}
    copies = {
        shard: [w for w in workers if shard in had[w].standbys or shard in had[w].shards]
        for shard in range(shards)
    }
    owner = _keep(had, workers, room, copies)
    for shard in range(shards):
        if shard not in owner and (warm := [w for w in copies[shard] if room[w]]):
            _give(owner, room, shard, max(warm, key=room.__getitem__))
    for shard in range(shards):
        if shard not in owner:
            _give(owner, room, shard, max(workers, key=room.__getitem__))
    standbys: dict[str, set[int]] = {worker: set() for worker in workers}
    most = -(-shards * min(replicas, len(workers) - 1) // len(workers))
    for shard in range(shards):
        others = [worker for worker in workers if worker != owner[shard]]
        others.sort(
            key=lambda w: (len(standbys[w]) >= most, w not in copies[shard], len(standbys[w]))
        )
        for worker in others[:replicas]:
            standbys[worker].add(shard)
    return {
        worker: Share(
            frozenset(shard for shard, of in owner.items() if of == worker),
            frozenset(standbys[worker]),
        )
        for worker in workers
    }


def _keep(
    had: Mapping[str, Share],
    workers: Iterable[str],
    room: dict[str, int],
    copies: Mapping[int, list[str]],
) -> dict[int, str]:
    """Leave each worker what it has room for; what has a copy elsewhere is the first to go."""
    owner: dict[int, str] = {}
    for worker in workers:
        mine = [s for s in had[worker].shards if s in copies and s not in owner]
        for shard in sorted(mine, key=lambda s: (len(copies[s]), s))[: room[worker]]:
            _give(owner, room, shard, worker)
    return owner


def _give(owner: dict[int, str], room: dict[str, int], shard: int, worker: str) -> None:
    owner[shard] = worker
    room[worker] -= 1


class ShardAssignor(PartitionAssignor):
    """Faust's assignor with the rule above; source and changelog are shared out alike."""

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        members = {
            member: self._get_client_metadata(metadata)
            for member, metadata in member_metadata.items()
        }
        self._update_member_urls(members)
        topics = {topic for metadata in member_metadata.values() for topic in metadata.subscription}
        # Both have the same number: workers check it before they join.
        shards = min(len(cluster.partitions_for_topic(topic) or ()) for topic in topics)
        had = {}
        for member, metadata in members.items():
            before = metadata.assignment.copartitioned_assignment(topics)
            had[member] = Share(frozenset(before.actives), frozenset(before.standbys))
        assignments = {}
        for member, share in share_out(had, shards, self.replicas).items():
            assignments[member] = ClientAssignment(actives={}, standbys={})
            assignments[member].add_copartitioned_assignment(
                CopartitionedAssignment(set(share.shards), set(share.standbys), topics)
            )
        return self._protocol_assignments(
            assignments,
            self._get_changelog_distribution(assignments),
            self._get_external_topic_distribution(assignments),
            dict.fromkeys(topics, 0),
        )
