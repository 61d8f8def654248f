"""The steps of a shard of messages, without Kafka: records in, a unit of work out.

Messages are scanned one after the other, in the order of the log: each sees the memory that the one
before left of their thread, and the thresholds that the news before it left. So a verdict follows
from the log, the model, the policy and the settings, however the log is cut into units. Unlike a
learner's, the state is small, and travels whole with every unit: nothing is scanned again after a
restart, which another processor might do to other bits.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from operators.dlp.policy import GRAVITY, Decision
from schemas.errors import BadMessage, Bug
from schemas.reasons import Reason
from state.audit.leaf import REPEAT, mark_row
from streams import verdicts
from streams.gate.judged import Judged
from streams.gate.linked import event_of
from streams.gate.memory import HELD, LABELLED, PREDICTED, TenantMemory
from streams.gate.reading import (
    Incoming,
    MessageReader,
    headers_of,
    length_of,
    redacted,
    scannable,
)
from streams.gate.topics import messages_application, shard_label
from streams.shard.cell_formats import VERDICTS
from streams.shard.judging import Judging
from streams.shard.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from operators.dlp.verdict import Verdict
    from state import cells
    from state.audit.chain import Chain
    from state.encryption.sealing import OpenedRecords
    from streams.dlp.live import LiveScanner
    from streams.gate.codecs import GateCodecs
    from streams.gate.reading import News
    from streams.gate.settings import MessageSettings
    from streams.kafka.fetch import SourceRecord
    from streams.keys import CellKeys, KeyVersions
    from streams.shard.unit import Message

MOST_SPANS: Final = 10_000
"""Spans that a verdict tells of, the first ones; some 600 KB."""

OUR_HEADERS: Final = "weir-"
"""Begins the names of headers that the gate sets; a sender's own are left out."""

_MARKS: Final = {"prediction": PREDICTED, "label": LABELLED}


class _Scanned(NamedTuple):
    """A message and what was said of it."""

    incoming: Incoming
    record: SourceRecord
    verdict: Verdict
    shift: float


