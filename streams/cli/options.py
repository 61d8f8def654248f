"""Options that several commands share, and the settings that follow from them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.audit_reader import AuditTopics
    from streams.settings import Settings


def flag(name: str, **how: Any) -> Any:
    """Declare an option without a value; Typer would show ``<bool>`` behind its name."""
    return typer.Option(name, metavar="", **how)


Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap",
        metavar="HOST:PORT",
        help="Address of the brokers; default: the settings, then the broker of `weir up`.",
    ),
]
AsJson = Annotated[bool, flag("--json", help="Print JSON, one object a line.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Folder of broker, state and secrets."),
]


class Trail(StrEnum):
    """Which of the audit trails."""

    EVENTS = "events"
    MESSAGES = "messages"
    TOKENS = "tokens"


OfTrail = Annotated[
    Trail,
    typer.Option(
        "--of",
        metavar="TOPIC",
        help="Of the topics: events; messages or tokens for the trails of their verdicts.",
    ),
]


def read_settings(**overrides: Any) -> Settings:
    """Read the settings; options that were given win.

    Args:
        overrides: by name, with ``__`` between the names of nested ones as in the environment; None
            for those that were not given.

    Raises:
        ConfigError: a setting is malformed or unknown.
    """
    from streams.settings import load_settings  # noqa: PLC0415 - pydantic takes a while to import

    nested: dict[str, Any] = {}
    for name, value in overrides.items():
        if value is None:
            continue
        *groups, last = name.split("__")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    return load_settings(**nested)


def audit_topics(settings: Settings, trail: Trail = Trail.EVENTS) -> AuditTopics:
    """Return where an audit trail of an application lies."""
    from streams.audit_reader import AuditTopics  # noqa: PLC0415 - the Kafka client takes a while
    from streams.gate import topics as gate  # noqa: PLC0415 - the same
    from streams.kafka import topics  # noqa: PLC0415 - the same

    application = settings.application_id
    records, checkpoints, name = {
        Trail.EVENTS: ("audit", "audit-checkpoints", application),
        Trail.MESSAGES: (
            gate.AUDIT_ROLE,
            gate.CHECKPOINTS_ROLE,
            gate.messages_application(application),
        ),
        Trail.TOKENS: (
            topics.TOKENS_AUDIT_ROLE,
            topics.TOKENS_CHECKPOINTS_ROLE,
            topics.tokens_application(application),
        ),
    }[trail]
    return AuditTopics(settings.topics.name(records), settings.topics.name(checkpoints), name)
