"""Bringing a shard back: changelog to RocksDB, RocksDB to memory, then a silent re-step.

The arrays in the store stand at the last checkpoint; outputs are committed further on. The events
in between are stepped again with their outputs suppressed, after which every audit chain must stand
exactly where the committed one does: determinism is checked at every restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from schemas.errors import StateError
from state import cell_keys, cells, changelog
from streams.shard.cell_formats import CELL_FORMAT, as_present, check_cell_format

if TYPE_CHECKING:
    from state.store import ShardStore
    from streams.kafka.reader import PartitionReader
    from streams.shard.engine import Engine

Progress = Callable[[float], None]


def restore_store(
    reader: PartitionReader,
    store: ShardStore,
    topic: str,
    partition: int,
    progress: Progress,
) -> int:
    """Apply to the store what the changelog has beyond it.

    The shard's producer must have been fenced before: then nothing is appended meanwhile.

    Returns:
        Records applied.

    Raises:
        StateError: the store is ahead of the changelog, so it belongs to another one.
        BrokerUnavailable: the changelog cannot be read.
    """
    low, end = reader.bounds(topic, partition)
    reached = store.changelog_offset
    if reached is not None and reached >= end:
        raise StateError(
            f"{store.path} holds state up to offset {reached} of {topic}[{partition}], which ends "
            f"at {end}: the changelog was deleted and made anew, or is another cluster's. Point "
            "the worker at the cluster that the folder belongs to; a state without its changelog "
            "cannot go on, so where the topic is lost begin anew under another application_id"
        )
    start = low if reached is None else max(low, reached + 1)
    applied = 0
    for batch in reader.read(topic, partition, start, end):
        writes = {record.key: record.value for record in batch if record.key is not None}
        store.write(writes, changelog_offset=batch[-1].offset)
        applied += len(batch)
        progress((batch[-1].offset + 1 - start) / max(1, end - start))
    progress(1.0)
    return applied


def load_engine(engine: Engine, store: ShardStore) -> tuple[int | None, int | None]:
    """Put the cells of the last checkpoint into the engine.

    Returns:
        The source offset at which they stand and the one that is committed; both None for a fresh
        shard.

    Raises:
        StateError: a record is damaged, missing or of another format.
        ConfigError: the state was learnt with other settings.
    """
    return load_records(engine, store, str(store.path))


def load_records(
    engine: Engine, store: cells.Records, where: str, application_id: str | None = None
) -> tuple[int | None, int | None]:
    """Put the cells of the last checkpoint into the engine, from a table or a snapshot.

    Args:
        engine: without cells.
        store: records of the shard.
        where: they are; for the message of an error.
        application_id: whose they are; None: the engine's own.

    Returns:
        As ``load_engine``.

    Raises:
        StateError: a record is damaged, missing or of another format, or does not open.
        ConfigError: the state was learnt with other settings, or is encrypted and should not be, or
            the other way round.
        SecretError: a data key is missing.
    """
    committed = store.get(cell_keys.offset_key())
    checkpoint = store.get(cell_keys.checkpoint_key())
    if committed is None:
        return None, None
    if checkpoint is None:
        raise StateError(
            f"{where} has a committed offset but no checkpoint: the changelog is incomplete"
        )
    found = changelog.decode_checkpoint(checkpoint)
    check_cell_format(found.app_format, where)
    engine.check_settings(store)
    engine.load_erased(store)
    readable = engine.readable(store, where, application_id)
    for tenant, arrays in cells.load_cells(readable, engine.is_erased):
        engine.load(readable, tenant, as_present(arrays, found.app_format))
        # The next checkpoint is of the present format: no cell may stay behind in another.
        engine.members[tenant].touched |= found.app_format != CELL_FORMAT
    engine.next_offset = found.source_offset
    return found.source_offset, changelog.decode_offset(committed)


def check_fresh(group_offset: int | None, changelog_topic: str, partition: int) -> None:
    """Refuse to begin anew where the application has been before.

    Args:
        group_offset: source offset that the consumer group has committed, in the transactions that
            wrote the changelog.
        changelog_topic: holds no state of the shard.
        partition: the shard.

    Raises:
        StateError: the changelog is lost.
    """
    if group_offset is not None:
        raise StateError(
            f"{changelog_topic}[{partition}] holds no state, but this application has committed "
            f"the source up to offset {group_offset}: the changelog was deleted. Beginning anew "
            "would repeat every prediction and fork the audit trail. Bring the changelog back, or "
            "begin anew under another application_id"
        )


def re_step(
    engine: Engine,
    reader: PartitionReader,
    store: ShardStore,
    topic: str,
    reached: int,
    committed: int,
    stepping: Callable[[], None] = lambda: None,
) -> int:
    """Step the events from ``reached`` to ``committed`` again, silently, and compare the chains.

    Args:
        engine: its cells stand at ``reached``.
        reader: of the source.
        store: has the chains as of ``committed``.
        topic: the source.
        reached: source offset of the checkpoint.
        committed: source offset of the last commit.
        stepping: called before each batch; what it raises ends this.

    Returns:
        Events stepped.

    Raises:
        StateError: the source no longer has the events, or they gave other bytes than before.
        BrokerUnavailable: the source cannot be read.
    """
    where = f"{topic}[{engine.shard}]"
    low, end = reader.bounds(topic, engine.shard)
    if end < committed:
        raise StateError(
            f"{where} ends at offset {end}, but its events up to {committed} have been learnt: the "
            "topic was deleted and made anew. State and log belong together: bring the log back, "
            "or begin anew under another application_id"
        )
    if low > reached:
        raise StateError(
            f"{where}: events {reached} to {low - 1} were deleted before they were learnt for "
            "good: the topic's retention is shorter than the time between two checkpoints, or than "
            "the worker was down. Lengthen retention.ms (or lower stream.checkpoint_events); this "
            "state cannot go on without them, so begin anew under another application_id"
        )
    stepped = 0
    engine.expect(cell_keys.tenant_of(key) for key, _ in store.items(cell_keys.chain_prefix()))
    for batch in reader.read(topic, engine.shard, reached, committed):
        stepping()
        engine.process(batch, emit=False)
        stepped += len(batch)
    engine.next_offset = committed
    engine.compare_chains(
        (cell_keys.tenant_of(key), value) for key, value in store.items(cell_keys.chain_prefix())
    )
    return stepped
