"""A shard of tokens without Kafka and without a disk: its log and its table are in memory."""

from __future__ import annotations

import tempfile
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from state.secrets import FileSecrets
from streams.hierarchy.engine import TokenEngine
from streams.hierarchy.observer import StreamObserver
from streams.hierarchy.worker import driver_config, token_codecs
from streams.kafka.reader import Record
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.keys import CellKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.stream_keys import StreamKey
    from streams.hierarchy.model import StreamModel
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork

_NEVER_US: Final = 10**15
_WITHOUT_BOUND: Final = 10**12
_TIME_MS: Final = 10**13
_APPLICATION: Final = "in-memory"


class MemoryTable(dict[bytes, bytes]):
    """A table in memory."""

    def items(self, prefix: bytes = b"") -> Any:
        """Records whose key starts with a prefix, in the order of keys."""
        return iter(sorted(pair for pair in super().items() if pair[0].startswith(prefix)))

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        """Apply the changes of a unit of work."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


class AtOnce(Executor):
    """Runs what it is given before it answers."""

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call."""
        done: Future[Any] = Future()
        try:
            done.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result is told
            done.set_exception(error)
        return done


class ShardInMemory:
    """A shard of tokens.

    Args:
        settings: of a worker.
        model: reads streams.
        number: of it.
        executor: where segments are scanned; by default at once.
        observer: told what happens to streams.
        most_bytes: of streams in memory.
        table: what was committed before; the shard goes on from there.
        judged: as for ``TokenEngine``.
    """

    def __init__(
        self,
        settings: Settings,
        model: StreamModel,
        *,
        number: int = 0,
        executor: Executor | None = None,
        observer: StreamObserver | None = None,
        most_bytes: int = _WITHOUT_BOUND,
        table: MemoryTable | None = None,
        judged: Callable[[StreamKey], None] | None = None,
    ) -> None:
        self._codecs = token_codecs(settings, model, MAX_RECORD_BYTES)
        self.engine = TokenEngine(
            number,
            model,
            self._codecs,
            driver_config(settings),
            observer or StreamObserver(),
            keys=_keys(),
            application_id=_APPLICATION,
            max_tenants=settings.stream.max_tenants,
            source_topic="tokens",
            idle_us=_NEVER_US,
            remember_us=_NEVER_US,
            most_bytes=lambda: most_bytes,
            executor=executor or AtOnce(),
            judged=judged,
        )
        self.table = MemoryTable() if table is None else table
        self.engine.open(self.table)

    def word(self, key: StreamKey) -> bytes:
        """Word of a stream that had ended and has been judged, as a worker sends it."""
        return self._codecs.judged(key)

    def take(self, values: list[bytes]) -> UnitOfWork:
        """Do a unit of work with records of these values."""
        first = self.engine.next_offset or 0
        unit = self.engine.process(
            [Record(first + at, _TIME_MS, None, value) for at, value in enumerate(values)]
        )
        self.table.write(unit.state)
        return unit


@cache
def _keys() -> CellKeys:
    """Secrets of no use elsewhere; what a shard of tokens needs of them is read at once."""
    with tempfile.TemporaryDirectory() as folder:
        return CellKeys(FileSecrets.initialise(Path(folder) / "secrets"), _APPLICATION)
