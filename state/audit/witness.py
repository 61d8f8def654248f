"""A witness: follows the logs of one shard, cosigns what only ever grew, and keeps what did not.

It has a key of its own and a folder of its own, and needs nothing from the operator but the topics
(or a copy of them) and the logs' public key. Per shard it remembers how far it read, and for each
log the compact range of its records and the newest checkpoint that it cosigned. In each pass it

1. takes all new checkpoints, and checks their signatures;
2. takes all new records, and compares the root at each size that a checkpoint speaks of;
3. cosigns the newest checkpoint of each log that fits all that was before.

What does not fit is one of these, and is written down before anything else happens:

    FORK        two signed checkpoints of which no log can hold both: see ``fork.ForkProof``
    MISMATCH    records that do not give the root that was signed for them
    TRUNCATED   fewer records than a checkpoint speaks of that this witness cosigned
    REFUSED     a checkpoint without a valid signature by the log's key

A log that was found forked is never cosigned again.

The folder: ``state/shard-<n>.json`` (replaced whole), ``cosigned/<log>/<size>.note``, and
``evidence/<log>-<size>-<kind>.json``.
"""

from __future__ import annotations

import time
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from state.audit.errors import AuditError
from state.audit.fork import ForkProof
from state.audit.merkle import CompactRange
from state.audit.proof import consistency_spans, span_roots
from state.audit.witness_memory import WitnessedLog, WitnessMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from state.audit.checkpoint import Checkpoint, CheckpointNote
    from state.audit.cosign import Cosigner
    from state.audit.note import Verifier

PATIENCE_S: Final = 5.0
PORTION: Final = 10_000
"""Checkpoints that a pass takes at most: what it holds in memory."""

_FORMAT: Final = 1
_POLL_S: Final = 0.1


class Verdict(StrEnum):
    """What a pass found of a log; stable codes for scripts."""

    COSIGNED = "COSIGNED"
    FORK = "FORK"
    MISMATCH = "MISMATCH"
    TRUNCATED = "TRUNCATED"
    REFUSED = "REFUSED"


class Finding(NamedTuple):
    """One thing that a pass has to say.

    Attributes:
        verdict: what.
        origin: of which log.
        size: tree size of the checkpoint.
        path: file in which it was written down.
        detail: in words.
    """

    verdict: Verdict
    origin: str
    size: int
    path: Path
    detail: str


class ShardLog(Protocol):
    """Where the records and checkpoints of a shard are read, in the order of their offsets."""

    def checkpoints(self, start: int) -> Iterator[tuple[int, CheckpointNote]]:
        """Yield offset and checkpoint from an offset on; ends where there is no more."""

    def records(self, start: int) -> Iterator[tuple[int, str, bytes]]:
        """Yield offset, log's origin and leaf hash, as computed, from an offset on."""

    def records_end(self) -> int:
        """Offset after the last record."""

    def identity(self) -> str:
        """What tells these topics from others of the same name."""


