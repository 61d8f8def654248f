"""The audit trail of units of work that were processed without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.codec import Codec
from schemas.single_object import HEADER_BYTES
from state.audit.checkpoint import CheckpointNote
from state.audit.leaf import RECORD_BYTES, RECORD_DTYPE
from state.audit.report import Locator
from state.audit.verify import in_blocks, verify_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.audit.note import Verifier
    from state.audit.report import VerifyReport
    from streams.shard.unit import UnitOfWork


def audit_values(units: Iterable[UnitOfWork], tenant: str) -> list[bytes]:
    """Return the audit records of a tenant, with wire headers."""
    key = tenant.encode()
    return [
        one["value"] for unit in units for one in unit.outputs.get("audit", []) if one["key"] == key
    ]


def leaves(units: Iterable[UnitOfWork], tenant: str) -> Any:
    """Return the audit leaves of a tenant, ``LEAF_DTYPE[n]``."""
    values = [value[-RECORD_BYTES:] for value in audit_values(units, tenant)]
    return np.frombuffer(b"".join(values), RECORD_DTYPE)["leaf"]


def verified(units: list[UnitOfWork], tenant: str, origin: str, key: Verifier) -> VerifyReport:
    """Verify what units wrote of a tenant.

    Args:
        units: all that its shard has done.
        tenant: whose.
        origin: name of its log.
        key: that signs checkpoints.
    """
    records = [
        (Locator("audit", 0, place), value[HEADER_BYTES:])
        for place, value in enumerate(audit_values(units, tenant))
    ]
    read = Codec("audit_checkpoint").decode
    notes = [
        (Locator("checkpoints", 0, place), CheckpointNote.of_record(read(one["value"])))
        for place, unit in enumerate(units)
        for one in unit.outputs.get("audit-checkpoints", [])
        if one["key"] == tenant.encode()
    ]
    return verify_log(origin, in_blocks(records), notes, [key])
