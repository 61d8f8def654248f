"""The exception tree of the application.

    WeirError
    ├── ConfigError         a setting is missing or contradictory: change it
    ├── BrokerUnavailable   no broker answers: start one, or correct the address
    ├── TopologyError       topics, partitions or identity do not fit the state: refuse to start
    ├── StateError          state on disk or in the changelog cannot be used: restore or migrate
    ├── RegistryUnavailable the schema registry does not answer: start it (schemas.confluent)
    ├── UnreadableSource    a file of rows cannot be read on (schemas.sources)
    ├── SecretError         a key or salt is missing or unreadable: provide it
    ├── BadMessage          one message cannot be used: it goes to quarantine, the shard goes on
    ├── VerificationError   an audit log does not hold
    └── Bug                 an invariant broke: the worker stops before the commit

Errors of libraries do not leave the package that uses the library; they are chained as the cause.
The message says what happened, where (topic, partition, offset) and what to do.
"""

from __future__ import annotations


class WeirError(Exception):
    """Root of every error that the application raises on purpose."""


class ConfigError(WeirError):
    """A setting is missing, malformed or contradicts another."""


class BrokerUnavailable(WeirError):  # noqa: N818 - it names a condition, as Kafka's own errors do
    """No broker answers at the configured address."""


class TopologyError(WeirError):
    """Topics, partition counts or identities do not fit the state that exists."""


class StateError(WeirError):
    """State on disk or in the changelog cannot be used as it is."""


class SecretError(WeirError):
    """A key or salt is missing, malformed or may not be read."""


class BadMessage(WeirError):  # noqa: N818 - it names what it is about
    """One message cannot be used.

    Args:
        reason: machine-readable reason code; part of the quarantine record, see ``reasons``.
        detail: what is wrong, in words.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class VerificationError(WeirError):
    """An audit log does not hold."""


class Bug(WeirError):  # noqa: N818 - it names what it is
    """An invariant of the application broke; going on could corrupt state."""
