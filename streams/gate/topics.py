"""Topics of the scan of whole messages, beside those that shards of events share with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.errors import TopologyError
from streams.gate.settings import GRACE_BYTES
from streams.kafka.topics import (
    CHANGELOG_CONFIG,
    FOREVER,
    MAX_RECORD_BYTES,
    SOURCE_ROLE,
    TABLE_NAME,
    admin,
    changelog_name,
    check_limits,
    copies_of,
    create_topics,
    partition_counts,
    record_limits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import Settings

MESSAGES_ROLE: Final = "messages"
MESSAGES_TABLE_NAME: Final = f"{MESSAGES_ROLE}-{TABLE_NAME}"
VERDICTS_ROLE: Final = "verdicts"
AUDIT_ROLE: Final = "messages-audit"
CHECKPOINTS_ROLE: Final = "messages-audit-checkpoints"

_LARGE: Final = {"max.message.bytes": str(MAX_RECORD_BYTES)}
_CONFIG: Final[dict[str, dict[str, str]]] = {AUDIT_ROLE: FOREVER, CHECKPOINTS_ROLE: FOREVER}


def messages_application(application_id: str) -> str:
    """Return under which name shards of messages commit, sign and keep their state.

    It is the consumer group whose offsets say which messages were judged, the first part of the
    transactional ids and of the origins of the audit chains, and names the changelog.
    """
    return f"{application_id}-{MESSAGES_ROLE}"


def messages_changelog(application_id: str) -> str:
    """Return the name of the changelog of shards of messages."""
    return changelog_name(messages_application(application_id))


def shard_label(shard: int) -> str:
    """Return the name of a shard of messages in metrics and logs."""
    return f"{MESSAGES_ROLE}-{shard}"


def gate_roles(settings: Settings) -> list[str]:
    """Return the roles of the topics to which messages are forwarded, none without gate."""
    found = settings.messages
    return sorted(set(found.routes.values())) if found.gate else []


def output_roles(settings: Settings) -> Mapping[str, str]:
    """Return role in a unit of work → role of its topic, of all that shards of messages write."""
    roles = {
        "verdicts": VERDICTS_ROLE,
        "audit": AUDIT_ROLE,
        "audit-checkpoints": CHECKPOINTS_ROLE,
        "quarantine": "quarantine",
        **{role: role for role in gate_roles(settings)},
    }
    if settings.messages.link:
        roles["events"] = SOURCE_ROLE
    return roles


def prepare_messages(settings: Settings, shards: int) -> None:
    """Make the topics of the scan where they are missing, and refuse what does not fit.

    Args:
        settings: ``messages.enabled``.
        shards: partitions of the events.

    Raises:
        TopologyError: a topic has another number of partitions than the events, or takes smaller
            records than are sent to it.
        BrokerUnavailable: no broker answers.
    """
    name = settings.topics.name
    ours = [role for role in output_roles(settings).values() if role not in _SHARED]
    needed = {name(role): _CONFIG.get(role, _LARGE) for role in (MESSAGES_ROLE, *ours)}
    needed[messages_changelog(settings.application_id)] = CHANGELOG_CONFIG
    client = admin(settings.broker)
    counts = partition_counts(client, settings.broker.bootstrap)
    misfits = {topic: counts[topic] for topic in needed if counts.get(topic, shards) != shards}
    if misfits:
        told = ", ".join(f"{topic} has {have}" for topic, have in misfits.items())
        raise TopologyError(
            f"topic {name(SOURCE_ROLE)} has {shards} partitions, but {told}: one worker serves a "
            f"partition of all of them. Make those topics anew with {shards} partitions, or set "
            "topics.prefix to where there are none yet"
        )
    copies = copies_of(settings)
    missing = needed.keys() - counts.keys()
    create_topics(client, {topic: (shards, copies, needed[topic]) for topic in missing})
    limits = record_limits(client, list(needed))
    check_limits(limits)
    least = settings.messages.max_message_bytes + GRACE_BYTES
    small = [t for role in gate_roles(settings) if limits[t := name(role)] < least]
    if small:
        raise TopologyError(
            f"{', '.join(small)}: messages of messages.max_message_bytes = "
            f"{settings.messages.max_message_bytes} do not fit; raise max.message.bytes of these "
            f"topics to {least}, or lower the setting"
        )


_SHARED: Final = frozenset((SOURCE_ROLE, "quarantine"))
