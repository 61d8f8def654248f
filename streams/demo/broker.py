"""The broker of a run: the one that is there, or one that is started and stopped for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.broker.choose import choose_broker
from schemas.errors import BrokerUnavailable
from streams.cli.broker import broker_errors, broker_home, reach_broker, with_bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.demo.scene import Step
    from streams.settings import Settings

_STARTED = {"docker": "started in docker for this run", "local": "started for this run"}


@contextmanager
def have_broker(settings: Settings, begin: Callable[[str], Step]) -> Iterator[Settings]:
    """Yield settings that name a broker; only one that was started here is stopped at the end.

    Args:
        settings: of the run.
        begin: begins and shows a step.

    Raises:
        BrokerUnavailable: none is named, none runs and none can be started.
    """
    step = begin("Starting Kafka (the first time fetches it, 44 MB)")
    try:
        reached = reach_broker(settings)
    except BrokerUnavailable:
        # Any free port: 9092 may be another program's.
        with broker_errors():
            handle = choose_broker(None, broker_home(settings), base_port=0)
        try:
            step.finish(f"Kafka is up at {handle.bootstrap}, {_STARTED[handle.kind]}")
            yield with_bootstrap(settings, handle.bootstrap)
        finally:
            with broker_errors():
                handle.stop()
    else:
        step.finish(f"Kafka was there already, at {reached.broker.bootstrap}")
        yield reached
