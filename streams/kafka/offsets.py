"""The consumer group as others see it: its offsets, and whether anyone is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.kafka.clients import client_config, retried
from streams.kafka.errors import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka.admin import AdminClient

    from streams.settings import BrokerSettings

_CALL_S = 10
_PATIENCE_S = 30


def committed_offsets(
    broker: BrokerSettings, group: str, topic: str, partitions: Sequence[int]
) -> dict[int, int]:
    """Return the committed offset of each partition, 0 where there is none.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigError: access is denied.
    """
    # A consumer that never joins: the admin client's own call for this crashes the interpreter
    # where the group's coordinator is not known yet (confluent-kafka 2.16.0).
    consumer = Consumer(client_config(broker, group_id=group))
    where = [TopicPartition(topic, partition) for partition in partitions]
    what = f"offsets of the group {group}"
    try:
        found = retried(lambda: consumer.committed(where, timeout=_CALL_S), what, _PATIENCE_S)
    except KafkaException as error:
        raise translated(error, what) from error
    finally:
        consumer.close()
    return {at.partition: max(0, at.offset) for at in found}


def group_members(client: AdminClient, group: str) -> list[str]:
    """Return who is in a group: names and hosts; nobody where there is no such group.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigError: access is denied.
    """

    def ask() -> Any:
        return client.describe_consumer_groups([group], request_timeout=_CALL_S)[group].result()

    what = f"members of the group {group}"
    try:
        described = retried(ask, what, _PATIENCE_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise translated(error, what) from error
    return [
        f"{member.group_instance_id or member.client_id} {member.host}"
        for member in described.members
    ]
