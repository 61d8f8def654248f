"""The streams of one shard, without Kafka: records of ``tokens`` in, a unit of work out.

Every unit of work carries all that changed, so a restart steps nothing again: it goes on from the
table (docs/decisions/0055). Each verdict is a step of its tenant's audit chain, in the order of the
pieces that brought verdicts about (docs/decisions/0062).
"""

from __future__ import annotations

import struct
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.hierarchy.calendar import Calendar
from operators.hierarchy.pace import Step as Pace
from operators.hierarchy.packed import unpacked
from operators.hierarchy.records import Opening
from schemas.errors import BadMessage, Bug
from schemas.reasons import Reason
from state import stream_keys
from streams.hierarchy.driver import Driver, DriverConfig
from streams.hierarchy.observer import PredictionType, SentSpan, Verdict
from streams.hierarchy.step import Op, ended_us
from streams.hierarchy.tenants import StreamTenants
from streams.kafka.reader import Record
from streams.shard.unit import UnitOfWork
from streams.shard.vault import erased
from streams.verdicts import confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from operators.hierarchy.pace import Plan
    from state.stream_keys import StreamKey
    from streams.hierarchy.codecs import TokenCodecs
    from streams.hierarchy.model import StreamModel
    from streams.hierarchy.observer import StreamObserver
    from streams.hierarchy.step import Outcome, Said, Table
    from streams.kafka.fetch import SourceRecord
    from streams.keys import CellKeys
    from streams.shard.unit import Message

_MILLISECOND: Final = 1_000
_CLOCK: Final = struct.Struct("<q")


class _Told(NamedTuple):
    """A verdict as it goes out.

    Attributes:
        turn: of what brought it about.
        key: of its stream.
        time_us: of the newest piece that it rests on.
        value: its bare Avro bytes.
    """

    turn: int
    key: StreamKey
    time_us: int
    value: bytes


