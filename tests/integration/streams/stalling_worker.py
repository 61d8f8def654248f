"""A worker whose third unit of work waits, stepped and not committed, until a file is there.

    python stalling_worker.py FILE

It makes ``FILE.waits`` when the unit begins to wait. Units of other shards go on.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from streams import logs
from streams.settings import load_settings
from streams.shard.commit import ShardProducer
from streams.worker import Worker

if TYPE_CHECKING:
    from streams.shard.unit import UnitOfWork

STALL_AT = 3
POLL_S = 0.01


def main(gate: Path) -> int:
    """Run the worker with its gate closed."""
    commit = ShardProducer.commit
    calls = itertools.count(1)

    def wait_then_commit(self: ShardProducer, unit: UnitOfWork) -> int:
        if next(calls) == STALL_AT:
            waiting_mark(gate).touch()
            while not gate.exists():
                time.sleep(POLL_S)
        return commit(self, unit)

    ShardProducer.commit = wait_then_commit  # type: ignore[method-assign]
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    logs.configure()
    return Worker(load_settings()).run()


def waiting_mark(gate: Path) -> Path:
    """Return the file that says that a unit waits."""
    return gate.with_name(f"{gate.name}.waits")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
