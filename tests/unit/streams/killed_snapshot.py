"""Writes a snapshot and kills itself at a write: TABLE OBJECTS ABOUT before|half|after NUMBER."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from state.objects import ObjectStore
from state.snapshots.writing import About, write_snapshot
from state.store import ShardStore


class KilledStore(ObjectStore):
    """A store whose process ends at one of its writes."""

    def __init__(self, url: str, stage: str, number: int) -> None:
        super().__init__(url)
        self._stage = stage
        self._left = number

    def put(self, name: str, data: bytes, *_: Any) -> None:
        """Write, or not, or half of it."""
        self._left -= 1
        if not self._left and self._stage == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if not self._left and self._stage == "half":
            path = Path(self.url, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        super().put(name, data)
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def main(table: str, objects: str, about: str, stage: str, number: str) -> None:
    """Snapshot the table."""
    with ShardStore(Path(table)) as store, store.view() as view:
        write_snapshot(KilledStore(objects, stage, int(number)), view, About(**json.loads(about)))


if __name__ == "__main__":
    main(*sys.argv[1:])
