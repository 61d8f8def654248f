"""Logging: one stream of events on standard error, for people on a terminal, else as JSON lines.

Messages of libraries that log through the standard library (Faust, aiokafka) take the same way from
WARNING on. What travels through the application never reaches a log: bytes and Kafka records in
their arguments are replaced by sizes and offsets, and tracebacks show no local variables.
"""

from __future__ import annotations

import logging
import os
import sys
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

MAX_CHARACTERS = 2_000
"""Longer messages of libraries are cut: what is that long is a value that was printed whole."""

_MAX_DEPTH = 4


class Level(StrEnum):
    """Severity of messages."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure(level: Level = Level.INFO) -> None:
    """Set up logging for the process; may be called again.

    Args:
        level: least severe messages of the application that are logged.
    """
    terminal = sys.stderr.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(
            fmt="iso" if not terminal else "%H:%M:%S", utc=not terminal
        ),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    rendering: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=_colours_wanted(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if terminal
        else [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(sort_keys=True),
        ]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            _shortened,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *rendering,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_libraries_from_warning_on)
    handler.addFilter(_without_payload)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("streams", "state", "schemas"):
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(capture=True)


def _colours_wanted() -> bool:
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _shortened(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    event = event_dict.get("event")
    if isinstance(event, str) and len(event) > MAX_CHARACTERS:
        event_dict["event"] = f"{event[:MAX_CHARACTERS]}… ({len(event)} characters)"
    return event_dict


def _libraries_from_warning_on(record: logging.LogRecord) -> bool:
    # By what wrote the record, not by its logger: Faust logs in the name of our subclasses too.
    return isinstance(record.msg, dict) or record.levelno >= logging.WARNING


class _Shown(str):
    """Text that is itself in ``%r`` too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _without_payload(record: logging.LogRecord) -> bool:
    """Replace what a library's message would show of the stream's contents; let it pass."""
    if isinstance(record.args, dict):
        record.args = {key: _harmless(value) for key, value in record.args.items()}
    elif record.args:
        record.args = tuple(_harmless(value) for value in record.args)
    return True


def _harmless(value: object, depth: int = 0) -> object:
    """Return the value, or what may be said of it: only types that hold no payload pass."""
    if value is None or isinstance(value, str | int | float | Enum | BaseException):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _Shown(f"<{len(value)} bytes>")
    if all(hasattr(value, name) for name in ("topic", "partition", "offset")):
        return _Shown(f"{value.topic}[{value.partition}]@{value.offset}")  # type: ignore[attr-defined]
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {key: _harmless(part, depth + 1) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            parts = (_harmless(part, depth + 1) for part in value)
            return tuple(parts) if isinstance(value, tuple) else list(parts)
    return _Shown(f"<{type(value).__qualname__}>")
