"""Messages in and out of a shard of tokens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operators.dlp.dsl import KINDS
from operators.hierarchy.records import Opening
from operators.hierarchy.session import Operation, Piece
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage
from schemas.reasons import Reason
from state.stream_keys import MAX_NAME_BYTES, StreamKey
from streams.kafka.topics import TOKENS_AUDIT_ROLE, TOKENS_CHECKPOINTS_ROLE, TOKENS_ROLE
from streams.messages import VerdictCodecs, codec_of, reading_codec
from streams.verdicts import STREAM, Target, error_record, verdict_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.hierarchy.step import Outcome, Said
    from streams.kafka.fetch import SourceRecord
    from streams.settings import Settings
    from streams.verdicts import Judge

AHEAD_US: Final = 60_000_000
"""By how much the time of a piece may be ahead of its record's in Kafka. One that is further ahead
would end every stream of its shard that is idle until then."""
IDLE: Final = "weir-idle"
"""Source of an END that means: if no piece has come after the one of its time."""
JUDGED: Final = "weir-judged"
"""Source of an END that means: the stream had ended, and has been judged."""
_MICROSECOND: Final = 1_000
_AUDIENCES: Final = {"external": True, "internal": False}


class Arrived(NamedTuple):
    """A piece and whose it is.

    Attributes:
        key: of its stream.
        piece: what has come.
        opening: what is known of a stream that begins with it.
        user: who wrote it, if known.
        if_idle: whether it counts only if no piece has come after the one of its time.
        is_judged: whether it is word of a stream that had ended, and has been judged.
    """

    key: StreamKey
    piece: Piece
    opening: Opening
    user: str
    if_idle: bool
    is_judged: bool


class TokenCodecs(VerdictCodecs):
    """The codecs of a shard of tokens.

    Args:
        settings: of a worker.
        tokenizer: bytes of the model's tokenizer.
        judge: named in verdicts.
        quarantine_bytes: largest record that the quarantine topic takes.

    Raises:
        ConfigError: the registry cannot be used.
        RegistryUnavailable: the registry does not answer.
    """

    def __init__(
        self, settings: Settings, *, tokenizer: bytes, judge: Judge, quarantine_bytes: int
    ) -> None:
        registry = SchemaRegistry(settings.registry.url) if settings.registry.url else None
        super().__init__(
            settings, TOKENS_AUDIT_ROLE, TOKENS_CHECKPOINTS_ROLE, quarantine_bytes, registry
        )
        source = settings.topics.name(TOKENS_ROLE)
        self._reader = reading_codec(settings, "token", source, registry)
        self._token = codec_of(settings, "token", TOKENS_ROLE, registry)
        self._tokenizer = hashlib.sha256(tokenizer).hexdigest()
        self._judge = judge
        self._max_bytes = settings.stream.max_event_bytes

    def read(self, record: SourceRecord) -> Arrived:
        """Decode a piece.

        Raises:
            BadMessage: it cannot be used.
        """
        size = len(record.value or b"")
        if size > self._max_bytes:
            raise BadMessage(
                Reason.OVERSIZED, f"{size} bytes; stream.max_event_bytes allows {self._max_bytes}"
            )
        found = self._reader.decode(record.value)
        key = StreamKey(found["tenant"], found["stream_id"])
        for name, value in zip(StreamKey._fields, key, strict=True):
            if not value or len(value.encode()) > MAX_NAME_BYTES:
                raise BadMessage(
                    Reason.BAD_FIELD, f"{name} must have 1 to {MAX_NAME_BYTES} bytes of UTF-8"
                )
        time_us = min(found["time_us"], record.timestamp * _MICROSECOND + AHEAD_US)
        self._check(found, time_us)
        ids = found["token_ids"]
        piece = Piece(
            Operation(found["operation"]), found["position"], found["replace_end"], found["text"],
            None if ids is None else tuple(ids), time_us,
        )  # fmt: skip
        metadata = found["metadata"] or {}
        kind = metadata.get("kind", Opening().kind)
        opening = Opening(
            kind if kind in KINDS else Opening().kind, _AUDIENCES.get(metadata.get("audience", ""))
        )
        source = metadata.get("source") if piece.operation is Operation.END else None
        user = metadata.get("user_id", "")
        return Arrived(key, piece, opening, user, source == IDLE, source == JUDGED)

    def _check(self, found: Mapping[str, Any], time_us: int) -> None:
        given = [name for name in ("text", "token_ids") if found[name] is not None]
        may_be_bare = found["operation"] == Operation.END
        if len(given) > 1 or not (given or may_be_bare):
            raise BadMessage(Reason.BAD_FIELD, "exactly one of text and token_ids is to be given")
        if found["position"] < 0 or time_us < 0:
            raise BadMessage(Reason.BAD_FIELD, "position and time_us cannot be negative")
        if found["token_ids"] is not None and found["tokenizer"] != self._tokenizer:
            raise BadMessage(
                Reason.WRONG_TOKENIZER,
                f"token ids of another vocabulary than that of the model, {self._tokenizer}",
            )

    def said(self, key: StreamKey, said: Said) -> bytes:
        """Encode a verdict, bare."""
        record = verdict_record(
            _target(key),
            self._judge,
            said.found,
            span_ids=[f"s{name}" for name in said.names],
            time_us=said.time_us,
            position=said.position,
            sequence=said.number,
            status="FINAL" if said.final else "PARTIAL",
            gaps=said.missing,
            late=said.late,
            repeated=said.repeated,
        )
        return self.verdict.encode(record)

    def failure(self, key: StreamKey, outcome: Outcome) -> bytes:
        """Encode the verdict on a stream that was given up, bare."""
        head = outcome.head
        record = error_record(
            _target(key),
            self._judge,
            "The text could not be judged: its pieces are in quarantine",
            time_us=outcome.time_us,
            position=0 if head is None else head.arrivals.expected,
            sequence=0 if head is None else head.told.verdicts,
        )
        return self.verdict.encode(record)

    def idle_end(self, key: StreamKey, time_us: int) -> bytes:
        """Encode the end of a stream that is idle since a piece."""
        return self._end(key, time_us, IDLE)

    def judged(self, key: StreamKey) -> bytes:
        """Encode word of a stream that had ended, and has been judged."""
        return self._end(key, 0, JUDGED)

    def _end(self, key: StreamKey, time_us: int, source: str) -> bytes:
        return self._token.encode(
            {
                "tenant": key.tenant,
                "stream_id": key.stream_id,
                "operation": Operation.END.value,
                "position": 0,
                "time_us": time_us,
                "metadata": {"source": source},
            }
        )

    def buffered(self, key: StreamKey, outcome: Outcome) -> list[bytes]:
        """Encode what a stream that was given up had read and not judged, as pieces of it.

        The second is the one that ended it, where that is all that is known of its units.
        """
        head, found = outcome.head, []
        if head is not None and head.tip:
            at = head.places.position(head.kept[-1].place)
            piece = Piece(Operation.APPEND, at, None, head.tip, None, head.time_us)
            found.append(self._encoded(key, piece))
        if head is not None and head.ending is not None and (head.ending.text or head.ending.ids):
            found.append(self._encoded(key, head.ending))
        return found

    def _encoded(self, key: StreamKey, piece: Piece) -> bytes:
        return self._token.encode(
            {
                "tenant": key.tenant,
                "stream_id": key.stream_id,
                "operation": piece.operation.value,
                "position": piece.position,
                "text": piece.text,
                "token_ids": None if piece.ids is None else list(piece.ids),
                "tokenizer": None if piece.ids is None else self._tokenizer,
                "time_us": piece.time_us,
            }
        )


def _target(key: StreamKey) -> Target:
    return Target(key.tenant, STREAM, key.stream_id)
