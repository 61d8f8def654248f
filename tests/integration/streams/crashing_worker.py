"""A worker that kills itself with SIGKILL at a named stage of its third commit.

python crashing_worker.py open-transaction   outputs sent, transaction not committed
python crashing_worker.py committed          transaction committed, table not yet written
python crashing_worker.py stepped            events stepped, nothing sent
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from streams.settings import load_settings
from streams.shard.commit import ShardProducer
from streams.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

CRASH_AT = 3


def _after(calls: int, action: Callable[..., Any]) -> Callable[..., Any]:
    """Run an action, and kill the process right after its n-th call."""
    count = 0

    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        result = action(*args, **kwargs)
        count += 1
        if count >= calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return run


def _before(calls: int, action: Callable[..., Any]) -> Callable[..., Any]:
    count = 0

    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count >= calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return action(*args, **kwargs)

    return run


def main(stage: str) -> int:
    """Run the worker with its crash armed."""
    if stage == "open-transaction":
        send = ShardProducer._send_state  # noqa: SLF001 - the stage is inside the commit
        ShardProducer._send_state = _after(CRASH_AT, send)  # type: ignore[method-assign]  # noqa: SLF001
    elif stage == "committed":
        ShardProducer.commit = _after(CRASH_AT, ShardProducer.commit)  # type: ignore[method-assign]
    elif stage == "stepped":
        ShardProducer.commit = _before(CRASH_AT, ShardProducer.commit)  # type: ignore[method-assign]
    else:
        raise ValueError(stage)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return Worker(load_settings()).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
