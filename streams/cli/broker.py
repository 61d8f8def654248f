"""The broker that a command talks to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.broker import docker
from deploy.broker.errors import BrokerError
from deploy.broker.local import LocalBroker
from schemas.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.settings import Settings


def broker_home(settings: Settings) -> Path:
    """Return the folder of the local broker."""
    return settings.data_dir / "broker"


def with_bootstrap(settings: Settings, bootstrap: str) -> Settings:
    """Return settings that name these brokers."""
    broker = settings.broker.model_copy(update={"bootstrap": bootstrap})
    return settings.model_copy(update={"broker": broker})


def reach_broker(settings: Settings) -> Settings:
    """Return settings that name a broker: the one they name, or the one that runs on this machine.

    None is started: ``weir up`` does that, and says so.

    Raises:
        BrokerUnavailable: none is named and none runs here.
    """
    if settings.broker.bootstrap:
        return settings
    with broker_errors():
        running = _running(broker_home(settings))
    if running is None:
        raise BrokerUnavailable(
            "no broker is named and none runs here: start one (`weir up`), or set broker.bootstrap "
            "(WEIR_BROKER__BOOTSTRAP, --bootstrap)"
        )
    return with_bootstrap(settings, running)


def _running(home: Path) -> str | None:
    local = LocalBroker(home)
    if local.is_running():
        return local.bootstrap
    compose = docker.ComposeBroker()
    if docker.compose_fault() is None and compose.is_running():
        return compose.bootstrap
    return None


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn errors of ``deploy.broker`` into the application's.

    Raises:
        BrokerUnavailable: with the same message.
    """
    try:
        yield
    except BrokerError as error:
        raise BrokerUnavailable(str(error)) from error
