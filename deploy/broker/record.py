"""What a broker's folder remembers: identity, ports and process ids, for later processes."""

from __future__ import annotations

import base64
import json
import os
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from deploy.broker.config import Node
from deploy.broker.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FILE = "broker.json"


@dataclass(frozen=True)
class Record:
    """The cluster in one folder.

    Attributes:
        kafka: version that last ran there.
        cluster_id: what the data is formatted with; made once for each folder.
        nodes: brokers with their ports.
        pids: process id of each node that was started and not yet seen dead.
    """

    kafka: str
    cluster_id: str
    nodes: tuple[Node, ...]
    pids: Mapping[int, int]

    def with_pid(self, node: int, pid: int | None) -> Record:
        """Return a copy in which a node has that process id, or none."""
        others = {number: other for number, other in self.pids.items() if number != node}
        return replace(self, pids=others if pid is None else {**others, node: pid})


def new_record(kafka: str, nodes: Sequence[Node]) -> Record:
    """Return a record with a cluster id of its own."""
    # org.apache.kafka.common.Uuid reads 128 bits in URL-safe base64 without padding; without dashes
    # too, because a leading one would look like an option to the tool that formats the folder.
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    return Record(kafka, text.replace("-", "A"), tuple(nodes), {})


def load(home: Path) -> Record | None:
    """Read the record of a folder; None if there is none.

    Raises:
        StorageError: it cannot be read.
    """
    path = home / _FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            kafka=stored["kafka"],
            cluster_id=stored["cluster_id"],
            nodes=tuple(Node(**node) for node in stored["nodes"]),
            pids={int(number): int(pid) for number, pid in stored["pids"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} cannot be read ({error!r}). Stop the broker's java process if it runs, "
            f"then move {home} away."
        ) from error


def save(home: Path, record: Record) -> None:
    """Write the record of a folder in one rename, so that no reader sees half of it.

    Raises:
        StorageError: the folder is full or not writable.
    """
    path = home / _FILE
    beside = path.with_suffix(".tmp")
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
