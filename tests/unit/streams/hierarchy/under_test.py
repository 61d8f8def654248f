"""Streams driven without Kafka: a table in memory, the shipped model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from operators.hierarchy.buffer import BufferConfig
from operators.hierarchy.records import Opening
from operators.hierarchy.session import Operation, Piece
from state.secrets import FileSecrets
from state.stream_keys import StreamKey
from streams.hierarchy.driver import Driver, DriverConfig
from streams.hierarchy.in_memory import MemoryTable
from streams.hierarchy.model import StreamModel
from streams.hierarchy.observer import StreamObserver
from streams.hierarchy.step import Op
from streams.keys import CellKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.hierarchy.step import Outcome, Said

KEY = StreamKey("acme", "chat-1")
CHARACTER_US = 20_000


@cache
def model() -> StreamModel:
    """The model that ships."""
    return StreamModel.load(BufferConfig())


@cache
def fickle() -> StreamModel:
    """The model that ships, but topics end often; as shipped, one sentence in seventy ends one."""
    made = StreamModel.load(BufferConfig())
    above = made.above
    made.above = above._replace(certainty=replace(above.certainty, turn=0.001))
    return made


@cache
def secrets() -> CellKeys:
    """Secrets of an application; a shard of tokens reads what it needs of them at once."""
    with TemporaryDirectory() as folder:
        return CellKeys(FileSecrets.initialise(Path(folder) / "secrets"), "test")


class Table(MemoryTable):
    """A table in memory."""

    def commit(self, outcomes: Mapping[StreamKey, Outcome]) -> None:
        """Write what became of streams, as the unit of work would."""
        for outcome in outcomes.values():
            self.write(outcome.state)

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Apply changes."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


class Streams:
    """A driver, its table, and what it has said."""

    def __init__(self, config: DriverConfig | None = None, made: StreamModel | None = None) -> None:
        self.config = config or DriverConfig()
        self.table = Table()
        self.model = made or model()
        self.said: dict[StreamKey, list[Said]] = {}
        self._executor = ThreadPoolExecutor(1)
        self.restart()

    def restart(self) -> None:
        """Lose all memory."""
        self.driver = Driver(self.model, self.config, self.table, self.observer(), self._executor)

    def observer(self) -> StreamObserver:
        """Who is told."""
        return StreamObserver()

    def run(self, ops: Mapping[StreamKey, Sequence[Piece | None]]) -> dict[StreamKey, Outcome]:
        """One unit of work; None is a time-out."""
        outcomes = self.driver.run(
            {
                key: [Op(-1 if piece is None else 0, piece, Opening()) for piece in own]
                for key, own in ops.items()
            }
        )
        self.table.commit(outcomes)
        for key, outcome in outcomes.items():
            self.said.setdefault(key, []).extend(outcome.said)
        return outcomes

    def take(self, *pieces: Piece | None) -> Outcome:
        """One unit of work of one stream."""
        return self.run({KEY: pieces})[KEY]


def piece(position: int, text: str, operation: str = "APPEND", end: int | None = None) -> Piece:
    """A piece of text, written at a steady pace."""
    time_us = (position + len(text)) * CHARACTER_US
    return Piece(Operation(operation), position, end, text, None, time_us)


def final(said: Sequence[Said]) -> tuple[Any, ...]:
    """What a final verdict says, but for how many came before and how spans are called."""
    assert [one.final for one in said] == [False] * (len(said) - 1) + [True]
    assert [one.number for one in said] == list(range(len(said)))
    found = said[-1].found
    return (
        found.decision, dict(found.scores), found.spans, found.rationale, found.memory.tobytes(),
        said[-1].position,
    )  # fmt: skip


def partials(said: Sequence[Said]) -> list[tuple[Any, ...]]:
    """What partial verdicts say."""
    return [
        (one.number, one.names, one.position, one.time_us, one.found.decision,
         dict(one.found.scores), one.found.spans)
        for one in said
        if not one.final
    ]  # fmt: skip
