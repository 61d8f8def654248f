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

import base64
import json
import os
import time
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from schemas.errors import StateError
from state.audit.errors import AuditError
from state.audit.fork import ForkProof
from state.audit.merkle import CompactRange
from state.audit.proof import consistency_spans, span_roots

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


class _Log:
    """What a witness remembers of one log."""

    def __init__(self) -> None:
        self.edge = CompactRange()
        self.size = 0  # of the newest cosigned checkpoint
        self.root = b""
        self.note = ""
        self.forked = False
        # The topic was made anew and is read from its start: what was cosigned is to be confirmed.
        self.unconfirmed = False
        self.changed = False

    def to_plain(self) -> dict[str, Any]:
        return {
            "edge": base64.b64encode(self.edge.to_bytes()).decode(),
            "size": self.size,
            "root": self.root.hex(),
            "note": self.note,
            "forked": self.forked,
            "unconfirmed": self.unconfirmed,
            "changed": self.changed,
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> _Log:
        log = cls()
        log.edge = CompactRange.from_bytes(base64.b64decode(plain["edge"]))
        log.size, log.root = plain["size"], bytes.fromhex(plain["root"])
        log.note, log.forked = plain["note"], plain["forked"]
        log.unconfirmed, log.changed = plain["unconfirmed"], plain["changed"]
        return log


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
        self._folder = folder
        self._path = folder / "state" / f"shard-{shard:05d}.json"
        self._keys = keys
        self._cosigner = cosigner
        self._now = now
        self._patience_s = patience_s
        self._logs: dict[str, _Log] = {}
        self._checkpoints_from = self._records_from = 0
        self._identity: str | None = None
        self._load()

    def observe(self, source: ShardLog) -> list[Finding]:
        """Make one pass over what is new, at most ``PORTION`` checkpoints.

        Returns:
            What was found; nothing where nothing was new.
        """
        self._begin_anew(source)
        findings: list[Finding] = []
        pending: dict[str, list[tuple[CheckpointNote, Checkpoint]]] = {}
        reached = self._checkpoints_from
        for offset, note in islice(source.checkpoints(self._checkpoints_from), PORTION):
            reached = offset + 1
            checkpoint = self._opened(note, findings)
            if checkpoint is not None:
                pending.setdefault(checkpoint.origin, []).append((note, checkpoint))
        fitting = self._read_records(source, pending, findings)
        for origin, (note, checkpoint) in fitting.items():
            log = self._logs[origin]
            if not log.forked and checkpoint.size > log.size:
                findings.append(self._cosign(log, note, checkpoint))
        self._checkpoints_from = reached
        self._save()
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
        log = self._logs.get(checkpoint.origin)
        if log is None or not checkpoint.size or checkpoint.size > log.edge.size:
            return None
        root = self._root_at(source, checkpoint.origin, checkpoint.size)
        return None if root == checkpoint.root else self._contradiction(source, note, checkpoint)

    # -- a pass -----------------------------------------------------------------------------------

    def _opened(self, note: CheckpointNote, findings: list[Finding]) -> Checkpoint | None:
        try:
            return note.open(self._keys)
        except AuditError as error:
            path = self._write(note.origin, note.tree_size, Verdict.REFUSED, note.note)
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
        while any(pending.values()) or any(log.unconfirmed for log in self._logs.values()):
            for offset, origin, leaf in source.records(self._records_from):
                log = self._logs.setdefault(origin, _Log())
                log.edge.append(leaf)
                if log.unconfirmed and log.edge.size == log.size:
                    log.unconfirmed, log.changed = False, log.edge.root() != log.root
                self._records_from = offset + 1
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
                path = self._write(origin, checkpoint.size, Verdict.TRUNCATED, note.note)
                detail = (
                    f"signed for {checkpoint.size} records, the topic has "
                    f"{self._logs.setdefault(origin, _Log()).edge.size}"
                )
                findings.append(Finding(Verdict.TRUNCATED, origin, checkpoint.size, path, detail))
        return fitting

    def _nothing_awaited(self, pending: dict[str, list[tuple[CheckpointNote, Checkpoint]]]) -> bool:
        return not any(pending.values()) and not any(g.unconfirmed for g in self._logs.values())

    def _begin_anew(self, source: ShardLog) -> None:
        """Read from the start where the topics are others than before, or were cut off.

        What was cosigned is then to be confirmed by the records that are there.
        """
        identity, end = source.identity(), source.records_end()
        if identity == self._identity and end >= self._records_from:
            return
        if self._identity is not None:
            for log in self._logs.values():
                log.edge, log.unconfirmed = CompactRange(), bool(log.note)
            self._records_from = self._checkpoints_from = 0
        self._identity = identity

    def _cut_off(self) -> Iterator[Finding]:
        """Find the logs that have fewer records than were cosigned."""
        for origin, log in self._logs.items():
            if log.unconfirmed:
                path = self._write(origin, log.size, Verdict.TRUNCATED, log.note)
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
        log = self._logs.setdefault(origin, _Log())
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
        log = self._logs[origin]
        proof = self._fork_proof(source, note, checkpoint)
        if proof is None:
            path = self._write(origin, checkpoint.size, Verdict.MISMATCH, note.note)
            detail = f"the records do not give the root {checkpoint.root.hex()} that was signed"
            return Finding(Verdict.MISMATCH, origin, checkpoint.size, path, detail)
        log.forked = True
        path = self._write(origin, checkpoint.size, Verdict.FORK, proof.to_json())
        detail = f"two signed histories: of {log.size} and of {checkpoint.size} records"
        return Finding(Verdict.FORK, origin, checkpoint.size, path, detail)

    def _fork_proof(
        self, source: ShardLog, note: CheckpointNote, checkpoint: Checkpoint
    ) -> ForkProof | None:
        """Make a proof from the checkpoint and one that was cosigned, if the two contradict."""
        log = self._logs[checkpoint.origin]
        same = self._cosigned(checkpoint.origin, checkpoint.size)
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

    # -- the folder -------------------------------------------------------------------------------

    def _cosign(self, log: _Log, note: CheckpointNote, checkpoint: Checkpoint) -> Finding:
        cosigned = self._cosigner.cosign(note.note, int(self._now()))
        path = self._note_path(checkpoint.origin, checkpoint.size)
        _replace(path, cosigned)
        log.size, log.root, log.note = checkpoint.size, checkpoint.root, cosigned
        return Finding(Verdict.COSIGNED, checkpoint.origin, checkpoint.size, path, "")

    def _note_path(self, origin: str, size: int) -> Path:
        return self._folder / "cosigned" / quote(origin, safe="") / f"{size:020d}.note"

    def _cosigned(self, origin: str, size: int) -> str | None:
        path = self._note_path(origin, size)
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def _write(self, origin: str, size: int, verdict: Verdict, text: str) -> Path:
        suffix = "json" if verdict is Verdict.FORK else "note"
        name = f"{quote(origin, safe='')}-{size:020d}-{verdict.lower()}.{suffix}"
        path = self._folder / "evidence" / name
        _replace(path, text)
        return path

    def _load(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        try:
            plain = json.loads(text)
            if plain["format"] != _FORMAT:
                raise ValueError(f"format {plain['format']}")
            self._checkpoints_from = plain["checkpoints_from"]
            self._records_from = plain["records_from"]
            self._identity = plain["identity"]
            self._logs = {name: _Log.of_plain(log) for name, log in plain["logs"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{self._path} is damaged or of another version ({error}): bring back a copy; "
                "without it the witness cannot tell whether the log was changed before today"
            ) from error

    def _save(self) -> None:
        plain = {
            "format": _FORMAT,
            "checkpoints_from": self._checkpoints_from,
            "records_from": self._records_from,
            "identity": self._identity,
            "logs": {name: log.to_plain() for name, log in self._logs.items()},
        }
        _replace(self._path, json.dumps(plain, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write a file whole: whoever reads it sees all of the old text or all of the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
