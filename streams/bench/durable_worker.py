"""A worker that leaves something out, to see what it costs.

Started by the benchmark in place of ``weir worker``:
``python -m streams.bench.durable_worker exactly-once|audit|signing``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from state.audit.leaf import RECORD_BYTES
from streams import logs
from streams.settings import load_settings
from streams.shard.commit import SENDING, ShardProducer
from streams.shard.engine import Engine

if TYPE_CHECKING:
    import numpy as np

    from state.audit.chain import Chain
    from streams.shard.unit import UnitOfWork


class AtLeastOnceProducer(ShardProducer):
    """Sends the same messages without a transaction; after a crash some come again.

    The group's offset stays where it was: a client that is no member may commit it in a transaction
    only. The offset that counts is in the changelog.
    """

    @staticmethod
    def properties(transactional_id: str, timeout_s: int) -> dict[str, Any]:  # noqa: ARG004 - it has neither
        """Return how a client sends whose retries repeat nothing."""
        return {**SENDING, "linger_ms": 5, "enable_idempotence": True}

    def fence(self) -> None:
        """Fence nobody."""

    def commit(self, unit: UnitOfWork) -> int:
        """Send a unit and wait for the acknowledgements."""
        self.send(unit)
        self.flush()
        return self.acknowledged(unit)


class UnsignedEngine(Engine):
    """Chains its audit records and signs nothing."""

    def _sign(self, unit: UnitOfWork, tenants: list[str]) -> None: ...


class UnauditedEngine(UnsignedEngine):
    """Puts nothing down."""

    def append(self, _tenant: str, _chain: Chain, leaves: np.ndarray) -> list[bytes]:
        """Return records of nothing."""
        return [bytes(RECORD_BYTES)] * len(leaves)

    def process(self, records: Any, *, emit: bool = True) -> UnitOfWork:
        """Step, and leave the audit records out."""
        unit = super().process(records, emit=emit)
        unit.outputs.pop("audit", None)
        return unit


def main() -> int:
    """Serve as ``weir worker`` does."""
    logs.configure(logs.Level.WARNING)
    # As in ``streams.cli.worker``: Faust binds to the policy when it is imported.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from streams.worker import Parts, Worker  # noqa: PLC0415 - see above

    parts = {
        "exactly-once": Parts(producer=AtLeastOnceProducer),
        "audit": Parts(engine=UnauditedEngine),
        "signing": Parts(engine=UnsignedEngine),
    }
    return Worker(load_settings(), parts[sys.argv[1]]).run()


if __name__ == "__main__":
    sys.exit(main())
