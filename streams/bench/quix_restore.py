"""The peer: a Quix Streams application that restores state from its changelog.

Runs in an environment of its own and imports nothing of this project:
``python -I quix_restore.py BOOTSTRAP GROUP TOPIC STATE_DIR KEYS``.

Fills KEYS state keys of eight bytes each, some hundred a message, then begins anew with an empty
folder, and prints how many seconds Quix spends in its own recovery: joining the group is left out,
in its favour.
"""

from __future__ import annotations

import shutil
import struct
import sys
import time
from typing import Any

from quixstreams import Application, State  # type: ignore[import-not-found]
from quixstreams.state.recovery import RecoveryManager  # type: ignore[import-not-found]

KEYS_A_MESSAGE = 500
SCALE = 0.5
VALUE = struct.Struct("<d")


def main() -> None:
    """Fill, forget, restore."""
    bootstrap, group, topic, state_dir, keys = sys.argv[1:]
    messages = -(-int(keys) // KEYS_A_MESSAGE)
    spent: list[float] = []
    recover = RecoveryManager.do_recovery

    def timed(manager: Any) -> Any:
        started = time.perf_counter()
        try:
            return recover(manager)
        finally:
            spent.append(time.perf_counter() - started)

    RecoveryManager.do_recovery = timed

    def write(number: bytes, state: State) -> bytes:
        first = int(number) * KEYS_A_MESSAGE
        for key in range(first, first + KEYS_A_MESSAGE):
            state.set_bytes(key, VALUE.pack(SCALE * key))
        return number

    run(bootstrap, group, topic, state_dir, write, messages)
    shutil.rmtree(state_dir)
    spent.clear()
    wrong: list[int] = []

    def look(number: bytes, state: State) -> bytes:
        ends = (0, KEYS_A_MESSAGE * messages - 1)
        wrong.extend(key for key in ends if state.get_bytes(key) != VALUE.pack(SCALE * key))
        return number

    run(bootstrap, group, topic, state_dir, look, 1)
    if wrong or not spent:
        sys.exit(f"not restored: keys {wrong}, {len(spent)} recoveries")
    print(sum(spent))  # noqa: T201 - its output


def run(bootstrap: str, group: str, topic: str, state_dir: str, work: Any, count: int) -> None:
    """Take so many messages, and stop."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=1_000,
        state_dir=state_dir,
        loglevel="WARNING",
    )
    source = app.topic(topic, value_deserializer="bytes", key_deserializer="bytes")
    stream = app.dataframe(source)
    stream = stream.apply(work, stateful=True)
    app.run(count=count)


if __name__ == "__main__":
    main()
