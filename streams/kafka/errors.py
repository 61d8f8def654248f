"""What librdkafka's errors mean for the person who runs the program.

Those of aiokafka, which Faust uses, are translated in ``streams.kafka.group``.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerUnavailable, ConfigError, StateError, TopologyError, WeirError

# librdkafka marks passing errors of transactions as retriable, and no others.
PASSING: Final = frozenset(
    {
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the library's own spelling of a local error
        KafkaError._NOENT,  # noqa: SLF001 - the same; "no leaders found" of a broker that just began
        KafkaError._TIMED_OUT,  # noqa: SLF001 - the same
        KafkaError._TRANSPORT,  # noqa: SLF001 - the same
        KafkaError._WAIT_COORD,  # noqa: SLF001 - the same
    }
)

_DENIED: Final = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - the library's own spelling of a local error
    }
)
_GONE: Final = frozenset(
    {
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the same
    }
)
UNKNOWN_TOPIC: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the same
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the same
    }
)

DO_GRANT: Final = (
    "give the application's user the right to read, write and describe its topics, group and "
    "transactional ids, or correct broker.sasl_username and broker.sasl_password"
)
DO_RECREATE: Final = (
    "the topic was deleted or is another one than the state belongs to: bring it back, or begin "
    "anew under another application_id"
)
DO_RETAIN: Final = (
    "the topic was deleted and made anew, or its retention is shorter than the lag: lengthen "
    "retention.ms; what was deleted cannot be learnt any more, so begin anew under another "
    "application_id"
)
DO_WAIT: Final = "check that the brokers are up and reachable"


def is_passing(error: KafkaError) -> bool:
    """Tell whether the same call may succeed a moment later."""
    if error.fatal() or error.txn_requires_abort():
        return False
    return error.retriable() or error.code() in PASSING


def translated(error: KafkaException, what: str) -> WeirError:
    """Return the application's error for one of librdkafka's.

    Args:
        error: what was raised; chain it as the cause.
        what: what was tried, and where.
    """
    cause: KafkaError = error.args[0]
    said = f"{what}: {cause.str()} ({cause.name()})"
    code = cause.code()
    if code in _DENIED:
        return ConfigError(f"{said}; {DO_GRANT}")
    if code in _GONE:
        return StateError(f"{said}; {DO_RETAIN}")
    if code in UNKNOWN_TOPIC:
        return TopologyError(f"{said}; {DO_RECREATE}")
    return BrokerUnavailable(f"{said}; {DO_WAIT}")
