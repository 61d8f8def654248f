"""The cut-over, written down: where the old log ends, and where everybody goes on.

Nothing in Kafka changes at a cut-over; it is a moment at which the old log has ended, all of it is
in the new one, and both applications have processed what they have. This document is its record,
and names the offsets. It is JSON with its own SHA-256 (of its canonical form without that) and a
note over it, signed by the audit key under the names of both applications: so the new audit trail,
which begins anew, is tied to the heads of the old one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import StateError
from state.audit.note import Note
from state.files import write_whole
from streams.inspect import inspect_application
from streams.keys import CellKeys
from streams.reshard.processed import stable_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from state.audit.report import VerifyReport
    from streams.kafka.reader import PartitionReader
    from streams.reshard.check import Checked
    from streams.reshard.copy import Start
    from streams.reshard.plan import Resharding
    from streams.reshard.processed import Outputs

FORMAT: Final = "weir-cut-over/1"
CONSUMED: Final = ("predictions", "quarantine", "audit", "audit-checkpoints")
"""Outputs that others may be reading."""


def describe(
    about: Resharding,
    starts: Mapping[int, Start],
    checked: Checked,
    outputs: Mapping[int, Outputs],
    trail: Sequence[VerifyReport],
    reader: PartitionReader,
    at: str,
) -> dict[str, Any]:
    """Put together what a cut-over says, without its checksum.

    Args:
        about: the two applications.
        starts: where the copy began.
        checked: how far both logs were compared: to their ends.
        outputs: what came of the new shards.
        trail: what the audit logs of the new application were found to be.
        reader: of the topics.
        at: now, in ISO 8601.
    """
    old = inspect_application(about.old)
    return {
        "format": FORMAT,
        "at": at,
        "from": {
            "application_id": about.old.application_id,
            "topic": about.old_log,
            "labels_topic": about.old.labels.topic,
            "partitions": [
                {"partition": p, "start": starts[p].start, "end": checked.old[p]}
                for p in range(about.old_shards)
            ],
            "audit": [
                {
                    "tenant": cell.tenant,
                    "shard": cell.shard,
                    "size": cell.size,
                    "root": cell.root.hex(),
                    "head": cell.chain_head.hex(),
                }
                for cell in old.cells
            ],
            "audit_is_whole": old.searched_all,
        },
        "to": {
            "application_id": about.new.application_id,
            "topic": about.new_log,
            "labels_topic": about.new.labels.topic,
            "partitions": [
                {
                    "partition": shard,
                    "first": checked.new[shard],
                    "events": checked.copies[shard],
                    **outputs[shard]._asdict(),
                }
                for shard in range(about.new_shards)
            ],
            "audit": [
                {
                    "origin": log.origin,
                    "outcome": str(log.outcome),
                    "size": log.records,
                    "root": log.root.hex(),
                    "head": log.head.hex(),
                }
                for log in trail
            ],
        },
        "consumers": {
            role: {
                "read": about.old.topics.name(role),
                "to": stable_ends(about.old, role, reader, about.old_shards),
                "then": about.new.topics.name(role),
                "from": stable_ends(about.new, role, reader, about.new_shards),
            }
            for role in CONSUMED
        },
        "copied": {
            "records": checked.records,
            "left_out": checked.left_out,
            "gone": checked.gone,
            "keyless": checked.keyless,
            "elsewhere": checked.elsewhere,
            "digest": checked.digest,
        },
    }


def write(path: Path, about: Resharding, said: Mapping[str, Any]) -> dict[str, Any]:
    """Sign and write the document; return it whole.

    Raises:
        OSError: it cannot be written.
        SecretError: there is no key.
    """
    sha256 = _sha256(said)
    text = f"weir cut-over\n{about.old.application_id}\n{about.new.application_id}\n{sha256}\n"
    first, *others = (CellKeys.open(one).signer for one in (about.old, about.new))
    note = first.sign(text)
    for signer in others:
        note = signer.cosign(Note.parse(note))
    whole = {**said, "sha256": sha256, "note": note}
    write_whole(path, json.dumps(whole, indent=1) + "\n")
    return whole


def read(path: Path) -> dict[str, Any] | None:
    """Return the document; None where there is none.

    Raises:
        StateError: it is damaged.
    """
    try:
        found = json.loads(path.read_bytes())
        said = {name: value for name, value in found.items() if name not in {"sha256", "note"}}
        whole = found["sha256"] == _sha256(said) and found["sha256"] in found["note"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError, TypeError):
        whole = False
    if not whole:
        raise StateError(f"{path} is damaged: it does not have the SHA-256 that it states")
    return dict(found)


def consumer_lines(said: Mapping[str, Any]) -> Iterable[str]:
    """Say for each output up to which offsets it is read, and where to go on."""
    for role in said["consumers"].values():
        to, begin = (
            ", ".join(f"{partition}@{offset}" for partition, offset in enumerate(role[name]))
            for name in ("to", "from")
        )
        yield f"read {role['read']} up to {to}; then {role['then']} from {begin}"


def _sha256(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
