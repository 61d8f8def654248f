"""Checkpoints: what an audit log commits to at one size, signed, as in C2SP tlog-checkpoint.

    <origin>
    <number of leaves>
    <base64 of the RFC 6962 root>
    chain <base64 of the hash of the last leaf>
    shard <records of all cells> <base64 of the shard's root> <snapshots> <base64 of their head>

The last two lines are extensions. The head of the chain ties the checkpoint to the records even for
a reader who follows only the chain and builds no tree. The shard's root (``shard_root``) commits to
the heads of all cells of the shard and to its snapshots; logs from before it have no such line.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from schemas.errors import ConfigError
from state.audit.errors import MalformedNote
from state.audit.merkle import HASH_BYTES, MAX_SIZE
from state.audit.note import Note, decode_base64

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from state.audit.note import Signer, Verifier

CHAIN_EXTENSION: Final = "chain "
SHARD_EXTENSION: Final = "shard "
_LINES: Final = 4  # origin, size, root, chain
_MAX_DIGITS: Final = len(str(MAX_SIZE))


def origin_of(application_id: str, tenant: str, shard: int) -> str:
    """Name the log of one cell: ``application/tenant/shard``.

    Characters of the tenant that a key name may not hold, and the slash, are percent-encoded, so
    that two cells never share an origin; an ordinary tenant name stands as it is.

    Raises:
        ConfigError: a part is empty or the shard is negative.
    """
    if not application_id or not tenant or shard < 0:
        raise ConfigError(
            f"application {application_id!r}, tenant {tenant!r}, shard {shard} name no audit log"
        )
    return f"{quote(application_id, safe='')}/{quote(tenant, safe='')}/{shard}"


class ShardCommitment(NamedTuple):
    """What a checkpoint says of its whole shard; ``shard_root`` says how it is made.

    Args:
        records: records of all cells.
        root: root over the heads of all cells and of the snapshots, 32 bytes.
        snapshots: snapshots of the shard so far.
        head: head of the chain of their manifests, 32 bytes.
    """

    records: int
    root: bytes
    snapshots: int
    head: bytes

    def line(self) -> str:
        """Write the extension line, without its newline."""
        root, head = base64.b64encode(self.root).decode(), base64.b64encode(self.head).decode()
        return f"{SHARD_EXTENSION}{self.records} {root} {self.snapshots} {head}"


class Checkpoint(NamedTuple):
    """What is signed: the log's origin, its size, its root, its chain's head, its shard's root."""

    origin: str
    size: int
    root: bytes
    head: bytes
    shard: ShardCommitment | None = None

    def cell_text(self) -> str:
        """Write what it says of the cell itself: the body of the note up to the chain's head."""
        root, head = base64.b64encode(self.root).decode(), base64.b64encode(self.head).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{CHAIN_EXTENSION}{head}\n"

    def text(self) -> str:
        """Write the body of the note."""
        return self.cell_text() + (f"{self.shard.line()}\n" if self.shard is not None else "")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the body of a note; strict, so that one checkpoint has one reading.

        Raises:
            MalformedNote: the text is not a checkpoint of an audit chain.
        """
        lines = text.split("\n")
        if not _LINES <= len(lines) - 1 <= _LINES + 1 or lines[-1] or not all(lines[:-1]):
            raise MalformedNote(
                "a checkpoint has four lines, origin, size, root and chain head, and may have a "
                "fifth, the shard's root"
            )
        origin, size, root, chain, *shard = lines[:-1]
        return cls(
            origin,
            _parse_size(size),
            _parse_hash("root", root),
            _parse_chain(chain),
            _parse_shard(shard[0]) if shard else None,
        )


class CheckpointNote(NamedTuple):
    """A signed checkpoint beside its parts, as it travels on the topic ``audit-checkpoints``.

    Only ``note`` is signed; the other fields repeat it for readers that index without parsing.
    """

    origin: str
    tree_size: int
    root: bytes
    chain_head: bytes
    note: str

    @classmethod
    def sign(cls, checkpoint: Checkpoint, signer: Signer) -> CheckpointNote:
        """Sign a checkpoint."""
        return cls(*checkpoint[:_LINES], note=signer.sign(checkpoint.text()))

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> CheckpointNote:
        """Take a checkpoint out of a decoded ``AuditCheckpoint``."""
        return cls(*(record[name] for name in cls._fields))

    @classmethod
    def of_note(cls, note: str) -> CheckpointNote:
        """Take a signed note as a checkpoint; no signature is checked.

        Raises:
            MalformedNote: the note is not a signed checkpoint.
        """
        return cls(*Checkpoint.parse(Note.parse(note).text)[:_LINES], note=note)

    def record(self, tenant: str, shard: int) -> dict[str, Any]:
        """Give the ``AuditCheckpoint`` to encode."""
        return {"tenant": tenant, "shard": shard, **self._asdict()}

    def open(self, verifiers: Collection[Verifier]) -> Checkpoint:
        """Give the signed checkpoint, after checking its signatures.

        The fields beside the note are not looked at: what counts is what was signed.

        Raises:
            MalformedNote: the note is not a signed checkpoint.
            UnknownKey: none of the keys signed the note.
            BadSignature: a signature by one of the keys does not verify.
        """
        note = Note.parse(self.note)
        note.verify(verifiers)
        return Checkpoint.parse(note.text)

    def repeats(self, checkpoint: Checkpoint) -> bool:
        """Say whether the fields beside the note say what the note says."""
        return self[:_LINES] == checkpoint[:_LINES]


def _parse_size(text: str) -> int:
    plain = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not plain or (text[0] == "0" and text != "0") or int(text) > MAX_SIZE:
        raise MalformedNote(f"{text[:40]!r} is not a tree size")
    return int(text)


def _parse_hash(what: str, text: str) -> bytes:
    try:
        data = decode_base64(text)
    except ValueError as error:
        raise MalformedNote(f"the {what} of the checkpoint is not base64: {error}") from error
    if len(data) != HASH_BYTES:
        raise MalformedNote(f"the {what} of the checkpoint has {len(data)} bytes, not {HASH_BYTES}")
    return data


def _parse_chain(line: str) -> bytes:
    if not line.startswith(CHAIN_EXTENSION):
        raise MalformedNote("the fourth line of the checkpoint does not give the chain head")
    return _parse_hash("chain head", line.removeprefix(CHAIN_EXTENSION))


def _parse_shard(line: str) -> ShardCommitment:
    parts = line.removeprefix(SHARD_EXTENSION).split(" ")
    if not line.startswith(SHARD_EXTENSION) or len(parts) != len(ShardCommitment._fields):
        raise MalformedNote("the fifth line of the checkpoint does not give the shard's root")
    records, root, snapshots, head = parts
    return ShardCommitment(
        _parse_size(records),
        _parse_hash("shard's root", root),
        _parse_size(snapshots),
        _parse_hash("head of the snapshots", head),
    )
