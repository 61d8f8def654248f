"""The output topics as people read them: records to rows of a table, or to JSON."""

from __future__ import annotations

import base64
import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.fusion.outputs import reasons_for
from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage
from schemas.wire import WireCodec
from state.audit.leaf import NUMBERS, RECORD_BYTES, RECORD_DTYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemas.registry import SchemaName
    from streams.cli.follow import TopicRecord
    from streams.settings import Settings

Row = dict[str, Any]
_HASH_DIGITS: Final = 12


@dataclass(frozen=True)
class Output:
    """One output topic.

    Attributes:
        role: its role, see ``streams.kafka.topics``.
        columns: heading → how a decoded record shows there.
        numbers: headings of numbers.
        spare: headings that a narrow terminal does without, the first one first.
    """

    role: str
    schema: SchemaName
    columns: Mapping[str, Callable[[Row], str]]
    numbers: frozenset[str]
    spare: tuple[str, ...]


def _number(name: str, digits: int = 3) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        value = row[name]
        return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"

    return show


def _text(name: str) -> Callable[[Row], str]:
    return lambda row: str(row[name])


def _whole(name: str) -> Callable[[Row], str]:
    return lambda row: f"{int(row[name]):,}"


def _time(row: Row) -> str:
    return time_text(row["time_us"])


def _digest(name: str) -> Callable[[Row], str]:
    return lambda row: row[name].hex()[:_HASH_DIGITS]


def _place(row: Row) -> str:
    return f"{row['topic']}[{row['partition']}]@{row['offset']}"


def _actions(row: Row) -> str:
    """What was decided, each with its causes in brackets."""
    if not math.isfinite(row["actions"]):
        return ""  # no record of ours
    decided = reasons_for(row["actions"])
    return ", ".join(
        f"{name.lower()} ({', '.join(causes).lower()})" if causes else name.lower()
        for name, causes in decided.items()
    )


def _error(row: Row) -> str:
    return "" if row["label"] is None else f"{row['y_hat'] - row['label']:+.3f}"


def _found(row: Row) -> str:
    """What was found, by type."""
    counts = Counter(span["type"] for span in row["spans"])
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _size(row: Row) -> str:
    return "" if row["value"] is None else f"{len(row['value']):,}"


PREDICTIONS = Output(
    "predictions",
    "prediction",
    {
        "time": _time,
        "tenant": _text("tenant"),
        "id": _text("id"),
        "step": _whole("step"),
        "y_hat": _number("y_hat"),
        "label": _number("label"),
        "error": _error,
        "linear": _number("y_hlm"),
        "attention": _number("y_sera"),
        "gate": _number("gate", 2),
        "margin": _number("margin", 2),
    },
    frozenset({"step", "y_hat", "label", "error", "linear", "attention", "gate", "margin"}),
    ("linear", "attention", "tenant", "time", "step"),
)
AUDIT = Output(
    "audit",
    "audit_record",
    {
        "time": _time,
        "tenant": _text("tenant"),
        "shard": _text("shard"),
        "step": _whole("step"),
        "y_hat": _number("y_hat"),
        "label": _number("label"),
        "gate": _number("gate", 2),
        "margin": _number("margin", 2),
        "actions": _actions,
        "prev": _digest("prev"),
        "leaf": _digest("curr"),
    },
    frozenset({"shard", "step", "y_hat", "label", "gate", "margin"}),
    ("prev", "time", "actions", "gate", "tenant"),
)
CHECKPOINTS = Output(
    "audit-checkpoints",
    "audit_checkpoint",
    {
        "origin": _text("origin"),
        "size": _whole("tree_size"),
        "root": _digest("root"),
        "chain head": _digest("chain_head"),
    },
    frozenset({"size"}),
    ("root",),
)
QUARANTINE = Output(
    "quarantine",
    "quarantine",
    {
        "from": _place,
        "reason": _text("reason"),
        "bytes": _size,
        "detail": _text("detail"),
    },
    frozenset({"bytes"}),
    ("bytes",),
)
VERDICTS = Output(
    "verdicts",
    "verdict",
    {
        "time": _time,
        "tenant": _text("tenant"),
        "target": _text("target_id"),
        "status": _text("status"),
        "decision": _text("decision"),
        "confidence": _number("confidence", 2),
        "found": _found,
        "shift": _number("threshold_shift", 2),
        "policy": _text("policy_version"),
        "model": _digest("model_hash"),
    },
    frozenset({"confidence", "shift"}),
    ("model", "policy", "time", "shift", "status"),
)
OUTPUTS: Final = {one.role: one for one in (PREDICTIONS, AUDIT, CHECKPOINTS, QUARANTINE, VERDICTS)}


class OutputReader:
    """Decodes the records of an output topic.

    Args:
        settings: a registry, where one is used.
        output: which topic.

    Raises:
        ConfigError: the registry's address is malformed.
    """

    def __init__(self, settings: Settings, output: Output) -> None:
        self.topic = settings.topics.name(output.role)
        self._is_audit = output.schema == "audit_record"
        url = settings.registry.url
        self._codec = (
            Codec(output.schema)
            if url is None
            else WireCodec(output.schema, SchemaRegistry(url), self.topic, may_register=False)
        )

    def read(self, record: TopicRecord) -> Row:
        """Return the fields of a record.

        Raises:
            BadMessage: it is not what the topic should hold.
        """
        if not self._is_audit:
            return self._codec.decode(record.value)
        value = bytes(self._codec.strip(record.value or b"")[0])
        if len(value) != RECORD_BYTES:
            raise BadMessage(
                "BAD_AVRO", f"an audit record has {RECORD_BYTES} bytes, not {len(value)}"
            )
        [row] = np.frombuffer(value, RECORD_DTYPE)
        leaf = row["leaf"]
        return {
            "tenant": (record.key or b"").decode("utf-8", "replace"),
            "shard": record.partition,
            **{name: float(leaf[name]) for name in NUMBERS},
            "event_digest": leaf["event_digest"].tobytes(),
            "prev": leaf["prev"].tobytes(),
            "curr": row["curr"].tobytes(),
        }


def time_text(time_us: float) -> str:
    """Return a time in microseconds since 1970 as UTC, to the second; out of range as a number."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time_us:.0f} µs"


def as_json(row: Row) -> Row:
    """Return a row in types that JSON has: digests in hex, other bytes in base64, NaN as null."""
    return {name: _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        opaque = name in ("key", "value")
        return base64.b64encode(value).decode() if opaque else value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