class TokenEngine(StreamTenants):
    """The streams of one shard.

    Args:
        shard: partition number.
        model: reads streams.
        codecs: reads pieces; encodes verdicts, their trail and quarantine records.
        config: how streams are driven.
        observer: told what happens to streams.
        keys: secrets by tenant; signs.
        application_id: of the whole application.
        max_tenants: pieces of further ones are quarantined.
        source_topic: named in quarantine records.
        idle_us: of event time without a piece after which a stream ends.
        remember_us: of event time for which an ended stream is remembered.
        most_bytes: gives how much memory the streams may take now.
        executor: where segments are scanned while others are read.
        pace: gives what the worker does less now.
        plan: gives what is to be done now, and how much of it; None: nothing changes.
        event: makes the event of a final verdict; None: verdicts make none.
        judged: told, on any thread, of a stream that had ended and has been judged. It must see to
            it that word of that comes in the log (``TokenCodecs.judged``), where the final verdict
            is then given. None: verdicts are given where streams end, and waited for.

    Attributes:
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
        keys: CellKeys,
        application_id: str,
        max_tenants: int,
        source_topic: str,
        idle_us: int,
        remember_us: int,
        most_bytes: Callable[[], int],
        executor: Executor,
        pace: Callable[[], Pace] = lambda: Pace.NORMAL,
        plan: Callable[[], Plan] | None = None,
        event: Callable[[StreamKey, Said], Message] | None = None,
        judged: Callable[[StreamKey], None] | None = None,
    ) -> None:
        super().__init__(shard, keys, codecs, application_id, source_topic, max_tenants)
        self._model = model
        self._token_codecs = codecs
        self._config = config
        self._observer = observer
        self._most_bytes = most_bytes
        self._executor = executor
        self._pace = pace
        self._plan = plan
        self._event = event
        self._judged = judged
        self._said: list[tuple[StreamKey, Said]] = []
        self._seconds = 0.0
        self._calendar: Calendar[StreamKey] = Calendar(idle_us, remember_us)
        self.driver: Driver

    def open(self, table: Table) -> None:
        """Go on from what was committed; tenants have been loaded. O(open and ended streams).

        Raises:
            StateError: a record cannot be read.
        """
        self._open_table(table)
        self.driver = Driver(
            self._model, self._config, self._table, self._observer, self._executor, self._judged
        )
        closed = []
        for key, value in self._table.items(stream_keys.head_prefix()):
            head, _ = unpacked(value)
            self._calendar.touch(stream_keys.stream_of(key), head["time_us"])
            if "ending" in head:
                closed.append(stream_keys.stream_of(key))
        for key, value in self._table.items(stream_keys.ended_prefix()):
            self._calendar.end(stream_keys.stream_of(key), ended_us(value))
        for stream in closed:
            self.driver.resume(stream)
            self.driver.make_room(self._most_bytes())
        clock = table.get(stream_keys.clock_key())
        if clock is not None:
            self._calendar.now_us = _CLOCK.unpack(clock)[0]

    def seen(self, key: StreamKey) -> Said | None:
        """What there is to say of a stream as of the last unit of work; None: it is not open."""
        return None if self.has_ended(key) else self.driver.seen(key)

    def has_ended(self, key: StreamKey) -> bool:
        """Whether a stream's text has ended, as far as that is remembered."""
        return self._calendar.has_ended(key) or self.driver.closes(key)

    def open_streams(self) -> dict[StreamKey, int]:
        """Open streams and the time of the newest piece of each."""
        return self._calendar.open_since()

    def process(self, records: Sequence[SourceRecord], *, emit: bool = True) -> UnitOfWork:
        """Read pieces in the order of the log.

        Args:
            records: continue where the last call ended; their offsets rise.
            emit: always true: there is nothing to do silently again.

        Returns:
            The unit of work, a checkpoint; it must be in the table before this is called again.
        """
        if not emit:
            raise Bug(f"shard {self.label} was to read streams again")
        started = time.perf_counter()
        unit = UnitOfWork(next_offset=records[-1].offset + 1, records=len(records))
        refused: list[tuple[int, BadMessage]] = []
        ops = self._ops(records, unit, refused)
        decoded = time.perf_counter()
        if self._plan is not None:
            plan = self._plan()
            every_us = int(plan.partial_ms * _MILLISECOND)
            self.driver.partials = replace(self._config.partials, every_us=every_us)
            self.driver.topics = plan.topics
        self.driver.make_room(self._most_bytes())
        outcomes = self.driver.run(ops)
        self._table.check()
        driven = time.perf_counter()
        unit.outputs = {"verdicts": [], "audit": [], "events": []}
        told: list[_Told] = []
        for key, outcome in outcomes.items():
            told += self._settle(unit, key, ops[key], outcome, records, refused)
        self._said = [(key, said) for key, outcome in outcomes.items() for said in outcome.said]
        for key in self._calendar.expired():
            if not self.driver.closes(key):  # else that it has ended is known until its verdict
                self._changed(key, {stream_keys.ended_key(key): None})
        unit.state[stream_keys.clock_key()] = _CLOCK.pack(self._calendar.now_us)
        refused.sort(key=lambda item: item[0])
        grown = self._audit(unit, told)
        self._close(unit, grown, [(error, records[at]) for at, error in refused])
        self._seconds = time.perf_counter() - started
        unit.seconds = {
            "decode": decoded - started,
            "kernel": driven - decoded,
            "encode": time.perf_counter() - driven,
        }
        return unit

    def _audit(self, unit: UnitOfWork, told: list[_Told]) -> Iterable[str]:
        """Put verdicts out in the order of the log, and into chains; whose have grown.

        That order is not the one in which streams were driven, which depends on where units end.
        """
        told.sort(key=lambda one: one.turn)
        header = self._token_codecs.verdict_header
        unit.outputs["verdicts"] = [
            {"key": one.key.stream_id.encode(), "value": header + one.value} for one in told
        ]
        of: dict[str, list[_Told]] = {}
        for one in told:
            of.setdefault(one.key.tenant, []).append(one)
        for tenant, own in of.items():
            times, values = [one.time_us for one in own], [one.value for one in own]
            self._append(unit, tenant, self.members[tenant], times, values)
        return of

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
        turn = count()
        ops: dict[StreamKey, list[Op]] = {}
        for at, record in enumerate(records):
            try:
                key, piece, opening, _, if_idle, is_judged = self._token_codecs.read(record)
                if is_judged:
                    if self._may_close(key, ops):
                        ops.setdefault(key, []).append(Op(at, None, opening, next(turn)))
                    continue
                # A tenant has its place once one of its pieces could be read.
                self.members[key.tenant] = self._admitted(key.tenant)
            except BadMessage as error:
                refused.append((at, error))
                continue
            for idle in sorted(calendar.advance(piece.time_us)):
                ops.setdefault(idle, []).append(Op(-1, None, Opening(), next(turn)))
            if self.has_ended(key):
                late += 1
                continue
            if if_idle and calendar.newest(key) != piece.time_us:
                continue
            calendar.touch(key, piece.time_us)
            ops.setdefault(key, []).append(Op(at, piece, opening, next(turn)))
            unit.steps += 1
        self._observer.left_out(late)
        return ops

    def _may_close(self, key: StreamKey, ops: Mapping[StreamKey, list[Op]]) -> bool:
        """Whether a stream waits for its final verdict, or ends within this unit of work."""
        if self._judged is None:
            return False
        return self.driver.closes(key) or any(op.ends for op in ops.get(key, []))

    def _settle(
        self,
        unit: UnitOfWork,
        key: StreamKey,
        ops: Sequence[Op],
        outcome: Outcome,
        records: Sequence[SourceRecord],
        refused: list[tuple[int, BadMessage]],
    ) -> list[_Told]:
        """Put what became of a stream into the unit, and return its verdicts."""
        if self.is_erased(key.tenant):  # its keys were destroyed meanwhile
            error = erased(key.tenant)
            refused += [(op.source, error) for op in ops if op.piece is not None]
            outcome.said.clear()
            return []
        codecs = self._token_codecs
        told = [_Told(one.turn, key, one.time_us, codecs.said(key, one)) for one in outcome.said]
        if self._event is not None:
            finals = [said for said in outcome.said if said.final]
            unit.outputs["events"] += [self._event(key, said) for said in finals]
        self._changed(key, outcome.state)
        refused += [
            (op.source, BadMessage(Reason.BAD_FIELD, str(error))) for op, error in outcome.rejected
        ]
        self._observer.left_out(outcome.late)
        if outcome.error is not None:
            self._give_up(unit, key, ops, outcome, records, refused)
            value = codecs.failure(key, outcome)
            told.append(_Told(ops[-1].turn, key, outcome.time_us, value))
        if outcome.ended or outcome.closed:
            self._calendar.end(key, outcome.time_us)
        elif not outcome.state:
            self._calendar.forget(key)
        return told

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
        refused += [(op.source, error) for op in ops if op.piece is not None]
        last = records[-1]
        for buffered in self._token_codecs.buffered(key, outcome):
            source = Record(last.offset, last.timestamp, key.stream_id.encode(), buffered)
            unit.quarantine.append(
                self._codecs.quarantine(error, self._source_topic, self.shard, source)
            )

    def forget(self, tenant: str) -> None:
        """Let go of a tenant's streams."""
        self._table.forget()
        self._calendar.drop(lambda key: key.tenant == tenant)
        self.driver.forget_all(lambda key: key.tenant == tenant)
