"""Proofs about one log of the audit trail, made in passes over it; see ``state.audit.bundle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import ConfigError
from state.audit.bundle import consistency_bundle, head_bundle, inclusion_bundle
from state.audit.checkpoint import Checkpoint, CheckpointNote
from state.audit.leaf import COLUMN, LEAF_BYTES, STEPS, record_numbers
from state.audit.merkle import leaf_hash
from state.audit.note import Note
from state.audit.proof import consistency_spans, inclusion_spans, span_roots
from state.audit.shard_root import ShardRoot, SnapshotsHead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.trail import TrailLog


def prove_inclusion(log: TrailLog, step: int, size: int | None) -> str:
    """Prove that the record of a step is in the signed log.

    Where a cell was set back and stepped again, it is the last record of that step.

    Args:
        log: whose record.
        step: number of the step, from 1.
        size: tree size of the checkpoint to prove it in; None: the newest.

    Raises:
        ConfigError: there is no such checkpoint or step.
    """
    note = _checkpoint(log, size)
    found: tuple[int, bytes] | None = None
    for index, record in enumerate(log.records()):
        if index >= note.tree_size:
            break
        numbers = record_numbers(record)[0]
        if numbers[COLUMN["step"]] == step and numbers[COLUMN["format"]] in STEPS:
            found = index, record
    if found is None:
        raise ConfigError(
            f"{log.origin} has no record of step {step} among the {note.tree_size} that are signed"
        )
    index, record = found
    hashes = span_roots(_leaves(log), inclusion_spans(index, note.tree_size))
    return inclusion_bundle(note.note, record, index, hashes)


def prove_consistency(log: TrailLog, first: int | str, size: int | None) -> str:
    """Prove that the log only grew since an earlier checkpoint.

    Args:
        log: the log.
        first: tree size of the earlier checkpoint, or a signed note that was kept.
        size: tree size of the later one; None: the newest.

    Raises:
        ConfigError: there is no such checkpoint.
    """
    later = _checkpoint(log, size)
    before = CheckpointNote.of_note(first) if isinstance(first, str) else _checkpoint(log, first)
    if before.origin != log.origin:
        raise ConfigError(f"the note is of {before.origin}, not of {log.origin}")
    hashes = span_roots(_leaves(log), consistency_spans(before.tree_size, later.tree_size))
    return consistency_bundle(before.note, later.note, hashes)


def prove_head(log: TrailLog, size: int | None) -> str:
    """Prove that the cell stands in its shard's root as its checkpoint says.

    Args:
        log: the log; from topics, for the files of one cell do not tell of the others.
        size: tree size of the checkpoint; None: the newest.

    Raises:
        ConfigError: there is no such checkpoint, or it is older than the shard's roots.
    """
    note = _checkpoint(log, size)
    wanted = Checkpoint.parse(Note.parse(note.note).text)
    if wanted.shard is None:
        raise ConfigError(f"the checkpoint of {note.tree_size} records has no shard's root")
    root = ShardRoot(SnapshotsHead(wanted.shard.snapshots, wanted.shard.head))
    for other in log.shard_checkpoints():
        stated = Checkpoint.parse(Note.parse(other.note).text)
        if stated.shard is not None and stated.shard.records > wanted.shard.records:
            break
        root.put(stated)
    if root.commitment() != wanted.shard:
        raise ConfigError(
            f"the checkpoints that are here do not give the shard's root of {wanted.shard.records} "
            "records: they are not those of all cells, or were tampered with; see `weir verify`"
        )
    return head_bundle(note.note, *root.prove(log.origin))


def _checkpoint(log: TrailLog, size: int | None) -> CheckpointNote:
    found = None
    for note in log.checkpoints():
        if size is None or note.tree_size == size:
            found = note
    if found is None:
        wanted = "checkpoint" if size is None else f"checkpoint of {size} records"
        raise ConfigError(
            f"{log.origin} has no {wanted}; checkpoints stand where units of work ended: "
            "`weir inspect` shows the newest"
        )
    return found


def _leaves(log: TrailLog) -> Iterator[bytes]:
    return (leaf_hash(record[:LEAF_BYTES]) for record in log.records())
