"""Sets a group back: its state, its offsets, and a new epoch in its audit chains.

Nothing is truncated. For each shard one transaction writes the state as it was at the earlier
offset, the group's offset, and a mark of a new epoch in the chain of every cell; ``prev`` of the
mark names the old head. The workers then step on from there, and publish what they give behind what
was published before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import ConfigError, TopologyError
from state import cell_keys
from state.store import ShardStore
from streams.kafka.offsets import group_members
from streams.kafka.topics import OUTPUT_ROLES, admin, changelog_name
from streams.replay.history import Epoch, decode_epochs, encode_epochs
from streams.replay.shard import ShardReplay
from streams.shard import restore
from streams.shard.commit import ShardProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.reader import PartitionReader
    from streams.replay.engine import ReplayEngine
    from streams.replay.points import Start
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork


class Plan(NamedTuple):
    """What is to happen to one shard.

    Attributes:
        shard: partition number.
        committed: source offset that it has reached.
        start: where the state comes from, and where it goes back to.
    """

    shard: int
    committed: int
    start: Start

    @property
    def target(self) -> int:
        """Source offset that the shard goes back to."""
        return self.start.emit_offset


def check_idle(settings: Settings) -> None:
    """Refuse while anybody serves the shards.

    Raises:
        TopologyError: the group has members.
    """
    members = group_members(admin(settings.broker), settings.application_id)
    if members:
        raise TopologyError(
            f"the group {settings.application_id} has {len(members)} active members "
            f"({', '.join(members)}): stop all workers first; a worker that was killed is gone "
            "after its session timeout"
        )


def check_plan(plan: Plan) -> None:
    """Refuse to go ahead of what was committed.

    Raises:
        ConfigError: the target lies there.
    """
    if plan.target > plan.committed:
        raise ConfigError(
            f"shard {plan.shard} stands at offset {plan.committed} and can only go back, not to "
            f"{plan.target}"
        )


def rewind_shard(
    settings: Settings,
    plan: Plan,
    reader: PartitionReader,
    progress: Callable[[int], None],
) -> UnitOfWork:
    """Set one shard back. Nobody may serve it; whoever does is fenced.

    Raises:
        StateError: the state cannot be brought to the earlier offset.
        CommitFailed: the transaction did not commit; nothing has changed.
        BrokerGone: the broker did not answer for ``stream.broker_patience_s``.
    """
    source, changelog = settings.topics.name("events"), changelog_name(settings.application_id)
    producer = ShardProducer(
        settings.broker,
        settings.application_id,
        plan.shard,
        source,
        changelog,
        {role: settings.topics.name(role) for role in OUTPUT_ROLES},
        settings.stream.transaction_timeout_s,
        settings.stream.broker_patience_s,
    )
    try:
        producer.fence()
        with tempfile.TemporaryDirectory() as folder, ShardStore(Path(folder) / "now") as now:
            restore.restore_store(reader, now, changelog, plan.shard, lambda _: None)
            replay = ShardReplay(settings, plan.shard, reader, plan.start, plan.target, progress)
            unit = epoch_unit(replay.state(), now, plan)
            producer.commit(unit)
        return unit
    finally:
        producer.close()


def epoch_unit(engine: ReplayEngine, now: ShardStore, plan: Plan) -> UnitOfWork:
    """Make the unit of work that replaces the state of now by that of an engine.

    Args:
        engine: stands at the target.
        now: the shard's records as of its last commit.
        plan: what is to happen.
    """
    chains = {cell_keys.tenant_of(key): value for key, value in now.items(cell_keys.chain_prefix())}
    snapshot = plan.start.snapshot
    epoch = Epoch(plan.committed, plan.target, None if snapshot is None else str(snapshot.id))
    snapshots = now.get(cell_keys.snapshots_key())
    engine.next_offset = plan.target
    engine.restore_snapshots(snapshots)
    engine.quotas.set_back_from(plan.committed)
    unit = engine.begin_epoch(chains, epoch.entry())
    epochs = [*decode_epochs(now.get(cell_keys.epochs_key())), epoch]
    unit.state[cell_keys.epochs_key()] = encode_epochs(epochs)
    unit.state.update(now.items(cell_keys.erased_prefix()))
    for key in [key for key, _ in now.items()]:
        unit.state.setdefault(key, None)  # a tombstone for what the earlier state does not have
    return unit
