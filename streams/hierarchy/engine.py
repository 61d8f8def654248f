"""The streams of one shard, without Kafka: records of ``tokens`` in, a unit of work out.

Every unit of work carries all that changed, so a restart steps nothing again: it goes on from the
table (docs/decisions/0055).
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from operators.hierarchy.calendar import Calendar
from operators.hierarchy.pace import Step as Pace
from operators.hierarchy.packed import unpacked
from operators.hierarchy.records import Opening
from schemas.errors import BadMessage
from schemas.reasons import Reason
from state import cell_keys, changelog, stream_keys
from streams.hierarchy.driver import Driver, DriverConfig
from streams.hierarchy.observer import PredictionType, SentSpan, Verdict
from streams.hierarchy.step import Op, ended_us
from streams.kafka.reader import Record
from streams.shard.unit import UnitOfWork
from streams.verdicts import confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from operators.hierarchy.pace import Plan
    from state.stream_keys import StreamKey
    from streams.hierarchy.codecs import TokenCodecs
    from streams.hierarchy.model import StreamModel
    from streams.hierarchy.observer import StreamObserver
    from streams.hierarchy.step import Outcome, Said, Table
    from streams.kafka.fetch import SourceRecord
    from streams.shard.unit import Message

_MILLISECOND: Final = 1_000
_CLOCK: Final = struct.Struct("<q")


class TokenEngine:
    """The streams of one shard.

    Args:
        shard: partition number.
        model: reads streams.
        codecs: reads pieces; encodes verdicts and quarantine records.
        config: how streams are driven.
        observer: told what happens to streams.
        source_topic: named in quarantine records.
        idle_us: of event time without a piece after which a stream ends.
        remember_us: of event time for which an ended stream is remembered.
        most_bytes: gives how much memory the streams may take now.
        executor: where segments are scanned while others are read.
        pace: gives what the worker does less now.
        plan: is told how many pieces wait, and gives what is to be done; None: nothing changes.
        event: makes the event of a final verdict; None: verdicts make none.

    Attributes:
        shard: partition number.
        next_offset: source offset that the streams have reached; None before the first piece.
        tenants: cells; there are none.
        max_unit_bytes: no bound of its own on the bytes of a unit of work.
        unsettled: no keys of cells can be destroyed.
        driver: of the streams, once the shard is open.
    """

    def __init__(
        self,
        shard: int,
        model: StreamModel,
        codecs: TokenCodecs,
        config: DriverConfig,
        observer: StreamObserver,
        *,
        source_topic: str,
        idle_us: int,
        remember_us: int,
        most_bytes: Callable[[], int],
        executor: Executor,
        pace: Callable[[], Pace] = lambda: Pace.NORMAL,
        plan: Callable[[int], Plan] | None = None,
        event: Callable[[StreamKey, Said], Message] | None = None,
    ) -> None:
        self.shard = shard
        self.label = f"tokens-{shard}"
        self.max_unit_bytes: int | None = None
        self.unsettled = False
        self.next_offset: int | None = None
        self.tenants: Mapping[str, object] = {}
        self._model = model
        self._codecs = codecs
        self._config = config
        self._observer = observer
        self._source_topic = source_topic
        self._most_bytes = most_bytes
        self._executor = executor
        self._pace = pace
        self._plan = plan
        self._event = event
        self._said: list[tuple[StreamKey, Said]] = []
        self._seconds = 0.0
        self._calendar: Calendar[StreamKey] = Calendar(idle_us, remember_us)
        self.driver: Driver

    def open(self, table: Table) -> None:
        """Go on from what was committed. O(open and ended streams).

        Raises:
            StateError: a record cannot be read.
        """
        self.driver = Driver(self._model, self._config, table, self._observer, self._executor)
        for key, value in table.items(stream_keys.head_prefix()):
            self._calendar.touch(stream_keys.stream_of(key), unpacked(value)[0]["time_us"])
        for key, value in table.items(stream_keys.ended_prefix()):
            self._calendar.end(stream_keys.stream_of(key), ended_us(value))
        clock = table.get(stream_keys.clock_key())
        if clock is not None:
            self._calendar.now_us = _CLOCK.unpack(clock)[0]
        committed = table.get(cell_keys.offset_key())
        self.next_offset = None if committed is None else changelog.decode_offset(committed)

    def seen(self, key: StreamKey) -> Said | None:
        """What there is to say of a stream as of the last unit of work; None: it is not open."""
        return None if self.has_ended(key) else self.driver.seen(key)

    def has_ended(self, key: StreamKey) -> bool:
        """Whether a stream has had its final verdict, as far as that is remembered."""
        return self._calendar.has_ended(key)

    def open_streams(self) -> dict[StreamKey, int]:
        """Open streams and the time of the newest piece of each."""
        return self._calendar.open_since()

    def process(self, records: Sequence[SourceRecord]) -> UnitOfWork:
        """Read pieces in the order of the log.

        Args:
            records: continue where the last call ended; their offsets rise.

        Returns:
            The unit of work; it must be in the table before this is called again.
        """
        started = time.perf_counter()
        unit = UnitOfWork(next_offset=records[-1].offset + 1, records=len(records))
        refused: list[tuple[int, BadMessage]] = []
        ops = self._ops(records, unit, refused)
        decoded = time.perf_counter()
        if self._plan is not None:
            every_us = int(self._plan(len(records)).partial_ms * _MILLISECOND)
            self.driver.partials = replace(self._config.partials, every_us=every_us)
        self.driver.make_room(self._most_bytes())
        outcomes = self.driver.run(ops)
        driven = time.perf_counter()
        unit.outputs = {"verdicts": [], "events": []}
        self._said = [(key, said) for key, outcome in outcomes.items() for said in outcome.said]
        for key, outcome in outcomes.items():
            self._settle(unit, key, ops[key], outcome, records, refused)
        refused.sort(key=lambda item: item[0])
        unit.quarantined = Counter(error.reason for _, error in refused)
        unit.quarantine += [
            self._codecs.quarantine(error, self._source_topic, self.shard, records[at])
            for at, error in refused
        ]
        for key in self._calendar.expired():
            unit.state[stream_keys.ended_key(key)] = None
        unit.state[stream_keys.clock_key()] = _CLOCK.pack(self._calendar.now_us)
        self.next_offset = unit.next_offset
        unit.state[cell_keys.offset_key()] = changelog.encode_offset(unit.next_offset)
        self._seconds = time.perf_counter() - started
        unit.seconds = {
            "decode": decoded - started,
            "kernel": driven - decoded,
            "encode": time.perf_counter() - driven,
        }
        return unit

    def committed(self) -> None:
        """Tell of the verdicts of the last unit of work, which has been committed."""
        said, self._said = self._said, []
        for key, one in said:
            self._observer.sent(self._verdict(key, one))

    def _verdict(self, key: StreamKey, said: Said) -> Verdict:
        found = said.found
        pairs = zip(said.names, found.spans, strict=True)
        return Verdict(
            stream=key.name,
            number=said.number,
            type=PredictionType.FINAL if said.final else PredictionType.PARTIAL,
            decision=str(found.decision),
            confidence=confidence(found),
            scores=found.scores,
            spans=[SentSpan(n, s.type, s.start, s.end, s.confidence) for n, s in pairs],
            revised=said.revised,
            withdrawn=said.withdrawn,
            latency_s=self._seconds,
            buffer=dict(zip(("first", "tokens", "characters"), said.buffer, strict=True)),
            characters=said.position,
            step=self._pace(),
            model=found.model_version,
            policy=found.policy_version,
        )

    def _ops(
        self,
        records: Sequence[SourceRecord],
        unit: UnitOfWork,
        refused: list[tuple[int, BadMessage]],
    ) -> dict[StreamKey, list[Op]]:
        """What happens to each stream, time-outs included, in the order of the log."""
        calendar = self._calendar
        late = 0
        ops: dict[StreamKey, list[Op]] = {}
        for at, record in enumerate(records):
            try:
                key, piece, opening, _, if_idle = self._codecs.read(record)
            except BadMessage as error:
                refused.append((at, error))
                continue
            for idle in calendar.advance(piece.time_us):
                ops.setdefault(idle, []).append(Op(-1, None, Opening()))
            if calendar.has_ended(key):
                late += 1
                continue
            if if_idle and calendar.newest(key) != piece.time_us:
                continue
            calendar.touch(key, piece.time_us)
            ops.setdefault(key, []).append(Op(at, piece, opening))
            unit.steps += 1
        self._observer.left_out(late)
        return ops

    def _settle(
        self,
        unit: UnitOfWork,
        key: StreamKey,
        ops: Sequence[Op],
        outcome: Outcome,
        records: Sequence[SourceRecord],
        refused: list[tuple[int, BadMessage]],
    ) -> None:
        """Put what became of a stream into the unit."""
        unit.outputs["verdicts"] += [self._codecs.verdict(key, said) for said in outcome.said]
        if self._event is not None:
            finals = [said for said in outcome.said if said.final]
            unit.outputs["events"] += [self._event(key, said) for said in finals]
        unit.state |= outcome.state
        refused += [
            (op.source, BadMessage(Reason.BAD_FIELD, str(error))) for op, error in outcome.rejected
        ]
        self._observer.left_out(outcome.late)
        if outcome.error is not None:
            self._give_up(unit, key, ops, outcome, records, refused)
        if outcome.ended:
            self._calendar.end(key, outcome.time_us)
        elif not outcome.state:
            self._calendar.forget(key)

    def _give_up(
        self,
        unit: UnitOfWork,
        key: StreamKey,
        ops: Sequence[Op],
        outcome: Outcome,
        records: Sequence[SourceRecord],
        refused: list[tuple[int, BadMessage]],
    ) -> None:
        """Send the pieces of a stream to quarantine, and what it had read and not judged."""
        assert outcome.error is not None
        error = BadMessage(
            Reason.STREAM_FAILED,
            f"its stream failed three times in a row: {type(outcome.error).__name__}",
        )
        error.__traceback__ = outcome.error.__traceback__
        refused += [(op.source, error) for op in ops if op.source >= 0]
        unit.outputs["verdicts"].append(self._codecs.failure(key, outcome))
        buffered = self._codecs.buffered(key, outcome)
        if buffered is not None:
            last = records[-1]
            source = Record(last.offset, last.timestamp, key.stream_id.encode(), buffered)
            unit.quarantine.append(
                self._codecs.quarantine(error, self._source_topic, self.shard, source)
            )
