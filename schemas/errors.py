"""The exception tree of the application.

    WeirError
    ├── ConfigError         a setting is missing or contradictory: change it
    ├── BrokerUnavailable   no broker answers: start one, or correct the address
    │   └── BrokerGone      none has answered for too long: let the supervisor start the worker anew
    ├── TopologyError       topics, partitions or identity do not fit the state: refuse to start
    ├── StateError          state on disk or in the changelog cannot be used: restore or migrate
    ├── RegistryUnavailable the schema registry does not answer: start it (schemas.confluent)
    ├── UnreadableSource    a file of rows cannot be read on (schemas.sources)
    ├── SecretError         a key or salt is missing or unreadable: provide it
    ├── BadMessage          one message cannot be used: it goes to quarantine, the shard goes on
    ├── VerificationError   an audit log does not hold
    └── Bug                 an invariant broke: the worker stops before the commit

Errors of libraries do not leave the package that uses the library; they are chained as the cause.
The message says what happened, where (topic, partition, offset) and what to do. The class says with
which exit code a process ends that cannot go on; from 64 on they are those of BSD's sysexits.h.
"""

from __future__ import annotations

from typing import ClassVar


class WeirError(Exception):
    """Root of every error that the application raises on purpose.

    Attributes:
        exit_code: what a process ends with that this error ends.
    """

    exit_code: ClassVar[int] = 70


class ConfigError(WeirError):
    """A setting is missing, malformed or contradicts another."""

    exit_code = 78


class BrokerUnavailable(WeirError):  # noqa: N818 - it names a condition, as Kafka's own errors do
    """No broker answers at the configured address."""

    exit_code = 69


class BrokerGone(BrokerUnavailable):
    """No broker has answered for as long as a worker is to wait."""

    exit_code = 75


class TopologyError(WeirError):
    """Topics, partition counts or identities do not fit the state that exists."""

    exit_code = 78


class StateError(WeirError):
    """State on disk or in the changelog cannot be used as it is."""

    exit_code = 73


class SecretError(WeirError):
    """A key or salt is missing, malformed or may not be read."""

    exit_code = 78


class BadMessage(WeirError):  # noqa: N818 - it names what it is about
    """One message cannot be used.

    Args:
        reason: machine-readable reason code; part of the quarantine record, see ``reasons``.
        detail: what is wrong, in words.
    """

    exit_code = 65

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class VerificationError(WeirError):
    """An audit log does not hold."""

    exit_code = 4


class Bug(WeirError):  # noqa: N818 - it names what it is
    """An invariant of the application broke; going on could corrupt state."""
