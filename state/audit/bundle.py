"""Proofs as files: one JSON object that holds all that is needed to check it but the public key.

    kind          proves                                                  beside ``checkpoint``
    inclusion     a record is in the signed log                           record, index, hashes
    consistency   the signed log begins with all of an earlier one        first, hashes
    head          the cell stands in the shard's root, signed beside it   index, leaves, hashes
    fork          the key signed two histories (``fork.ForkProof``)       -

``checkpoint`` and ``first`` are signed notes; a record is leaf and hash, hashes are those of
RFC 9162; both are base64.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from state.audit.checkpoint import Checkpoint
from state.audit.errors import BadProof, MalformedNote
from state.audit.fork import ForkProof
from state.audit.leaf import LEAF_BYTES, NUMBERS, RECORD_BYTES, record_numbers
from state.audit.merkle import leaf_hash
from state.audit.note import Note, decode_base64
from state.audit.proof import verify_consistency, verify_inclusion
from state.audit.shard_root import cell_leaf

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from state.audit.note import Verifier


class Proved(NamedTuple):
    """What a proof proves.

    Attributes:
        kind: of the proof.
        origin: of the log.
        size: of the signed log.
        statement: in words.
        record: the numbers of the record, for an inclusion.
    """

    kind: str
    origin: str
    size: int
    statement: str
    record: dict[str, float] | None = None


def inclusion_bundle(note: str, record: bytes, index: int, hashes: Sequence[bytes]) -> str:
    """Write a proof that a record is in the log of a signed checkpoint."""
    return _dump(
        {
            "kind": "inclusion",
            "checkpoint": note,
            "record": base64.b64encode(record).decode(),
            "index": index,
            "hashes": _texts(hashes),
        }
    )


def consistency_bundle(first: str, note: str, hashes: Sequence[bytes]) -> str:
    """Write a proof that the log of a signed checkpoint begins with that of an earlier one."""
    return _dump(
        {"kind": "consistency", "first": first, "checkpoint": note, "hashes": _texts(hashes)}
    )


def head_bundle(note: str, index: int, leaves: int, hashes: Sequence[bytes]) -> str:
    """Write a proof that a cell stands in its shard's root as the checkpoint says."""
    return _dump(
        {
            "kind": "head",
            "checkpoint": note,
            "index": index,
            "leaves": leaves,
            "hashes": _texts(hashes),
        }
    )


def check_bundle(text: str, keys: Collection[Verifier]) -> Proved:
    """Check a proof of any kind.

    Args:
        text: the JSON object.
        keys: public keys that may sign checkpoints.

    Raises:
        AuditError: it proves nothing, or by a key that is not trusted here.
    """
    try:
        read: dict[str, Any] = json.loads(text)
        kind = read["kind"]
        if kind == "inclusion":
            return _check_inclusion(read, keys)
        if kind == "consistency":
            return _check_consistency(read, keys)
        if kind == "head":
            return _check_head(read, keys)
    except (ValueError, KeyError, TypeError) as error:
        raise BadProof(f"this is no proof as `weir prove` writes it: {error!r}") from error
    first, second = ForkProof.from_json(text).check(keys)
    return Proved(
        "fork",
        second.origin,
        second.size,
        f"the key signed two histories: one of {first.size} and one of {second.size} records",
    )


def _check_inclusion(read: dict[str, Any], keys: Collection[Verifier]) -> Proved:
    checkpoint = _opened(read["checkpoint"], keys)
    record = decode_base64(read["record"])
    if len(record) != RECORD_BYTES:
        raise BadProof(f"the record has {len(record)} bytes, not {RECORD_BYTES}")
    leaf = leaf_hash(record[:LEAF_BYTES])
    index = _whole(read["index"])
    verify_inclusion(leaf, index, checkpoint.size, _hashes(read["hashes"]), checkpoint.root)
    numbers = dict(zip(NUMBERS, record_numbers(record)[0].tolist(), strict=True))
    statement = f"record {index} (step {numbers['step']:.0f}) is among the {checkpoint.size} signed"
    return Proved("inclusion", checkpoint.origin, checkpoint.size, statement, numbers)


def _check_consistency(read: dict[str, Any], keys: Collection[Verifier]) -> Proved:
    first, second = _opened(read["first"], keys), _opened(read["checkpoint"], keys)
    if first.origin != second.origin:
        raise BadProof(f"{first.origin} and {second.origin} are two logs")
    verify_consistency(first.size, second.size, first.root, second.root, _hashes(read["hashes"]))
    statement = f"the {second.size} records begin with the {first.size} that were signed before"
    return Proved("consistency", second.origin, second.size, statement)


def _check_head(read: dict[str, Any], keys: Collection[Verifier]) -> Proved:
    checkpoint = _opened(read["checkpoint"], keys)
    if checkpoint.shard is None:
        raise BadProof("the checkpoint has no shard's root")
    verify_inclusion(
        leaf_hash(cell_leaf(checkpoint)),
        _whole(read["index"]),
        _whole(read["leaves"]),
        _hashes(read["hashes"]),
        checkpoint.shard.root,
    )
    statement = f"its head stands in the shard's root over {checkpoint.shard.records} records"
    return Proved("head", checkpoint.origin, checkpoint.size, statement)


def _opened(note: Any, keys: Collection[Verifier]) -> Checkpoint:
    if not isinstance(note, str):
        raise MalformedNote("the checkpoint of the proof is no text")
    parsed = Note.parse(note)
    parsed.verify(keys)
    return Checkpoint.parse(parsed.text)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise BadProof(f"{value!r} where a whole number is due")
    return value


def _hashes(values: Any) -> list[bytes]:
    return [decode_base64(one) for one in values]


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]


def _dump(proof: dict[str, Any]) -> str:
    return json.dumps(proof, ensure_ascii=False) + "\n"
