"""Exports the audit trail from its topics to objects that are written once.

For each log, in ``<application>/<tenant>/<shard>/`` of the store:

    records-<number of the first>-<of the last>.avro         at most ``SEGMENT`` records
    checkpoints-<size of the first>-<of the last>.avro       those that came with them

An export goes on where the last one ended, which the names of the objects tell, and takes only what
a signed checkpoint covers. Objects are never changed; with a retention nobody can (S3 Object Lock).
Each object is a container that `weir verify` and `python -m state.audit` read as it is.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

import fastavro
from fastavro.write import Writer

from schemas.errors import StateError
from schemas.registry import load
from state.audit.files import BLOCK_RECORDS, FIRST, ORIGIN
from state.audit.leaf import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from state.audit.checkpoint import CheckpointNote
    from state.objects import ObjectStore, Retention
    from streams.trail import TrailLog

SEGMENT: Final = 100_000
"""Records an object: 43 MB."""

_MAX_NOTES: Final = 100_000


class Exported(NamedTuple):
    """What an export wrote of one log.

    Attributes:
        origin: name of the log.
        first: number of the first record written.
        records: how many.
        objects: names of the objects.
    """

    origin: str
    first: int
    records: int
    objects: tuple[str, ...]


class _Block(NamedTuple):
    num_records: int
    bytes_: BytesIO


def export_log(
    log: TrailLog,
    tenant: str,
    shard: int,
    store: ObjectStore,
    retention: Retention | None = None,
    progress: Callable[[int], None] = lambda records: None,  # noqa: ARG005 - nobody looks
) -> Exported:
    """Export what is new of one log.

    Args:
        log: to be read.
        tenant: whose it is.
        shard: of which shard.
        store: where to.
        retention: how long the objects are locked.
        progress: told after each block how many records it held.

    Raises:
        StateError: the store cannot be written, or has more of the log than there is.
    """
    done, _ = _ends(store, log.origin, "records-")
    _, signed = _ends(store, log.origin, "checkpoints-")
    notes = [note for note in _bounded(log.checkpoints()) if note.tree_size > signed]
    end = max((note.tree_size for note in notes), default=signed)
    if end < done:
        raise StateError(
            f"{store.url}/{log.origin} holds {done} records and the topics' checkpoints speak of "
            f"{end}: the topics were cut off or are others. Do not delete the objects; verify them"
        )
    objects = []
    for start, values in _segments(log, done, end):
        name = f"{log.origin}/records-{start:012d}-{start + len(values) - 1:012d}.avro"
        store.put(name, _records_file(log.origin, start, values, progress), retention)
        objects.append(name)
    # The checkpoints last: records without them are taken up again, checkpoints without records
    # would say that records are missing.
    if notes:
        name = f"{log.origin}/checkpoints-{notes[0].tree_size:012d}-{end:012d}.avro"
        store.put(name, _checkpoints_file(tenant, shard, notes), retention)
        objects.append(name)
    return Exported(log.origin, done, max(0, end - done), tuple(objects))


def _ends(store: ObjectStore, origin: str, kind: str) -> tuple[int, int]:
    """Give how many records the objects of a kind reach, as a count and as their last number."""
    last = -1
    for name in store.names(origin):
        base = name.rpartition("/")[2]
        if base.startswith(kind):
            try:
                last = max(last, int(base.removesuffix(".avro").rpartition("-")[2]))
            except ValueError as error:
                raise StateError(f"{store.url}/{name} is no object of an export") from error
    return last + 1, max(last, 0)


def _bounded(notes: Iterator[CheckpointNote]) -> Iterator[CheckpointNote]:
    """Thin out checkpoints of a long trail: what is exported must keep the last, not each."""
    kept: list[CheckpointNote] = []
    for note in notes:
        kept.append(note)
        if len(kept) > _MAX_NOTES:
            kept = [*kept[1::2]]
    yield from kept


def _segments(log: TrailLog, start: int, stop: int) -> Iterator[tuple[int, list[bytes]]]:
    values: list[bytes] = []
    first = start
    for number, value in enumerate(log.records()):
        if number >= stop:
            break
        if number < start:
            continue
        if len(value) != RECORD_BYTES:
            raise StateError(
                f"record {number} of {log.origin} has {len(value)} bytes instead of "
                f"{RECORD_BYTES}: the trail was tampered with; `weir verify` tells where"
            )
        values.append(value)
        if len(values) == SEGMENT:
            yield first, values
            first, values = number + 1, []
    if values:
        yield first, values
    if first + len(values) < stop:
        raise StateError(
            f"{log.origin} has {first + len(values)} records, its checkpoints speak of {stop}: the "
            "trail was cut off; `weir verify` tells where"
        )


def _records_file(
    origin: str, first: int, values: Sequence[bytes], progress: Callable[[int], None]
) -> bytes:
    out = BytesIO()
    metadata = {ORIGIN: origin, FIRST: str(first)}
    writer = Writer(out, load("audit_record").parsed, metadata=metadata)
    for at in range(0, len(values), BLOCK_RECORDS):
        block = values[at : at + BLOCK_RECORDS]
        writer.write_block(_Block(len(block), BytesIO(b"".join(block))))
        progress(len(block))
    writer.flush()
    return out.getvalue()


def _checkpoints_file(tenant: str, shard: int, notes: Sequence[CheckpointNote]) -> bytes:
    out = BytesIO()
    records = (note.record(tenant, shard) for note in notes)
    fastavro.writer(out, load("audit_checkpoint").parsed, records)
    return out.getvalue()
