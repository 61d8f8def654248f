"""Client configuration: one place from which TLS and SASL reach librdkafka and Faust."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerUnavailable, ConfigError
from streams.kafka.errors import is_passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import BrokerSettings

RETRY_PAUSE_S = 0.1

T = TypeVar("T")
ClientConfig = dict[str, str | int | float | bool]


def client_config(broker: BrokerSettings, **extra: str | float | bool) -> ClientConfig:
    """Return librdkafka configuration with the broker's address and credentials.

    Args:
        broker: the settings; its ``bootstrap`` must be known by now.
        extra: further properties, with ``_`` for ``.`` in their names.

    Raises:
        ConfigError: there is no bootstrap address.
    """
    if not broker.bootstrap:
        raise ConfigError("no broker address: set broker.bootstrap (WEIR_BROKER__BOOTSTRAP)")
    config: ClientConfig = {
        "bootstrap.servers": broker.bootstrap,
        "security.protocol": broker.security_protocol,
        # librdkafka tells of lost brokers on stderr by itself; the application says it better.
        "log.connection.close": False,
        "log_level": 2,
    }
    if broker.security_protocol.startswith("SASL"):
        assert broker.sasl_username is not None
        assert broker.sasl_password is not None
        config["sasl.mechanism"] = broker.sasl_mechanism
        config["sasl.username"] = broker.sasl_username
        config["sasl.password"] = broker.sasl_password.get_secret_value()
    for name, path in (
        ("ssl.ca.location", broker.ssl_ca_file),
        ("ssl.certificate.location", broker.ssl_certificate_file),
        ("ssl.key.location", broker.ssl_key_file),
    ):
        if path is not None:
            config[name] = str(path)
    if broker.ssl_key_password is not None:
        config["ssl.key.password"] = broker.ssl_key_password.get_secret_value()
    config.update({name.replace("_", "."): value for name, value in extra.items()})
    return config


def retried(
    call: Callable[[], T],
    what: str,
    timeout_s: float,
    on_retry: Callable[[], None] = lambda: None,
) -> T:
    """Call until it succeeds, for as long as the broker calls its errors passing.

    Args:
        call: what to do.
        what: the same in words, for the error.
        timeout_s: how long to go on trying.
        on_retry: called before each pause.

    Raises:
        BrokerUnavailable: it did not succeed in ``timeout_s``.
        KafkaException: the error is not a passing one (fenced, fatal, not authorised …).
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return call()
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if not is_passing(cause):
                raise
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"{what} did not succeed in {timeout_s:.0f} s: {cause.str()}; "
                    "check that the brokers are up and reachable"
                ) from error
            on_retry()
            time.sleep(RETRY_PAUSE_S)
