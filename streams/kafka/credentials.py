"""The broker's credentials in Faust's form."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import faust

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from streams.settings import BrokerSettings


def ssl_context(broker: BrokerSettings) -> ssl.SSLContext:
    """Build the TLS context that Faust's own client uses.

    Raises:
        ConfigError: a certificate or key file cannot be used.
    """
    try:
        context = ssl.create_default_context(
            cafile=str(broker.ssl_ca_file) if broker.ssl_ca_file else None
        )
        if broker.ssl_certificate_file is not None:
            password = broker.ssl_key_password
            context.load_cert_chain(
                str(broker.ssl_certificate_file),
                str(broker.ssl_key_file) if broker.ssl_key_file else None,
                password.get_secret_value() if password else None,
            )
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"broker TLS files cannot be used: {error}") from error
    return context


def faust_credentials(
    broker: BrokerSettings,
) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Return the same credentials in Faust's form."""
    if broker.security_protocol == "PLAINTEXT":
        return None
    if broker.security_protocol == "SSL":
        return faust.SSLCredentials(context=ssl_context(broker))
    assert broker.sasl_password is not None
    context = ssl_context(broker) if broker.security_protocol == "SASL_SSL" else None
    return faust.SASLCredentials(
        username=broker.sasl_username,
        password=broker.sasl_password.get_secret_value(),
        mechanism=broker.sasl_mechanism,
        ssl_context=context,
    )
