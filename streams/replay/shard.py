"""Steps one shard's log again and hands on what comes of it.

A group that was set back stepped parts of its log twice. A replay from the beginning follows it:
each part up to where the group was set back, then, from the state it went back to, the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from schemas.errors import ConfigError
from streams.kafka.topics import changelog_name
from streams.keys import CellKeys
from streams.messages import build_codecs
from streams.replay.engine import Marks, ReplayEngine
from streams.replay.history import History, read_history
from streams.shard.vault import Vault
from streams.snapshots import load_into, snapshot_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.kafka.reader import PartitionReader, Record
    from streams.replay.points import Start
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork


class Sink(Protocol):
    """Who takes what a replay gives."""

    def begin(self, engine: ReplayEngine) -> None:
        """The engine stands where outputs begin to count; called once."""

    def take(self, records: Sequence[Record], unit: UnitOfWork, engine: ReplayEngine) -> bool:
        """Take the outputs of some source records; False ends the replay."""

    def end(self, engine: ReplayEngine) -> None:
        """The log has been stepped to where it was to be."""


class Segment(NamedTuple):
    """A part of the log that was stepped in one go.

    Attributes:
        start: first source offset.
        stop: offset to stop before.
        epoch: the entry of the epoch that it begins; None: it is the first.
    """

    start: int
    stop: int
    epoch: bytes | None


class Replayed(NamedTuple):
    """What a replay did: source records stepped, silently or not, and steps with outputs."""

    silent: int
    records: int
    steps: int


class ShardReplay:
    """Replays one shard.

    Args:
        settings: of the application.
        shard: partition number.
        reader: reads the source and the changelog.
        start: where to begin.
        stop: source offset to stop before.
        progress: told how many source records were stepped in each batch.
        application_id: names the audit logs that come of it; None: the application's own.
    """

    def __init__(
        self,
        settings: Settings,
        shard: int,
        reader: PartitionReader,
        start: Start,
        stop: int,
        progress: Callable[[int], None],
        application_id: str | None = None,
    ) -> None:
        self._settings = settings
        self._shard = shard
        self._reader = reader
        self._start = start
        self._stop = stop
        self._progress = progress
        self._application_id = application_id or settings.application_id
        self._topic = settings.topics.name("events")
        self._changelog = changelog_name(settings.application_id)
        self.history = History()

    def run(self, sink: Sink, marks: Marks | None, *, follow: bool = False) -> Replayed:
        """Step the log.

        Args:
            sink: takes the outputs.
            marks: of the published logs, to be put where they stood; None: none are.
            follow: go back where the group went back, as the published logs did.

        Raises:
            ConfigError: the start lies before the last epoch, and is not the beginning.
            StateError: a snapshot is damaged, or the source lacks events.
        """
        self._read_history()
        silent = records = steps = 0
        engine = self.engine()
        self._load(engine, self._start)
        engine.marks = None
        silent += self._step_silently(engine, self._start.state_offset, self._start.emit_offset)
        for number, segment in enumerate(self._segments(follow=follow)):
            if segment.epoch is not None:
                chains = {name: engine.chain(name).to_bytes() for name in engine.tenants}
                trail = engine.trail
                engine = self.engine()
                silent += self._step_silently(engine, 0, segment.start)
                engine.next_offset = segment.start
                engine.trail = trail
                engine.begin_epoch(chains, segment.epoch)
            engine.marks = marks
            if number == 0:
                sink.begin(engine)
            for batch in self._reader.read(self._topic, self._shard, segment.start, segment.stop):
                unit = engine.process(batch)
                records += len(batch)
                steps += unit.steps
                self._progress(len(batch))
                if not sink.take(batch, unit, engine):
                    return Replayed(silent, records, steps)
            engine.insert_last_marks()
        sink.end(engine)
        return Replayed(silent, records, steps)

    def state(self) -> ReplayEngine:
        """Step silently to the point, and return the engine that stands there."""
        self._read_history()
        engine = self.engine()
        self._load(engine, self._start)
        self._step_silently(engine, self._start.state_offset, self._start.emit_offset)
        engine.next_offset = self._start.emit_offset
        return engine

    def _read_history(self) -> None:
        keys, name = CellKeys.open(self._settings), self._settings.application_id
        vault = Vault(keys, name, self._shard)
        self.history = read_history(self._reader, self._changelog, self._shard, vault)

    def engine(self) -> ReplayEngine:
        """Build an empty engine with the keys of the original."""
        settings = self._settings
        engine = ReplayEngine(
            self._shard,
            settings.learner,
            CellKeys.open(settings.model_copy(update={"application_id": self._application_id})),
            build_codecs(settings),
            application_id=self._application_id,
            source_topic=self._topic,
            max_event_bytes=settings.stream.max_event_bytes,
            max_tenants=settings.stream.max_tenants,
            labels=settings.labels,
        )
        engine.known_versions = self.history.versions
        engine.quotas.follow(self.history.quotas)
        return engine

    def _load(self, engine: ReplayEngine, start: Start) -> None:
        if start.snapshot is not None:
            load_into(engine, snapshot_store(self._settings), start.snapshot)
            engine.quotas.follow(self.history.quotas)

    def _step_silently(self, engine: ReplayEngine, start: int, stop: int) -> int:
        stepped = 0
        for batch in self._reader.read(self._topic, self._shard, start, stop):
            engine.process(batch, emit=False)
            stepped += len(batch)
            self._progress(len(batch))
        engine.trail = []
        return stepped

    def _segments(self, *, follow: bool) -> list[Segment]:
        start, epochs = self._start.emit_offset, self.history.epochs
        if not follow or not epochs:
            return [Segment(start, self._stop, None)]
        if self._start.state_offset or start or self._start.snapshot is not None:
            raise ConfigError(
                f"shard {self._shard} was set back {len(epochs)} times, the last time to offset "
                f"{epochs[-1].to}: what was published since then follows from what was before; "
                "verify it with --from beginning"
            )
        bounds = [0, *(epoch.to for epoch in epochs)]
        ends = [*(epoch.at for epoch in epochs), self._stop]
        entries = [None, *(epoch.entry() for epoch in epochs)]
        return [Segment(*of) for of in zip(bounds, ends, entries, strict=True)]