class MessageEngine(Judging[Judged]):
    """The tenants of one shard of messages.

    Args:
        shard: partition number.
        settings: of the scan.
        scanner: judges.
        keys: secrets by tenant; signs.
        codecs: reads messages, encodes outputs.
        application_id: of the whole application.
        source_topic: named in errors and quarantine records.
        max_tenants: messages of further ones are quarantined.
        dimension: length of the learner's keys, for linked verdicts.

    Attributes:
        awaited: CRC-32 of the Kafka keys of held messages of which there is still news to come.
    """

    formats = VERDICTS
    # Some 7 ms a KB: a unit should end within seconds.
    max_unit_bytes: ClassVar[int | None] = 1_000_000

    def __init__(
        self,
        shard: int,
        settings: MessageSettings,
        scanner: LiveScanner,
        keys: CellKeys,
        codecs: GateCodecs,
        *,
        application_id: str,
        source_topic: str,
        max_tenants: int,
        dimension: int,
    ) -> None:
        application = messages_application(application_id)
        super().__init__(shard, keys, codecs, application, source_topic, max_tenants)
        self._settings = settings
        self._scanner = scanner
        self._gate_codecs = codecs
        self._dimension = dimension
        self._read = MessageReader(codecs.message, settings.max_message_bytes)
        self.awaited: frozenset[int] = frozenset()

    @property
    def label(self) -> int | str:
        """The shard's name in metrics and logs."""
        return shard_label(self.shard)

    # -- the step ---------------------------------------------------------------------------------

    def process(self, records: Sequence[SourceRecord], *, emit: bool = True) -> UnitOfWork:
        """Judge messages in the order of the log.

        Args:
            records: continue where the last call ended; their offsets rise.
            emit: always true: there is nothing to do silently again.

        Returns:
            The unit of work, which is a checkpoint.

        Complexity: some 7 ms a KB of text on one core.
        """
        if not emit:
            raise Bug(f"shard {self.label} was to scan messages again")
        unit = UnitOfWork(next_offset=records[-1].offset + 1, records=len(records))
        unit.outputs = {"verdicts": [], "audit": [], "events": []}
        unit.seconds = dict.fromkeys(("scan", "audit", "encode"), 0.0)
        signed: dict[str, None] = {}
        rejected: list[tuple[BadMessage, SourceRecord]] = []
        for record in records:
            try:
                tenant = self._take(record, unit)
            except BadMessage as error:
                rejected.append((error, record))
                continue
            if tenant is not None:
                signed[tenant] = None
        self._close(unit, signed, rejected)
        self._look_for_awaited()
        return unit

    def _take(self, record: SourceRecord, unit: UnitOfWork) -> str | None:
        """Take one record; returns the tenant whose chain has grown."""
        incoming = self._read(record)
        if not isinstance(incoming, Incoming):
            self._hear(incoming, unit)
            return None
        at = self._admitted(incoming.tenant)
        name = at.memory.name(incoming.message["id"])
        if at.memory.was_judged(name):
            row = mark_row(REPEAT, at.steps, incoming.digest, incoming.message["time_us"])
            unit.outputs["audit"] += self._codecs.audit(incoming.tenant, at.chain.append(row))
            unit.repeats += 1
        else:
            started = time.perf_counter()
            scanned = self._scan(at, incoming, record)
            unit.seconds["scan"] += time.perf_counter() - started
            self._put(at, scanned, unit)
            at.memory.judge(name, _crc(incoming.entity), self._marks(scanned.verdict))
        # A tenant has its place once one of its messages could be judged.
        self.members.setdefault(incoming.tenant, at)
        at.touched = True
        return incoming.tenant

    def _scan(self, at: Judged, incoming: Incoming, record: SourceRecord) -> _Scanned:
        memory = at.memory
        thread = None if incoming.thread is None else memory.name("thread", incoming.thread)
        shift = memory.thresholds.shift
        try:
            verdict = self._scanner.scan(
                scannable(incoming.message),
                None if thread is None else memory.recall(thread),
                shift=shift,
            )
        except MemoryError:
            raise
        except Exception as error:
            # The error may quote the text.
            raise BadMessage(
                Reason.SCAN_FAILED, f"the scanner failed with {type(error).__name__}"
            ) from error
        if thread is not None:
            memory.remember(thread, verdict.memory)
        return _Scanned(incoming, record, verdict, shift)

    def _put(self, at: Judged, scanned: _Scanned, unit: UnitOfWork) -> None:
        """Put into the unit what follows from a verdict."""
        started = time.perf_counter()
        message, verdict = scanned.incoming.message, scanned.verdict
        bare = self._gate_codecs.verdict.encode(self._verdict_record(scanned))
        encoded = time.perf_counter()
        [digest] = self._append(unit, message["tenant"], at, [message["time_us"]], [bare])
        unit.seconds["audit"] += time.perf_counter() - encoded
        unit.outputs["verdicts"].append(
            {"key": message["id"].encode(), "value": self._gate_codecs.verdict_header + bare}
        )
        if self._settings.link:
            unit.outputs["events"].append(self._event(scanned))
        if self._settings.gate:
            self._forward(scanned, digest, unit)
        unit.verdicts[str(verdict.decision)] += 1
        unit.steps += 1
        unit.seconds["encode"] += encoded - started

    def _event(self, scanned: _Scanned) -> Message:
        entity, message = scanned.incoming.entity, scanned.incoming.message
        event = event_of(
            scanned.incoming.target,
            entity,
            message["time_us"],
            message["kind"],
            scanned.verdict,
            self._dimension,
        )
        return {"key": entity.encode(), "value": self._gate_codecs.event.encode(event)}

    def _verdict_record(self, scanned: _Scanned) -> dict[str, Any]:
        message, verdict = scanned.incoming.message, scanned.verdict
        record = verdicts.verdict_record(
            scanned.incoming.target,
            verdicts.Judge(verdict.model_hash, verdict.policy_version),
            verdict,
            span_ids=[verdicts.span_name(span) for span in verdict.spans],
            time_us=message["time_us"],
            position=length_of(scannable(message)),
            input_digest=scanned.incoming.digest,
            threshold_shift=scanned.shift,
        )
        if (more := len(record["spans"]) - MOST_SPANS) > 0:
            record["spans"] = record["spans"][:MOST_SPANS]
            record["rationales"].append(f"{more} further spans are left out here")
        return record

    def _forward(self, scanned: _Scanned, digest: bytes, unit: UnitOfWork) -> None:
        decision, record = scanned.verdict.decision, scanned.record
        role = self._settings.routes[decision]
        value = record.value or b""
        if role == "redacted":
            value = self._gate_codecs.redacted.encode(
                redacted(scanned.incoming.message, scanned.verdict)
            )
        headers = [one for one in headers_of(record) if not one[0].startswith(OUR_HEADERS)]
        headers += [
            (f"{OUR_HEADERS}decision", str(decision).encode()),
            (f"{OUR_HEADERS}verdict", digest.hex().encode()),
        ]
        unit.forwards.append((role, record.key, value, headers))

    # -- news -------------------------------------------------------------------------------------

    def _marks(self, verdict: Verdict) -> int:
        held = GRAVITY[verdict.decision] >= GRAVITY[Decision.REVIEW]
        return HELD if self._settings.link and held else 0

    def _hear(self, news: News, unit: UnitOfWork) -> None:
        """Let news of a held message move the thresholds; each kind counts once."""
        at = self.members.get(news.tenant)
        if at is None or not at.memory.take(at.memory.name(news.target), _MARKS[news.kind]):
            unit.feedback["unmatched"] += 1
            return
        at.touched = True
        unit.feedback[news.kind] += 1
        if news.kind == "label":
            at.memory.thresholds.labelled(news.value)
        else:
            at.memory.thresholds.predicted(news.value, self._settings.steering)

    def _look_for_awaited(self) -> None:
        """Note of which keys there is news to come, before anybody can have news."""
        if self._settings.link:
            self.awaited = frozenset(
                key for at in self.members.values() for key in at.memory.awaited().tolist()
            )

    # -- tenants ----------------------------------------------------------------------------------

    @property
    def tenants(self) -> Mapping[str, TenantMemory]:
        """What is remembered of each tenant, for metrics and inspection."""
        # A copy at once: others ask while the shard's own thread adds tenants.
        return {name: at.memory for name, at in tuple(self.members.items())}

    def _made(
        self,
        chain: Chain,
        versions: KeyVersions,
        writer: cells.CellWriter,
        arrays: Mapping[str, np.ndarray] | None,
    ) -> Judged:
        salt = self._keys.seeds(writer.tenant, self.shard, versions).hash_salt
        memory = TenantMemory(self._settings.threads, self._settings.repeat_window, salt)
        if arrays is not None:
            memory.load(arrays)
        return Judged(chain, versions, writer, memory)

    def forget(self, tenant: str) -> None:
        """Drop all that is known of a tenant beside its memory: there is nothing."""

    def load(self, store: OpenedRecords, tenant: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a tenant back as the last unit of work left it; see ``Judging``."""
        super().load(store, tenant, arrays)
        self._look_for_awaited()


def _crc(entity: str) -> int:
    return zlib.crc32(entity.encode())
