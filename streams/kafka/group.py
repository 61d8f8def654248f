"""Membership in the consumer group: what aiokafka and Faust leave undone.

- aiokafka hands errors of its coordination to the caller of ``getmany`` and stops heartbeats and
  rejoins until somebody has taken them. Faust bypasses that call, so nobody ever would, and the
  worker would stand still without a word. Here they are looked for each second, and end the worker.
- A coordinator that is still loading, as after a restart of its broker, is such an error to
  aiokafka when it answers a heartbeat. Here it counts as what it is: not available yet.
- Two static members of one name evict each other for ever, because aiokafka rejoins with a new
  member id whenever its own is unknown. Here the one that was evicted ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka import errors
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from faust.transport.drivers import aiokafka as driver

from schemas.errors import BrokerUnavailable, ConfigError, StateError, TopologyError
from streams.kafka.errors import DO_GRANT, DO_RETAIN, DO_WAIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streams.kafka.fetch import BatchApp

PERIOD_S = 1.0
FENCED_INSTANCE_ID = 82  # aiokafka has no name for it

_DENIED: Final = (
    errors.AuthenticationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.SaslAuthenticationFailed,
    errors.TopicAuthorizationFailedError,
)


class GroupThread(driver.AIOKafkaConsumerThread):
    """Runs an aiokafka consumer with ``isolation_level=read_committed``, and minds its group."""

    app: BatchApp

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = self.consumer
        before = consumer.in_transaction
        consumer.in_transaction = True
        try:
            return super()._create_worker_consumer(transport)
        finally:
            consumer.in_transaction = before

    async def on_start(self) -> None:
        """Join the group."""
        await super().on_start()
        coordinator: Any = self._ensure_consumer()._coordinator  # noqa: SLF001 - there is no public way to it
        member = self.app.conf.consumer_group_instance_id
        session_s = self.app.conf.broker_session_timeout
        coordinator._send_req = checked(coordinator._send_req, member, session_s, self.app.failed)  # noqa: SLF001 - the same
        self.add_future(self._look_for_errors(coordinator))

    async def _look_for_errors(self, coordinator: Any) -> None:
        while not self.should_stop:
            try:
                coordinator.check_errors()
            except Exception as error:  # noqa: BLE001 - whatever it is, the group is left
                self.app.failed(translated(error))
            await self.sleep(PERIOD_S)


def checked(
    send: Callable[[Any], Awaitable[Any]],
    member: str | None,
    session_s: float,
    failed: Callable[[BaseException], None],
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[Any], Awaitable[Any]]:
    """Wrap the call that sends requests to the group's coordinator.

    Args:
        send: takes a request to its response.
        member: the worker's static name, if it has one.
        session_s: how long the coordinator remembers a member that it does not hear of.
        failed: called with the error if another worker took over the name; it must end the process.
        clock: seconds that never go back.
    """
    heard = clock()

    async def send_checked(request: Any) -> Any:
        nonlocal heard
        response = await send(request)
        code = getattr(response, "error_code", 0)
        beats = isinstance(request, HeartbeatRequest)
        if beats and code == 0:
            heard = clock()
        elif code == errors.GroupLoadInProgressError.errno and (
            beats or isinstance(request, SyncGroupRequest)
        ):
            response.error_code = errors.GroupCoordinatorNotAvailableError.errno
        elif member is not None and (
            code == FENCED_INSTANCE_ID
            or (beats and code == errors.UnknownMemberIdError.errno and clock() - heard < session_s)
        ):
            failed(
                TopologyError(
                    f"another worker joined the group under the same name {member!r} and has taken "
                    "over: a name (stream.static_member, --member) belongs to one worker at a "
                    "time. Stop one of the two, or give it a name of its own"
                )
            )
        return response

    return send_checked


def translated(error: BaseException) -> BaseException:
    """Return the application's error for one that ended the group, if it is aiokafka's."""
    if not isinstance(error, errors.KafkaError):
        return error
    said = f"the consumer group cannot go on: {error}"
    if isinstance(error, errors.InvalidSessionTimeoutError):
        return ConfigError(
            f"{said}; the brokers allow a stream.session_timeout_s between their "
            "group.min.session.timeout.ms and group.max.session.timeout.ms only"
        )
    if isinstance(error, _DENIED):
        return ConfigError(f"{said}; {DO_GRANT}")
    if isinstance(error, errors.OffsetOutOfRangeError):
        return StateError(f"{said}; {DO_RETAIN}")
    return BrokerUnavailable(f"{said}; {DO_WAIT}")