class Witness:
    """Follows the logs of one shard.

    Args:
        folder: where it keeps what it knows; its own.
        shard: partition number.
        keys: public keys of the logs.
        cosigner: this witness' key.
        now: seconds since the epoch, for the cosignatures.
        patience_s: how long records may take to show after their checkpoint.

    Raises:
        StateError: what the folder holds cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        shard: int,
        keys: Collection[Verifier],
        cosigner: Cosigner,
        now: Callable[[], float] = time.time,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._memory = WitnessMemory(folder, shard)
        self._keys = keys
        self._cosigner = cosigner
        self._now = now
        self._patience_s = patience_s

    def observe(self, source: ShardLog) -> list[Finding]:
        """Make one pass over what is new, at most ``PORTION`` checkpoints.

        Returns:
            What was found; nothing where nothing was new.
        """
        self._begin_anew(source)
        findings: list[Finding] = []
        pending: dict[str, list[tuple[CheckpointNote, Checkpoint]]] = {}
        reached = self._memory.checkpoints_from
        for offset, note in islice(source.checkpoints(self._memory.checkpoints_from), PORTION):
            reached = offset + 1
            checkpoint = self._opened(note, findings)
            if checkpoint is not None:
                pending.setdefault(checkpoint.origin, []).append((note, checkpoint))
        fitting = self._read_records(source, pending, findings)
        for origin, (note, checkpoint) in fitting.items():
            log = self._memory.logs[origin]
            if not log.forked and checkpoint.size > log.size:
                findings.append(self._cosign(log, note, checkpoint))
        self._memory.checkpoints_from = reached
        self._memory.save()
        return findings

    def compare(self, note: CheckpointNote, source: ShardLog) -> Finding | None:
        """Compare a checkpoint from elsewhere, such as a tenant's, with the history seen here.

        Returns:
            What is wrong; None where it fits, or is of more records than there are yet.
        """
        findings: list[Finding] = []
        checkpoint = self._opened(note, findings)
        if checkpoint is None:
            return findings[0]
        log = self._memory.logs.get(checkpoint.origin)
        if log is None or not checkpoint.size or checkpoint.size > log.edge.size:
            return None
        root = self._root_at(source, checkpoint.origin, checkpoint.size)
        return None if root == checkpoint.root else self._contradiction(source, note, checkpoint)

    # -- a pass -----------------------------------------------------------------------------------

    def _opened(self, note: CheckpointNote, findings: list[Finding]) -> Checkpoint | None:
        try:
            return note.open(self._keys)
        except AuditError as error:
            path = self._memory.evidence(note.origin, note.tree_size, Verdict.REFUSED, note.note)
            findings.append(Finding(Verdict.REFUSED, note.origin, note.tree_size, path, str(error)))
            return None

    def _read_records(
        self,
        source: ShardLog,
        pending: dict[str, list[tuple[CheckpointNote, Checkpoint]]],
        findings: list[Finding],
    ) -> dict[str, tuple[CheckpointNote, Checkpoint]]:
        """Grow the logs; gives the newest checkpoint of each that fits."""
        fitting: dict[str, tuple[CheckpointNote, Checkpoint]] = {}
        for origin, items in pending.items():
            items.sort(key=lambda item: item[1].size)
            self._judge(source, origin, items, fitting, findings)
        deadline = time.monotonic() + self._patience_s
        while any(pending.values()) or any(log.unconfirmed for log in self._memory.logs.values()):
            for offset, origin, leaf in source.records(self._memory.records_from):
                log = self._memory.log(origin)
                log.edge.append(leaf)
                if log.unconfirmed and log.edge.size == log.size:
                    log.unconfirmed, log.changed = False, log.edge.root() != log.root
                self._memory.records_from = offset + 1
                items = pending.get(origin, [])
                if items and items[0][1].size <= log.edge.size:
                    self._judge(source, origin, items, fitting, findings)
                if items == [] and self._nothing_awaited(pending):
                    break
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_S)
        findings += self._cut_off()
        for origin, items in pending.items():
            for note, checkpoint in items:
                path = self._memory.evidence(origin, checkpoint.size, Verdict.TRUNCATED, note.note)
                detail = (
                    f"signed for {checkpoint.size} records, the topic has "
                    f"{self._memory.log(origin).edge.size}"
                )
                findings.append(Finding(Verdict.TRUNCATED, origin, checkpoint.size, path, detail))
        return fitting

    def _nothing_awaited(self, pending: dict[str, list[tuple[CheckpointNote, Checkpoint]]]) -> bool:
        return not any(pending.values()) and not any(
            g.unconfirmed for g in self._memory.logs.values()
        )

    def _begin_anew(self, source: ShardLog) -> None:
        """Read from the start where the topics are others than before, or were cut off.

        What was cosigned is then to be confirmed by the records that are there.
        """
        identity, end = source.identity(), source.records_end()
        if identity == self._memory.identity and end >= self._memory.records_from:
            return
        if self._memory.identity is not None:
            for log in self._memory.logs.values():
                log.edge, log.unconfirmed = CompactRange(), bool(log.note)
            self._memory.records_from = self._memory.checkpoints_from = 0
        self._memory.identity = identity

    def _cut_off(self) -> Iterator[Finding]:
        """Find the logs that have fewer records than were cosigned."""
        for origin, log in self._memory.logs.items():
            if log.unconfirmed:
                path = self._memory.evidence(origin, log.size, Verdict.TRUNCATED, log.note)
                detail = f"{log.size} records were cosigned, the topic has {log.edge.size}"
                yield Finding(Verdict.TRUNCATED, origin, log.size, path, detail)

    def _judge(
        self,
        source: ShardLog,
        origin: str,
        items: list[tuple[CheckpointNote, Checkpoint]],
        fitting: dict[str, tuple[CheckpointNote, Checkpoint]],
        findings: list[Finding],
    ) -> None:
        """Judge the checkpoints whose size the log has reached, and take them off the list."""
        log = self._memory.log(origin)
        while items and items[0][1].size <= log.edge.size:
            note, checkpoint = items.pop(0)
            if not checkpoint.size:
                continue
            if checkpoint.size == log.edge.size:
                root = log.edge.root()
            else:  # it came late, or is of a history that was changed
                root = self._root_at(source, origin, checkpoint.size)
            if root == checkpoint.root and not (log.changed and checkpoint.size >= log.size):
                fitting[origin] = note, checkpoint
            else:
                findings.append(self._contradiction(source, note, checkpoint))

    def _contradiction(
        self, source: ShardLog, note: CheckpointNote, checkpoint: Checkpoint
    ) -> Finding:
        """Write down a checkpoint that does not fit, with a proof where there is one."""
        origin = checkpoint.origin
        log = self._memory.logs[origin]
        proof = self._fork_proof(source, note, checkpoint)
        if proof is None:
            path = self._memory.evidence(origin, checkpoint.size, Verdict.MISMATCH, note.note)
            detail = f"the records do not give the root {checkpoint.root.hex()} that was signed"
            return Finding(Verdict.MISMATCH, origin, checkpoint.size, path, detail)
        log.forked = True
        path = self._memory.evidence(origin, checkpoint.size, Verdict.FORK, proof.to_json())
        detail = f"two signed histories: of {log.size} and of {checkpoint.size} records"
        return Finding(Verdict.FORK, origin, checkpoint.size, path, detail)

    def _fork_proof(
        self, source: ShardLog, note: CheckpointNote, checkpoint: Checkpoint
    ) -> ForkProof | None:
        """Make a proof from the checkpoint and one that was cosigned, if the two contradict."""
        log = self._memory.logs[checkpoint.origin]
        same = self._memory.cosigned(checkpoint.origin, checkpoint.size)
        if same is not None:
            proof = ForkProof(same, note.note, checkpoint.root)
            return proof if self._proves(proof) else None
        if not log.note:
            return None
        smaller, larger = sorted((log.size, checkpoint.size))
        leaves = (leaf for _, name, leaf in source.records(0) if name == checkpoint.origin)
        spans = consistency_spans(smaller, larger)
        try:
            hashes = span_roots(leaves, spans)
            root = self._root_at(source, checkpoint.origin, smaller)
        except AuditError:
            return None  # the topic does not have the records
        first, second = (
            (log.note, note.note) if log.size < checkpoint.size else (note.note, log.note)
        )
        proof = ForkProof(first, second, root, tuple(hashes))
        return proof if self._proves(proof) else None

    def _proves(self, proof: ForkProof) -> bool:
        try:
            proof.check(self._keys)
        except AuditError:
            return False
        return True

    @staticmethod
    def _root_at(source: ShardLog, origin: str, size: int) -> bytes:
        """Compute the root of a log's first records, from the start of the topic."""
        edge = CompactRange()
        for _, name, leaf in source.records(0):
            if name == origin:
                edge.append(leaf)
                if edge.size == size:
                    break
        return edge.root()

    def _cosign(self, log: WitnessedLog, note: CheckpointNote, checkpoint: Checkpoint) -> Finding:
        cosigned = self._cosigner.cosign(note.note, int(self._now()))
        path = self._memory.keep(checkpoint.origin, checkpoint.size, cosigned)
        log.size, log.root, log.note = checkpoint.size, checkpoint.root, cosigned
        return Finding(Verdict.COSIGNED, checkpoint.origin, checkpoint.size, path, "")
