"""The exception tree of the local broker.

    BrokerError
    ├── ToolError            java, mvn or docker is missing or too old: install it
    ├── FetchError           Kafka's jars could not be fetched, or are not the pinned ones
    ├── PortTakenError       something else listens on a port that was asked for
    ├── StorageError         the broker's folder is full, not writable, or laid out differently
    ├── StartError           the broker died at start or did not answer in time; the log says why
    └── BrokerNotAvailable   no broker answers and none can be started here

This package stands alone, so the tree is its own; the application wraps it in its own errors.
"""

from __future__ import annotations


class BrokerError(Exception):
    """Root of every error that this package raises on purpose."""


class ToolError(BrokerError):
    """A program that is needed is missing, too old, or failed."""


class FetchError(BrokerError):
    """Kafka's jars could not be fetched, or are not the pinned ones."""


class PortTakenError(BrokerError):
    """Something else listens on a port that was asked for."""


class StorageError(BrokerError):
    """The broker's folder is full, not writable, or laid out for something else."""


class StartError(BrokerError):
    """A broker died at start or did not answer in time."""


class BrokerNotAvailable(BrokerError):  # noqa: N818 - it names a condition, as Kafka's own errors do
    """No broker answers, and none can be started here."""
